// URIs: what is taken, what is refused, what is written.
#include "core/sip/uri.h"

#include <gtest/gtest.h>

namespace crosspoint::sip {
namespace {

TEST(Uri, TakesAndWritesTheFormsOfRfc3261) {
  for (const std::string_view text :
       {"sip:alice@atlanta.com", "sip:atlanta.com", "sips:1212@gateway.com", "sip:alice@192.0.2.4:5070",
        "sip:bob@[2001:db8::9]:5080", "sip:+1-212-555-1212;isub=1@gateway.com;user=phone",
        "sip:alice@atlanta.com;maddr=239.255.255.1;ttl=15", "sip:p1.example.com;lr",
        "sip:alice;day=tuesday@atlanta.com", "sip:j%40s0n@example.com",
        "sip:bob@b.example?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2", "tel:+12125551212",
        "tel:7042;phone-context=example.com"}) {
    const auto uri = Uri::parse(text);
    ASSERT_TRUE(uri) << text;
    EXPECT_EQ(uri->toString(), text);
  }
}

TEST(Uri, TellsItsPartsApart) {
  const auto uri = Uri::parse("SIPS:al%20ice:secret@Atlanta.com:5061;Transport=TLS;lr?Subject=x");
  ASSERT_TRUE(uri);
  EXPECT_EQ(uri->scheme, "sips");
  EXPECT_EQ(uri->user, "al%20ice");
  EXPECT_EQ(uri->host, "Atlanta.com");
  EXPECT_EQ(uri->port, 5061);
  EXPECT_EQ(uri->transport(), "tls");
  EXPECT_TRUE(uri->hasParameter("LR"));
  ASSERT_EQ(uri->headers.size(), 1u);
  EXPECT_EQ(uri->headers[0].value, "x");
}

TEST(Uri, RefusesWhatIsNone) {
  const std::string endless = "sip:a@b.example;x=" + std::string(kUriBytesMax, 'x');
  std::string many = "sip:a@b.example";
  for (std::size_t i = 0; i <= kUriParametersMax; ++i) many += ";p";
  for (const std::string_view text : std::initializer_list<std::string_view>{"",
                                                                             "sip",
                                                                             "sip:",
                                                                             "alice@atlanta.com",
                                                                             "http://a.example",
                                                                             "sip:@a.example",
                                                                             "sip:a@",
                                                                             "sip:a@:5060",
                                                                             "sip:a@b:0",
                                                                             "sip:a@b:65536",
                                                                             "sip:a@b:x",
                                                                             "sip:a@[::1",
                                                                             "sip:a@[]",
                                                                             "sip:a b@c",
                                                                             "sip:a@b\r\nVia: x",
                                                                             "sip:a@b;=x",
                                                                             "<sip:a@b>",
                                                                             "tel:",
                                                                             "sip:a@b c",
                                                                             std::string_view(endless),
                                                                             std::string_view(many)}) {
    EXPECT_FALSE(Uri::parse(text)) << text;
  }
}

TEST(Uri, WritesOneLineWhateverItHolds) {
  const Uri uri{.scheme = "sip\r\n",
                .user = "a b\r\nVia: <x>@\"%zz",
                .host = "h\no st",
                .parameters = {{"n\r", "v;\n"}},
                .headers = {{"h&", "v\r"}}};
  EXPECT_EQ(uri.toString(), "sip:a%20b%0D%0AVia%3A%20%3Cx%3E%40%22%25zz@h%0Ao%20st;n%0D=v%3B%0A?h%26=v%0D");
}

TEST(Uri, EscapesAnyUserAndUnescapesItAgain) {
  const std::string plain = "ann@home; 100% \xc3\xa4\r\n";
  EXPECT_EQ(escapeUser(plain), "ann%40home;%20100%25%20%C3%A4%0D%0A");
  EXPECT_EQ(unescape(escapeUser(plain)), plain);
  EXPECT_EQ(unescape("a%4"), "a%4");
  EXPECT_EQ(unescape("a%"), "a%");
  EXPECT_EQ(unescape("%g1"), "%g1");
}

TEST(Parameters, AreFoundAndSetWithoutRegardToCase) {
  Parameters parameters{{"Expires", "60"}};
  setParameter(parameters, "expires", "90");
  setParameter(parameters, "q", "1");
  EXPECT_EQ(findParameter(parameters, "EXPIRES"), "90");
  EXPECT_EQ(parameters.size(), 2u);
  EXPECT_FALSE(findParameter(parameters, "tag"));
}

}  // namespace
}  // namespace crosspoint::sip
