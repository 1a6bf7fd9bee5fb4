// Offers that cross, at every offset in time: of a page that behaves as clients in the field do.
#include <gtest/gtest.h>

#include <functional>
#include <utility>

#include "bridge/one_call_fixture.h"

namespace crosspoint::bridge::test {
namespace {

struct CrossingTest : OneCallTest {
  void pageOffers(Direction direction) {
    if (renews) page().renew(*std::exchange(renews, nullptr));
    page().offer(direction);
    waits_ = true;
  }
  // The client at work: it answers, except that an OFFER which meets one of its own is dropped silently.
  void live(Duration time) {
    for (const TimePoint end = now() + time; now() < end; run(1ms)) {
      while (!page().messages.empty()) react(page().messages.front().body);
    }
  }
  void react(const std::string& body) {
    const auto message = roap::parseMessage(body.starts_with("SDP ") ? body.substr(4) : "");
    if (message && message->type == roap::MessageType::Answer) {
      page().takeAnswer();
      waits_ = false;
    } else if (message && message->type == roap::MessageType::Offer && !waits_) {
      page().answerOffer();
    } else {
      page().messages.erase(page().messages.begin());
    }
  }
  // `what` in `offset` from now, or the page's offer in -offset.
  void cross(Duration offset, Direction direction, const std::function<void()>& what) {
    const bool pageFirst = offset >= Duration::zero();
    if (pageFirst)
      pageOffers(direction);
    else
      what();
    live(pageFirst ? offset : -offset);
    if (pageFirst)
      what();
    else
      pageOffers(direction);
    live(12s);  // 491 and its timers, both ways (RFC 3261 §14.1)
    EXPECT_FALSE(waits_) << "an OFFER without an ANSWER";
  }
  // From 25 ms before the page's offer to 25 ms after it, as long as all is well.
  void atEveryOffset(const std::function<void(Duration)>& what) {
    for (auto offset = -25ms; offset <= 25ms && !HasFailure(); ++offset) {
      SCOPED_TRACE(offset.count());
      what(offset);
    }
  }

  const dtls::Context* renews = nullptr;  // the page's next offer comes from a new peer connection

 private:
  bool waits_ = false;
};

TEST_F(CrossingTest, BothHoldAndBothResumeAtEveryOffset) {
  for (const bool pageCalls : {true, false}) {
    begin(pageCalls);
    atEveryOffset([&](Duration offset) {
      phone().direction = Direction::Inactive;
      cross(offset, Direction::Inactive, [&] { phone().reInvite(); });
      EXPECT_EQ(toldToPage(), Direction::Inactive);
      EXPECT_EQ(toldToPhone(), Direction::Inactive);
      expectNoMedia(page(), phone());
      phone().direction = Direction::SendRecv;
      cross(offset, Direction::SendRecv, [&] { phone().reInvite(); });
      EXPECT_EQ(toldToPage(), Direction::SendRecv);
      EXPECT_EQ(toldToPhone(), Direction::SendRecv);
      expectMediaFlows(page(), phone());
    });
  }
}

TEST_F(CrossingTest, AnUpdateCrossesThePagesHoldAtEveryOffset) {
  begin(true);
  atEveryOffset([&](Duration offset) {
    phone().direction = Direction::SendOnly;
    cross(offset, Direction::Inactive, [&] { phone().update(); });
    EXPECT_EQ(toldToPage(), Direction::Inactive);
    expectNoMedia(page(), phone());
    phone().direction = Direction::SendRecv;
    cross(offset, Direction::SendRecv, [&] { phone().update(); });
    EXPECT_EQ(toldToPage(), Direction::SendRecv);
    expectMediaFlows(page(), phone());
  });
}

TEST_F(CrossingTest, ARequestForAnOfferCrossesThePagesOwnAtEveryOffset) {
  begin(false);
  atEveryOffset([&](Duration offset) {
    cross(offset, offset / 1ms % 2 == 0 ? Direction::Inactive : Direction::SendRecv, [&] { phone().reInvite(false); });
    EXPECT_EQ(toldToPage(), page().direction);
    EXPECT_EQ(toldToPhone(), page().direction);
  });
}

TEST_F(CrossingTest, ARenewedConnectionCrossesAHoldOfSip) {
  begin(true);
  bool other = false;
  for (const auto offset : {-20ms, -10ms, -5ms, 0ms, 5ms, 10ms, 20ms}) {
    SCOPED_TRACE(offset.count());
    renews = (other = !other) ? &otherPageDtls : &pageDtls;
    phone().direction = Direction::SendOnly;
    cross(offset, Direction::SendRecv, [&] { phone().reInvite(); });
    expectConnected(page());
    EXPECT_EQ(toldToPage(), Direction::SendOnly);
    phone().reInvite(Direction::SendRecv);
    live(12s);
    expectMediaFlows(page(), phone());
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace crosspoint::bridge::test
