#include "bridge/sip_leg.h"

#include <gtest/gtest.h>

#include "core/sdp/sdp.h"
#include "tests/support/seeded_random.h"

namespace crosspoint::bridge {
namespace {

struct NoPorts : RtpPorts {
  std::optional<RtpPortPair> open() override { return std::nullopt; }
  void close(const RtpPortPair&) override {}
};

struct OnePort : RtpPorts {
  std::optional<RtpPortPair> open() override {
    return RtpPortPair{SocketId{1}, SocketId{2}, *SocketAddress::parse("192.0.2.1:5000"),
                       *SocketAddress::parse("192.0.2.1:5001")};
  }
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

// An optional SRTP of phones that do not know RFC 5939: both in one offer, and one of them is to be refused.
TEST_F(SipLegTest, OfASecureAndAPlainSectionThePlainOneIsTaken) {
  OnePort onePort;
  std::string both = sdp("192.0.2.7", "4000") + "m=audio 4002 RTP/AVP 8\r\n";
  both.replace(both.find("RTP/AVP 0"), 9, "RTP/SAVP 0");
  SipLeg opened{onePort, random};
  const auto chosen = opened.read(true, both);
  ASSERT_TRUE(chosen && (*chosen)[0].present());
  EXPECT_EQ((*chosen)[0].codecs.at(0).name, "PCMA");
  EXPECT_EQ(opened.announcedRtp(0)->toString(), "192.0.2.7:4002");
  const auto answer = opened.write(*chosen, false);
  ASSERT_TRUE(answer);
  EXPECT_NE(answer->find("m=audio 0 RTP/SAVP 0\r\n"), std::string::npos) << *answer;
  EXPECT_NE(answer->find("m=audio 5000 RTP/AVP 8\r\n"), std::string::npos) << *answer;
}

TEST_F(SipLegTest, TheVersionRisesWithEveryChangeAndWithNothingElse) {
  OnePort onePort;
  SipLeg opened{onePort, random};
  auto media = *opened.read(true, sdp("192.0.2.7", "4000"));
  const auto version = [&](const call::Media& what, bool offer) {
    return sdp::parse(opened.write(what, offer).value_or("")).value().sessionVersion;
  };
  const auto first = version(media, false);
  EXPECT_EQ(version(media, false), first) << "a refresh of theirs";
  EXPECT_EQ(version(media, true), first) << "one of ours";
  auto held = media;
  held[0].direction = Direction::SendOnly;
  EXPECT_EQ(version(held, true), first + 1);
  EXPECT_EQ(version(media, true), first + 2) << "what was said before is a change, too";
}

TEST_F(SipLegTest, WhatWasNotSentTakesNoVersion) {
  OnePort onePort;
  SipLeg opened{onePort, random};
  auto media = *opened.read(true, sdp("192.0.2.7", "4000"));
  const auto version = [&](const call::Media& what) {
    return sdp::parse(opened.write(what, true).value_or("")).value().sessionVersion;
  };
  const auto first = version(media);
  auto held = media;
  held[0].direction = Direction::SendOnly;
  EXPECT_EQ(version(held), first + 1);
  opened.withdraw();
  opened.withdraw();
  EXPECT_EQ(version(media), first) << "that one was sent";
  opened.withdraw();
  held[0].direction = Direction::Inactive;
  EXPECT_EQ(version(held), first + 1) << "RFC 3264 §8: by one from the previous one";
}

TEST_F(SipLegTest, AnAnswerThatCannotBeUsedIsUndone) {
  ASSERT_TRUE(leg.read(false, sdp("192.0.2.7", "4000")));
  ASSERT_TRUE(leg.read(false, sdp("192.0.2.8", "6000")));
  leg.undoAnswer();
  EXPECT_EQ(leg.announcedRtp(0)->toString(), "192.0.2.7:4000");
}

}  // namespace
}  // namespace crosspoint::bridge
