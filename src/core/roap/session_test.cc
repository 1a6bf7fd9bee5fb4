#include "core/roap/session.h"

#include <gtest/gtest.h>

#include "tests/support/seeded_random.h"

namespace crosspoint::roap {
namespace {

using Handling = Session::Handling;
using State = Session::State;

// One page session, and what a page would post to it.
struct SessionFixture {
  explicit SessionFixture(Session::Config config = {}) : session(config, random) {}

  static Message offer(std::uint32_t seq = 1, std::uint32_t tiebreaker = 1000, std::uint64_t id = 5) {
    Message message{.type = MessageType::Offer, .sdp = "page's offer"};
    message.offererSessionId = SessionId::number(id);
    message.seq = seq;
    message.tiebreaker = tiebreaker;
    return message;
  }
  static Message reply(MessageType type, const Message& to) {
    Message message{.type = type};
    if (type == MessageType::Answer) message.sdp = "page's answer";
    message.offererSessionId = to.offererSessionId;
    message.answererSessionId = SessionId::number(5);
    message.seq = to.seq;
    return message;
  }
  template <typename T>
  std::optional<T> take() {
    auto output = session.pollOutput();
    if (!output || !std::holds_alternative<T>(*output)) return std::nullopt;
    return std::get<T>(std::move(*output));
  }
  bool nothing() { return !session.pollOutput(); }
  Handling post(const Message& message) { return session.handleMessage(now, message); }
  // The page's OFFER answered and confirmed.
  void settle(const Message& message) {
    EXPECT_EQ(post(message), Handling::Taken);
    EXPECT_TRUE(take<Session::OfferReceived>());
    EXPECT_TRUE(session.answer(now, {.sdp = "our answer"}));
    EXPECT_TRUE(take<Session::Send>());
    EXPECT_EQ(post(reply(MessageType::Ok, message)), Handling::Taken);
    EXPECT_TRUE(take<Session::Settled>());
  }
  Message sendOffer() {
    EXPECT_TRUE(session.offer(now, {.sdp = "our offer"}));
    auto sent = take<Session::Send>();
    EXPECT_TRUE(sent);
    return sent ? sent->message : Message{};
  }

  test::SeededRandom random{1};
  TimePoint now{};
  Session session;
};

TEST(Session, AnOfferGetsOneAnswerWithItsIdsAndNumber) {
  SessionFixture t;
  EXPECT_EQ(t.post(t.offer(3)), Handling::Taken);
  const auto received = t.take<Session::OfferReceived>();
  ASSERT_TRUE(received);
  EXPECT_EQ(received->content.sdp, "page's offer");
  EXPECT_TRUE(t.session.answer(t.now, {.sdp = "our answer"}));
  const auto sent = t.take<Session::Send>();
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->message.type, MessageType::Answer);
  EXPECT_EQ(sent->message.offererSessionId, SessionId::number(5));
  EXPECT_EQ(sent->message.answererSessionId, SessionId::number(1));
  EXPECT_EQ(sent->message.seq, 3u);
  EXPECT_FALSE(t.session.answer(t.now, {.sdp = "another"}));
  EXPECT_TRUE(t.nothing());
}

TEST(Session, ARepeatedOfferIsRecognisedBeforeAndAfterTheAnswerAndAfterTheCall) {
  SessionFixture t;
  t.post(t.offer());
  EXPECT_TRUE(t.take<Session::OfferReceived>());
  EXPECT_EQ(t.post(t.offer()), Handling::Duplicate);
  t.session.answer(t.now, {.sdp = "our answer"});
  EXPECT_TRUE(t.take<Session::Send>());
  EXPECT_EQ(t.post(t.offer()), Handling::Duplicate);
  t.post(t.reply(MessageType::Ok, t.offer()));
  EXPECT_TRUE(t.take<Session::Settled>());
  EXPECT_EQ(t.post(t.offer()), Handling::Duplicate);
  t.session.endCall(t.now);
  EXPECT_EQ(t.post(t.offer()), Handling::Duplicate);
  EXPECT_TRUE(t.nothing());
  EXPECT_EQ(t.session.counters().duplicates, 4u);
}

TEST(Session, TheIdOfAPageThatOffersIsItsIdOfThatCall) {
  SessionFixture t;
  t.settle(t.offer(1, 1000));
  EXPECT_EQ(t.session.pageId(), t.offer().offererSessionId);
  t.session.endCall(t.now);
  EXPECT_TRUE(t.session.pageId().isNull());
  t.session.endCall(t.now);
  EXPECT_EQ(t.session.takeEndedPageId(), t.offer().offererSessionId);
  EXPECT_TRUE(t.session.takeEndedPageId().isNull());
}

TEST(Session, AMessageThatIsPassedOverIsKnownWhenItComesAgain) {
  SessionFixture t;
  EXPECT_FALSE(t.session.hasSeen(t.offer(1, 1000)));
  t.session.pass(t.offer(1, 1000));
  EXPECT_TRUE(t.session.hasSeen(t.offer(1, 1000)));
  EXPECT_FALSE(t.session.hasSeen(t.offer(1, 2000)));
  EXPECT_EQ(t.post(t.offer(1, 1000)), Handling::Duplicate);
}

TEST(Session, TheIdOfAPageThatAnsweredIsItsIdOfThatCall) {
  SessionFixture t;
  t.post(t.reply(MessageType::Answer, t.sendOffer()));
  EXPECT_TRUE(t.take<Session::Send>());
  t.session.endCall(t.now);
  EXPECT_EQ(t.session.takeEndedPageId(), t.reply(MessageType::Answer, t.offer()).answererSessionId);
}

TEST(Session, ASequenceThatStartsAgainWithANewPeerConnectionIsTaken) {
  SessionFixture t;
  t.settle(t.offer(1, 1000));
  t.settle(t.offer(2, 2000));
  t.settle(t.offer(1, 3000));
  EXPECT_EQ(t.sendOffer().seq, 2u);
}

TEST(Session, OurOfferCountsOnFromWhatWasSeenEitherWay) {
  SessionFixture t;
  t.settle(t.offer(7));
  const auto offer = t.sendOffer();
  EXPECT_EQ(offer.seq, 8u);
  EXPECT_TRUE(offer.answererSessionId.isNull());
  EXPECT_EQ(offer.offererSessionId, SessionId::number(1));
}

TEST(Session, AnOkFollowsThePagesAnswer) {
  SessionFixture t;
  const auto offer = t.sendOffer();
  EXPECT_EQ(t.post(t.reply(MessageType::Answer, offer)), Handling::Taken);
  const auto ok = t.take<Session::Send>();
  ASSERT_TRUE(ok);
  EXPECT_EQ(ok->message.type, MessageType::Ok);
  EXPECT_EQ(ok->message.seq, offer.seq);
  EXPECT_EQ(ok->message.answererSessionId, SessionId::number(5));
  const auto answer = t.take<Session::AnswerReceived>();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->content.sdp, "page's answer");
  EXPECT_EQ(t.session.state(), State::Stable);
  EXPECT_EQ(t.post(t.reply(MessageType::Answer, offer)), Handling::Duplicate);
  EXPECT_TRUE(t.nothing());
}

TEST(Session, AnAnswerMayCarryItsIdsAsTextOrNotAtAll) {
  SessionFixture t;
  auto answer = t.reply(MessageType::Answer, t.sendOffer());
  answer.offererSessionId = SessionId::text("1");
  answer.answererSessionId = SessionId::text("anything");
  EXPECT_EQ(t.post(answer), Handling::Taken);
}

TEST(Session, AnAnswerToNothingIsStale) {
  SessionFixture t;
  EXPECT_EQ(t.post(t.reply(MessageType::Answer, t.offer())), Handling::Stale);
  auto answer = t.reply(MessageType::Answer, t.sendOffer());
  answer.seq = 99;
  EXPECT_EQ(t.post(answer), Handling::Stale);
  EXPECT_EQ(t.session.state(), State::AwaitingAnswer);
}

TEST(Session, OurOfferWaitsUntilThePagesIsSettled) {
  SessionFixture t;
  t.post(t.offer());
  EXPECT_TRUE(t.take<Session::OfferReceived>());
  EXPECT_FALSE(t.session.wantOffer(t.now));
  EXPECT_FALSE(t.session.wantOffer(t.now));
  EXPECT_FALSE(t.session.offer(t.now, {.sdp = "too early"}));
  t.session.answer(t.now, {.sdp = "our answer"});
  EXPECT_TRUE(t.take<Session::Send>());
  EXPECT_TRUE(t.nothing());
  t.post(t.reply(MessageType::Ok, t.offer()));
  EXPECT_TRUE(t.take<Session::Settled>());
  EXPECT_TRUE(t.take<Session::OfferPossible>());
  EXPECT_TRUE(t.nothing());
  EXPECT_TRUE(t.session.offer(t.now, {.sdp = "now"}));
}

TEST(Session, ALostOkHoldsNothingUpForLong) {
  SessionFixture t;
  t.post(t.offer());
  t.session.answer(t.now, {.sdp = "our answer"});
  t.session.wantOffer(t.now);
  EXPECT_TRUE(t.take<Session::OfferReceived>());
  EXPECT_TRUE(t.take<Session::Send>());
  ASSERT_EQ(t.session.nextTimeout(), TimePoint{} + 5s);
  t.session.handleTimeout(TimePoint{} + 5s - 1ns);
  EXPECT_TRUE(t.nothing());
  t.session.handleTimeout(TimePoint{} + 5s);
  EXPECT_TRUE(t.take<Session::Settled>());
  EXPECT_TRUE(t.take<Session::OfferPossible>());
  EXPECT_EQ(t.post(t.reply(MessageType::Ok, t.offer())), Handling::Stale);
}

TEST(Session, AnOkThatWasOvertakenByTheNextOfferDoesNotSettleThat) {
  SessionFixture t;
  t.post(t.offer(1));
  t.session.answer(t.now, {.sdp = "our answer"});
  EXPECT_EQ(t.post(t.offer(2, 2000)), Handling::Taken);
  EXPECT_EQ(t.session.state(), State::MustAnswer);
  EXPECT_EQ(t.post(t.reply(MessageType::Ok, t.offer(1))), Handling::Stale);
  EXPECT_EQ(t.session.state(), State::MustAnswer);
}

TEST(Session, ThePagesOfferWinsOverAnUnansweredOneOfOurs) {
  SessionFixture t;
  const auto ours = t.sendOffer();
  EXPECT_EQ(t.post(t.offer(ours.seq.value())), Handling::Taken);
  const auto received = t.take<Session::OfferReceived>();
  ASSERT_TRUE(received);
  EXPECT_TRUE(received->droppedOurs);
  EXPECT_EQ(t.post(t.reply(MessageType::Answer, ours)), Handling::Stale);
  t.session.answer(t.now, {.sdp = "our answer"});
  EXPECT_TRUE(t.take<Session::Send>());
  t.post(t.reply(MessageType::Ok, t.offer(ours.seq.value())));
  EXPECT_TRUE(t.take<Session::Settled>());
  EXPECT_TRUE(t.take<Session::OfferPossible>());
  EXPECT_EQ(t.sendOffer().seq, *ours.seq + 1);
}

TEST(Session, OurTiebreakerIsTheSmallestWhereThePageAlwaysWins) {
  SessionFixture t;
  EXPECT_EQ(t.sendOffer().tiebreaker, 1u);
}

TEST(Session, TheLargerTiebreakerWinsWherePagesCompareThem) {
  SessionFixture t({.glare = Session::Glare::Tiebreaker});
  const auto ours = t.sendOffer();
  ASSERT_GT(*ours.tiebreaker, 1u);
  ASSERT_LT(*ours.tiebreaker, 429496724u);
  EXPECT_EQ(t.post(t.offer(1, *ours.tiebreaker - 1)), Handling::Taken);
  const auto refused = t.take<Session::Send>();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->message.errorType, ErrorType::Conflict);
  EXPECT_EQ(t.session.state(), State::AwaitingAnswer);
  EXPECT_EQ(t.post(t.offer(1, *ours.tiebreaker + 1)), Handling::Taken);
  EXPECT_TRUE(t.take<Session::OfferReceived>());
  EXPECT_EQ(t.session.state(), State::MustAnswer);
}

TEST(Session, EqualTiebreakersLoseBothOffers) {
  SessionFixture t({.glare = Session::Glare::Tiebreaker});
  const auto ours = t.sendOffer();
  t.post(t.offer(1, *ours.tiebreaker));
  EXPECT_EQ(t.take<Session::Send>().value().message.errorType, ErrorType::DoubleConflict);
  EXPECT_EQ(t.take<Session::OfferFailed>().value().error, ErrorType::DoubleConflict);
  EXPECT_TRUE(t.take<Session::OfferPossible>());
  EXPECT_EQ(t.session.state(), State::Stable);
}

TEST(Session, AfterAConflictOurOfferFollowsTheirs) {
  SessionFixture t({.glare = Session::Glare::Tiebreaker});
  auto error = t.reply(MessageType::Error, t.sendOffer());
  error.errorType = ErrorType::Conflict;
  t.post(error);
  EXPECT_EQ(t.take<Session::OfferFailed>().value().error, ErrorType::Conflict);
  EXPECT_TRUE(t.nothing());
  t.settle(t.offer(1));
  EXPECT_TRUE(t.take<Session::OfferPossible>());
}

TEST(Session, AnotherOfferReplacesOneThatWasNotAnswered) {
  SessionFixture t;
  t.post(t.offer(1));
  EXPECT_FALSE(t.take<Session::OfferReceived>().value().replacesUnanswered);
  t.post(t.offer(2, 2000));
  EXPECT_TRUE(t.take<Session::OfferReceived>().value().replacesUnanswered);
  t.session.answer(t.now, {.sdp = "our answer"});
  EXPECT_EQ(t.take<Session::Send>().value().message.seq, 2u);
}

TEST(Session, AnUnansweredOfferFailsWhenItsTimeIsUp) {
  SessionFixture t;
  t.session.offer(t.now, {.sdp = "our offer"}, 10s);
  EXPECT_TRUE(t.take<Session::Send>());
  t.session.handleTimeout(TimePoint{} + 10s);
  EXPECT_EQ(t.take<Session::OfferFailed>().value().error, ErrorType::Timeout);
  EXPECT_EQ(t.session.state(), State::Stable);
  EXPECT_FALSE(t.session.nextTimeout());
}

TEST(Session, AnOfferThatRingsWaitsWithoutLimit) {
  SessionFixture t;
  t.sendOffer();
  EXPECT_FALSE(t.session.nextTimeout());
}

TEST(Session, ProvisionalAnswersGoOutOnlyToPagesThatKnowThem) {
  SessionFixture plain;
  plain.post(plain.offer());
  EXPECT_FALSE(plain.session.answer(plain.now, {.sdp = "early"}, true));

  SessionFixture ours({.provisionalAnswers = true});
  ours.post(ours.offer());
  EXPECT_TRUE(ours.take<Session::OfferReceived>());
  EXPECT_TRUE(ours.session.answer(ours.now, {.sdp = "early"}, true));
  EXPECT_TRUE(ours.take<Session::Send>().value().message.moreComing);
  EXPECT_TRUE(ours.session.answer(ours.now, {.sdp = "final"}));
  EXPECT_FALSE(ours.take<Session::Send>().value().message.moreComing);
  EXPECT_EQ(ours.session.state(), State::AwaitingOk);
}

TEST(Session, ARefusalCarriesTheSipStatusAndEndsTheExchange) {
  SessionFixture t;
  t.post(t.offer());
  EXPECT_TRUE(t.take<Session::OfferReceived>());
  EXPECT_TRUE(t.session.refuse(t.now, ErrorType::Refused, 486, "Busy Here"));
  const auto sent = t.take<Session::Send>();
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->message.type, MessageType::Error);
  EXPECT_EQ(sent->message.sipStatus, 486);
  EXPECT_EQ(sent->message.seq, 1u);
  EXPECT_EQ(t.session.state(), State::Stable);
  EXPECT_FALSE(t.session.answer(t.now, {.sdp = "late"}));
}

TEST(Session, AnOfferWithoutSdpIsAnsweredWithAnError) {
  SessionFixture t;
  auto offer = t.offer();
  offer.sdp.clear();
  EXPECT_EQ(t.post(offer), Handling::Incomplete);
  EXPECT_EQ(t.take<Session::Send>().value().message.errorType, ErrorType::Failed);
  EXPECT_EQ(t.session.state(), State::Stable);
}

TEST(Session, ShutdownIsConfirmed) {
  SessionFixture t;
  Message shutdown{.type = MessageType::Shutdown};
  shutdown.seq = 4;
  t.post(shutdown);
  EXPECT_EQ(t.take<Session::Send>().value().message.type, MessageType::Ok);
  EXPECT_TRUE(t.take<Session::ShutdownReceived>());
  EXPECT_EQ(t.post(shutdown), Handling::Duplicate);
}

TEST(Session, TheNextCallStartsAgainAtOneUnderANewId) {
  SessionFixture t;
  t.settle(t.offer(6));
  t.session.endCall(t.now);
  const auto offer = t.sendOffer();
  EXPECT_EQ(offer.seq, 1u);
  EXPECT_EQ(offer.offererSessionId, SessionId::number(2));
}

// A proxy that loses the replies to one POST: the page repeats that one every 3 s, and goes on with its others.
TEST(Session, AnOfferThatIsRepeatedForMinutesIsNeverTakenForANewOne) {
  SessionFixture t;
  const Message first = t.offer(1, 77);
  t.settle(first);
  for (std::uint32_t seq = 2; seq <= 100; ++seq) {
    t.settle(t.offer(seq, 1000 + seq));
    EXPECT_EQ(t.post(first), Handling::Duplicate) << seq;
    EXPECT_TRUE(t.nothing());
  }
}

TEST(Session, WhatIsSeenIsBounded) {
  SessionFixture t;
  for (std::uint32_t seq = 1; seq <= 1000; ++seq) t.settle(t.offer(seq, seq + 1));
  EXPECT_EQ(t.post(t.offer(1000, 1001)), Handling::Duplicate);
}

}  // namespace
}  // namespace crosspoint::roap
