#include "bridge/sip_leg.h"

#include <gtest/gtest.h>

#include "tests/support/seeded_random.h"

namespace crosspoint::bridge {
namespace {

struct NoPorts : RtpPorts {
  std::optional<RtpPortPair> open() override { return std::nullopt; }
  void close(const RtpPortPair&) override {}
};

struct SipLegTest : testing::Test {
  NoPorts ports;
  crosspoint::test::SeededRandom random{1};
  SipLeg leg{ports, random};

  static std::string sdp(const std::string& address, const std::string& port) {
    return "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 " + address + "\r\nt=0 0\r\nm=audio " + port +
           " RTP/AVP 0\r\na=sendrecv\r\n";
  }
};

TEST_F(SipLegTest, MediaGoesToTheAnnouncedAddress) {
  const auto media = leg.read(true, sdp("192.0.2.7", "4000"));
  ASSERT_TRUE(media && (*media)[0].present());
  EXPECT_EQ(leg.announcedRtp(0)->toString(), "192.0.2.7:4000");
  EXPECT_EQ(leg.announcedRtcp(0)->toString(), "192.0.2.7:4001");
}

TEST_F(SipLegTest, NothingIsSentToManyAtOnceOrToAPortWithoutOneAbove) {
  for (const auto& [address, port] :
       {std::pair{"224.0.0.9", "4000"}, {"255.255.255.255", "4000"}, {"192.0.2.7", "65535"}}) {
    const auto media = leg.read(true, sdp(address, port));
    ASSERT_TRUE(media);
    EXPECT_FALSE((*media)[0].present()) << address;
    EXPECT_FALSE(leg.announcedRtp(0)) << address;
  }
}

TEST_F(SipLegTest, TheAddressZeroIsAHold) {
  const auto media = leg.read(true, sdp("0.0.0.0", "4000"));
  ASSERT_TRUE(media);
  EXPECT_EQ((*media)[0].direction, Direction::SendOnly);
}

}  // namespace
}  // namespace crosspoint::bridge
