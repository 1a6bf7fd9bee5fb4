#include "base/address.h"

#include <gtest/gtest.h>

namespace crosspoint {
namespace {

TEST(IpAddress, TextIsReadAndWrittenAsRfc5952Says) {
  for (const char* text : {"0.0.0.0", "127.0.0.1", "255.255.255.255", "::", "::1", "1::", "2001:db8::1",
                           "2001:db8::1:0:0:1", "fe80::1", "1:2:3:4:5:6:7:8"}) {
    auto address = IpAddress::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->toString(), text);
  }
  EXPECT_EQ(IpAddress::parse("::ffff:192.0.2.1")->toString(), "::ffff:c000:201");
  EXPECT_EQ(IpAddress::parse("2001:0DB8:0:0::1")->toString(), "2001:db8::1");
}

TEST(IpAddress, AnythingElseIsNothing) {
  for (const char* text : {"",
                           "1",
                           "1.2.3",
                           "1.2.3.4.5",
                           "256.0.0.1",
                           "1.2.3.4 ",
                           " 1.2.3.4",
                           "+1.2.3.4",
                           "1..2.3",
                           ":",
                           ":::",
                           "1:2:3:4:5:6:7",
                           "1:2:3:4:5:6:7:8:9",
                           "1::2::3",
                           "12345::",
                           "g::",
                           "::1%lo",
                           "localhost",
                           "1:",
                           "::1.2.3",
                           "1:2:3:4:5:6:7:1.2.3.4"}) {
    EXPECT_FALSE(IpAddress::parse(text)) << text;
  }
}

TEST(SocketAddress, TextRoundTrips) {
  for (const char* text : {"127.0.0.1:5060", "[::1]:65535", "0.0.0.0:0"}) {
    auto address = SocketAddress::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->toString(), text);
  }
  for (const char* text : {"127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:5060", "[::1]", "host:1", ":1"}) {
    EXPECT_FALSE(SocketAddress::parse(text)) << text;
  }
}

TEST(SocketAddress, NeighbouringPortsHashApart) {
  std::unordered_map<std::size_t, int> low;
  for (std::uint16_t port = 10000; port < 11000; ++port) {
    ++low[SocketAddress{IpAddress::v4(0x7f000001), port}.hash() & 1023];
  }
  for (auto& [bucket, count] : low) EXPECT_LT(count, 12) << bucket;
}

}  // namespace
}  // namespace crosspoint
