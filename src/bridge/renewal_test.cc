// The page's connection is renewed, restarted, or lost and found again, in the middle of a call.
#include <gtest/gtest.h>

#include "bridge/one_call_fixture.h"

namespace crosspoint::bridge::test {
namespace {

struct RenewalTest : OneCallTest {
  void begin() {
    OneCallTest::begin();
    expectMediaFlows(page(), phone());
  }
  void pageOffers() {
    page().offer();
    run(100ms);
    page().takeAnswer();
  }
  void renew() {
    other_ = !other_;
    page().renew(other_ ? otherPageDtls : pageDtls);
  }
  std::string ufragOfOurs() { return page().remote->sections.at(0).ice->ufrag; }
  // The page's next packet follows the last one before, under the same SSRC.
  void expectContinued() {
    const auto before = page().received.back();
    expectMediaFlows(page(), phone());
    EXPECT_EQ(page().received.back().ssrc, before.ssrc);
    EXPECT_EQ(page().received.back().sequenceNumber, static_cast<std::uint16_t>(before.sequenceNumber + 1));
  }
  // Nothing passes between the page and us any more.
  void loseNetwork() {
    drops = [this](const SocketAddress& from, const SocketAddress& to) {
      return from == page().address() || to == page().address();
    };
  }

 private:
  bool other_ = false;
};

// ---- rsmp.new-pc-support = 1 ----

TEST_F(RenewalTest, EveryHoldAndResumeOnANewPeerConnection) {  // the default of clients in the field
  begin();
  for (int i = 0; i < 4; ++i) {
    renew();
    page().direction = Direction::Inactive;
    pageOffers();
    expectConnected(page());
    expectNoMedia(page(), phone());
    const auto ufrag = ufragOfOurs();
    renew();
    page().direction = Direction::SendRecv;
    pageOffers();
    EXPECT_NE(ufragOfOurs(), ufrag);
    expectConnected(page());
    expectContinued();
  }
  EXPECT_EQ(phone().offersReceived, 8u);
}

TEST_F(RenewalTest, ANewFingerprintAloneBeginsDtlsAnewOverTheSamePath) {
  begin();
  const auto ufrag = ufragOfOurs();
  page().changeSdp = [this](SessionDescription& description) {
    description.sections[0].fingerprints = {otherPageDtls.fingerprint()};
  };
  pageOffers();
  EXPECT_EQ(ufragOfOurs(), ufrag);  // no restart was asked for
  EXPECT_EQ(phone().offersReceived, 0u);
}

TEST_F(RenewalTest, ARepeatedOfferOfANewConnectionRenewsItOnce) {
  begin();
  renew();
  const auto body = page().offer();
  page().post(body);
  run(100ms);
  EXPECT_EQ(page().list(), "ANSWER");
  page().takeAnswer();
  expectConnected(page());
  page().post(body);
  run(5s);
  EXPECT_TRUE(page().connected());
  expectContinued();
}

TEST_F(RenewalTest, TheOldConnectionsPacketsAreNotTakenAfterTheNewOneIsUp) {
  begin();
  auto old = std::move(page().rtc);
  renew();
  pageOffers();
  expectConnected(page());
  const auto heard = phone().received.size();
  std::array<std::uint8_t, kDatagramCapacity> buffer{};
  const auto plain = toPacket({.sequenceNumber = 7777, .ssrc = 0x1});
  std::ranges::copy(plain, buffer.begin());
  Datagram datagram{.data = buffer.data(), .size = static_cast<std::uint32_t>(plain.size()), .capacity = buffer.size()};
  ASSERT_TRUE(old->protectRtp(datagram));
  sendDatagram({page().address().ip, 20000}, datagram.remote, datagram.bytes());
  run(50ms);
  EXPECT_EQ(phone().received.size(), heard);
  expectContinued();
}

// ---- rsmp.new-pc-support = 0 ----

TEST_F(RenewalTest, WithoutSupportForItANewFingerprintChangesNothing) {
  config.newPeerConnections = false;
  begin();
  page().changeSdp = [this](SessionDescription& description) {
    description.sections[0].fingerprints = {otherPageDtls.fingerprint()};
  };
  pageOffers();
  run(5s);
  EXPECT_TRUE(page().connected());
  expectContinued();  // under the keys that were agreed first
}

TEST_F(RenewalTest, WithoutSupportForItARenewedConnectionIsAnIceRestartAndNothingMore) {
  config.newPeerConnections = false;
  begin();
  const auto ufrag = ufragOfOurs();
  renew();
  pageOffers();
  EXPECT_NE(ufragOfOurs(), ufrag);
  run(20s);
  EXPECT_FALSE(page().connected());  // its handshake meets the session of the first connection
  EXPECT_TRUE(log.has("the page has renewed its peer connection, which [rsmp] new-pc-support = 0 rules out"));
  EXPECT_EQ(bridge().counters().calls, 1u);
}

TEST_F(RenewalTest, WithoutSupportForItTheSameConnectionIsRenegotiatedAndRestarted) {
  config.newPeerConnections = false;
  begin();
  page().direction = Direction::Inactive;
  pageOffers();
  expectNoMedia(page(), phone());
  page().direction = Direction::SendRecv;
  pageOffers();
  expectContinued();
  EXPECT_FALSE(log.has("new-pc-support"));
  page().restartIce();
  const auto ufrag = ufragOfOurs();
  pageOffers();
  EXPECT_NE(ufragOfOurs(), ufrag);
  run(3s);
  expectConnected(page());
  expectContinued();
}

// ---- ICE restart ----

TEST_F(RenewalTest, AnIceRestartAfterAMoveGoesOnWithoutAnotherHandshake) {
  begin();
  const auto handshakes = page().rtc->counters().dtlsHandshakes;
  for (int i = 0; i < 3; ++i) {
    page().move();
    page().restartIce();
    pageOffers();
    run(3s);
    expectConnected(page());
    expectContinued();
  }
  EXPECT_EQ(page().rtc->counters().dtlsHandshakes, handshakes);
  EXPECT_EQ(phone().offersReceived, 0u);
}

struct NetworkLoss : RenewalTest, testing::WithParamInterface<int> {};

// 20 s: interrupted. 45 s: consent has expired (RFC 7675), the page may still come back.
TEST_P(NetworkLoss, APageThatComesBackElsewhereKeepsItsCall) {
  begin();
  loseNetwork();
  run(std::chrono::seconds(GetParam()));
  drops = nullptr;
  page().move();
  page().restartIce();
  pageOffers();
  run(1s);  // both ends have selected the new pair
  EXPECT_TRUE(page().connected());
  expectMediaFlows(page(), phone());
  EXPECT_EQ(page().received.back().ssrc, page().received.front().ssrc);
  EXPECT_EQ(phone().offersReceived, 0u);
  run(std::chrono::minutes(3));
  EXPECT_EQ(bridge().counters().calls, 1u);
  expectMediaFlows(page(), phone());
}

TEST_P(NetworkLoss, APageThatComesBackOnANewConnectionKeepsItsCall) {
  begin();
  loseNetwork();
  run(std::chrono::seconds(GetParam()));
  drops = nullptr;
  renew();
  pageOffers();
  expectConnected(page());
  expectMediaFlows(page(), phone());
  EXPECT_EQ(page().received.back().ssrc, page().received.front().ssrc);
}

INSTANTIATE_TEST_SUITE_P(Short, NetworkLoss, testing::Values(5, 20, 45, 80));

TEST_F(RenewalTest, APageThatNeverComesBackLosesItsCallAMinuteAfterItsConsent) {
  begin();
  loseNetwork();
  run(85s);
  EXPECT_EQ(bridge().counters().calls, 1u);
  run(15s);
  EXPECT_EQ(bridge().counters().calls, 0u);
  EXPECT_EQ(page().list(), "ERROR BYE");
  ASSERT_EQ(phone().ended.size(), 1u);
}

}  // namespace
}  // namespace crosspoint::bridge::test
