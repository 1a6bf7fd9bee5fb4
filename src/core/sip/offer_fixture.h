// For tests: what holds for an offer in a call whether a re-INVITE (RFC 3261 §14) or an UPDATE (RFC 3311) carries it.
#pragma once
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "core/sip/agent_fixture.h"

namespace crosspoint::sip::test {

inline CommandResult offer(CallFixture& t, Method carrier, std::string sdp) {
  return carrier == Method::Update ? t.agent.update(t.now, t.call, std::move(sdp))
                                   : t.agent.reInvite(t.now, t.call, std::move(sdp));
}

inline void expectAnswered(CallFixture& t, const SendRequest& sent) {
  t.respond(sent, 200, "far", "their answer");
  EXPECT_EQ(t.event<OfferAnswered>().sdp, "their answer");
}

// Asked for credentials, it goes out again with them.
inline void expectChallengeAnswered(CallFixture& t, Method carrier, int status) {
  ASSERT_TRUE(offer(t, carrier, "ours"));
  const auto first = t.request(carrier);
  t.challenge(first, status, "n1");
  const auto second = t.request(carrier);
  EXPECT_EQ(second.request.cseq, first.request.cseq + 1);
  EXPECT_EQ(second.request.body, "ours");
  EXPECT_EQ(second.request.authorizations.size(), 1u);
  expectAnswered(t, second);
}

// RFC 3261 §12.2.1.2: the other side knows nothing of the call, or is not there. 0: no response at all.
inline void expectEndOfCall(CallFixture& t, Method carrier, int status) {
  ASSERT_TRUE(offer(t, carrier, "ours"));
  const auto sent = t.request(carrier);
  if (status != 0)
    t.respond(sent, status);
  else
    t.runFor(35s);
  EXPECT_EQ(t.event<Ended>().status, status == 0 ? 408 : status);
  t.request(Method::Bye);
  t.expectNothingLeftAfter(35s);
}

// RFC 3261 §14.1: who owns the Call-ID tries again in 2.1 to 4 s.
inline void expectTriedAgainByTheOwner(CallFixture& t, Method carrier) {
  ASSERT_TRUE(offer(t, carrier, "ours"));
  t.respond(t.request(carrier), 491);
  EXPECT_EQ(offer(t, carrier, "x").error(), CommandError::OfferPending);
  t.runFor(2100ms - 1us);
  EXPECT_TRUE(t.requests.empty());
  t.runFor(1900ms + 1us);
  const auto again = t.request(carrier);
  EXPECT_EQ(again.request.body, "ours");
  expectAnswered(t, again);
  EXPECT_EQ(t.count<OfferFailed>(), 0u);
}

// While ours waits to be tried again, theirs comes: ours is given up.
inline void expectWayGiven(CallFixture& t, Method carrier) {
  ASSERT_TRUE(offer(t, carrier, "ours"));
  t.respond(t.request(carrier), 491);
  t.receive(t.inDialog(carrier, "theirs"));
  EXPECT_EQ(t.event<OfferFailed>().status, 491);
  EXPECT_EQ(t.event<OfferReceived>().sdp, "theirs");
  ASSERT_TRUE(t.agent.answerOffer(t.now, t.call, "answer"));
  t.runFor(5s);
  EXPECT_TRUE(t.requests.empty());
}

// Theirs, which the owner of the agent leaves alone for `wait`, is refused in time.
inline void expectRefusedAfter(CallFixture& t, Method carrier, Duration wait) {
  t.receive(t.inDialog(carrier, "theirs"));
  t.runFor(wait);
  EXPECT_EQ(t.response().response.status, 504);
  EXPECT_EQ(t.event<OfferWithdrawn>().status, 504);
  EXPECT_EQ(t.agent.answerOffer(t.now, t.call, "late").error(), CommandError::WrongState);
}

// The far end takes its re-INVITE back.
inline void expectWithdrawn(CallFixture& t) {
  const auto id = t.receive(t.inDialog(Method::Invite, "theirs"));
  t.event<OfferReceived>();
  t.handle(CancelReceived{id, {}});
  EXPECT_EQ(t.response().response.status, 487);
  EXPECT_EQ(t.event<OfferWithdrawn>().status, 487);
}

// A call comes in, and its caller has our answer, acknowledged, while it rings (RFC 3262).
inline void answerEarly(CallFixture& t) {
  t.startIncomingReliable();
  ASSERT_TRUE(t.agent.progress(t.now, t.call, "answer"));
  t.receive(t.prack(t.response()));
  EXPECT_EQ(t.response().response.status, 200);
}

}  // namespace crosspoint::sip::test
