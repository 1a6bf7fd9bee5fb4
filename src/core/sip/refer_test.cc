// The text of transfers: Replaces, Refer-To, message/sipfrag, Event and Subscription-State.
#include "core/sip/refer.h"

#include <gtest/gtest.h>

namespace crosspoint::sip {
namespace {

const Replaces kDialog{.callId = "a%b@host", .toTag = "7743", .fromTag = "6472"};

Request referTo(std::string_view uri) {
  Request refer;
  refer.method = Method::Refer;
  refer.referTo = NameAddr{.uri = Uri::parse(uri).value_or(Uri{})};
  return refer;
}

TEST(Replaces, IsReadAndWrittenAsInRfc3891) {
  const auto replaces = parseReplaces("98732@sip.example.com ; from-tag=r33th4x0r;X=1;To-Tag=ff87ff; EARLY-ONLY");
  ASSERT_TRUE(replaces.has_value());
  EXPECT_EQ(
      *replaces,
      (Replaces{.callId = "98732@sip.example.com", .toTag = "ff87ff", .fromTag = "r33th4x0r", .earlyOnly = true}));
  EXPECT_EQ(toString(*replaces), "98732@sip.example.com;to-tag=ff87ff;from-tag=r33th4x0r;early-only");
}

TEST(Replaces, NeedsACallIdAndOneTagOfEachKind) {
  const std::string tooLong(257, 'x');
  for (const std::string& text : {std::string(), std::string("a"), std::string("a;to-tag=b"),
                                  std::string("a;from-tag=b"), std::string(";to-tag=a;from-tag=b"),
                                  std::string("a;to-tag=b;to-tag=c;from-tag=d"), std::string("a;to-tag=;from-tag=d"),
                                  std::string("a b;to-tag=b;from-tag=d"), std::string("a\r\nX: y;to-tag=b;from-tag=d"),
                                  std::string("a,b;to-tag=b;from-tag=d"), tooLong + ";to-tag=b;from-tag=d"}) {
    EXPECT_FALSE(parseReplaces(text).has_value()) << text;
  }
}

TEST(ReferTo, CarriesReplacesEscapedAndBack) {
  const NameAddr made = makeReferTo(*Uri::parse("sip:1022@example.test;transport=tcp?Subject=x"), kDialog);
  EXPECT_EQ(made.uri.toString(),
            "sip:1022@example.test;transport=tcp?Replaces=a%25b%40host%3Bto-tag%3D7743%3Bfrom-tag%3D6472");
  Request refer;
  refer.referTo = NameAddr{.uri = *Uri::parse(made.uri.toString())};
  const auto target = referTargetOf(refer);
  ASSERT_TRUE(target.has_value());
  EXPECT_EQ(target->uri.toString(), "sip:1022@example.test;transport=tcp");
  EXPECT_EQ(target->replaces, kDialog);
}

TEST(ReferTo, WithoutReplacesIsTheTargetAlone) {
  EXPECT_EQ(makeReferTo(*Uri::parse("tel:+49301234"), {}).uri.toString(), "tel:+49301234");
  const auto target = referTargetOf(referTo("sip:1022@example.test;method=INVITE?Subject=x&Call-ID=y"));
  ASSERT_TRUE(target.has_value());
  EXPECT_EQ(target->uri.toString(), "sip:1022@example.test") << "headers of a URI that a far end chose are left out";
}

TEST(ReferTo, IsRefusedForWhatNoCallIsMadeOf) {
  Request none, foreign;
  foreign.referToUnknown = true;
  EXPECT_EQ(referTargetOf(none).error(), 400);
  EXPECT_EQ(referTargetOf(foreign).error(), 416);
  EXPECT_EQ(referTargetOf(referTo("sip:1022@example.test;method=BYE")).error(), 403);
  EXPECT_EQ(referTargetOf(referTo("sip:1022@example.test?Replaces=nonsense")).error(), 400);
  const std::string one = "Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc";
  EXPECT_TRUE(referTargetOf(referTo("sip:1022@example.test?" + one)).has_value());
  EXPECT_EQ(referTargetOf(referTo("sip:1022@example.test?" + one + "&" + one)).error(), 400);
}

TEST(Sipfrag, IsTheFirstLineOfAResponse) {
  const auto line = parseSipfrag("SIP/2.0 486 Busy \xfc Here\r\nWarning: x\r\n");
  ASSERT_TRUE(line.has_value());
  EXPECT_EQ(line->status, 486);
  EXPECT_EQ(line->reason, "Busy \xef\xbf\xbd Here");
  EXPECT_EQ(parseSipfrag("SIP/2.0 200")->status, 200);
  EXPECT_EQ(makeSipfrag(180, ""), "SIP/2.0 180 Ringing\r\n");
  EXPECT_EQ(makeSipfrag(486, "No\r\nX: y"), "SIP/2.0 486 NoX: y\r\n");
}

TEST(Sipfrag, IsNothingElse) {
  for (const char* text : {"", "SIP/2.0", "SIP/2.0 ", "SIP/2.0 20", "SIP/2.0 2000 OK", "SIP/2.0 99 x", "SIP/2.0 700 x",
                           "SIP/2.0 -12 x", "INVITE sip:x SIP/2.0", "HTTP/1.1 200 OK", "\r\nSIP/2.0 200 OK"}) {
    EXPECT_FALSE(parseSipfrag(text).has_value()) << text;
  }
}

TEST(Subscription, StateAndEventAreReadWithTheirParameters) {
  EXPECT_TRUE(isTerminated("terminated;reason=noresource"));
  EXPECT_TRUE(isTerminated("Terminated"));
  EXPECT_FALSE(isTerminated("active;expires=60"));
  EXPECT_FALSE(isTerminated(""));
  EXPECT_EQ(eventName("refer ;id=2"), "refer");
  EXPECT_EQ(eventId("refer; ID = 93809823"), 93809823u);
  EXPECT_EQ(eventId("refer"), std::nullopt);
  EXPECT_EQ(eventId("refer;id=x"), 0u) << "nobody's";
}

}  // namespace
}  // namespace crosspoint::sip
