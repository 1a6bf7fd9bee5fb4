#include "core/call/machine_fixture.h"

namespace crosspoint::call::test {
namespace {

using enum Direction;

TEST_F(MachineTest, TheOfferGoesOnReducedToWhatIsPassedThrough) {
  machine().handleOffer(now, Side::Caller, withVideo(audio({kG722, kOpus, kPcmu, kDigits})));
  const auto offers = take<Machine::SendOffer>();
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].to, Side::Callee);
  EXPECT_EQ(offers[0].media[0].codecs, (std::vector{kOpus, kPcmu, kDigits}));
  EXPECT_EQ(offers[0].media[1].codecs[0].feedback, std::vector<std::string>{"nack pli"});
}

TEST_F(MachineTest, TheAnswerHoldsTheCommonCodecsInTheCallersPayloadTypes) {
  machine().handleOffer(now, Side::Caller, audio({kOpus, kPcmu, kDigits}));
  Codec digits = kDigits;
  digits.payloadType = 101;
  machine().handleAnswer(now, Side::Callee, audio({kPcmu, digits}));
  const auto answers = take<Machine::SendAnswer>();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].to, Side::Caller);
  EXPECT_EQ(answers[0].media[0].codecs, (std::vector{kPcmu, kDigits}));
  EXPECT_TRUE(machine().forwards(Side::Caller, 0));
  EXPECT_TRUE(machine().forwards(Side::Callee, 0));
  EXPECT_FALSE(machine().forwards(Side::Caller, 1));
}

TEST_F(MachineTest, AnOfferWithoutAnyCodecOfOursEndsAtOnceWithTheReason) {
  machine().handleOffer(now, Side::Caller, audio({kG722, kDigits}));
  EXPECT_TRUE(take<Machine::SendOffer>().empty());
  const auto ends = take<Machine::EndLeg>();
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[0].reason.cause, Cause::NoCommonCodec);
  EXPECT_EQ(ends[0].reason.sipStatus, 488);
}

TEST_F(MachineTest, AnAnswerWithoutACommonCodecEndsBothLegs) {
  machine().handleOffer(now, Side::Caller, audio({kOpus}));
  machine().handleAnswer(now, Side::Callee, audio({kPcmu}));
  EXPECT_EQ(take<Machine::EndLeg>().size(), 2u);
  EXPECT_EQ(take<Machine::Ended>()[0].reason.cause, Cause::NoCommonCodec);
}

TEST_F(MachineTest, HoldByThePageGoesToSipAndTheAnswerFollowsTheFarEndsAnswer) {
  establish();
  machine().handleOffer(now, Side::Caller, audio({kOpus, kPcmu, kDigits}, Inactive));
  const auto offers = take<Machine::SendOffer>();
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].to, Side::Callee);
  EXPECT_EQ(offers[0].media[0].direction, Inactive);
  EXPECT_TRUE(take<Machine::SendAnswer>().empty());
  machine().handleAnswer(now, Side::Callee, audio({kPcmu}, Inactive));
  EXPECT_EQ(take<Machine::SendAnswer>()[0].media[0].direction, Inactive);
  EXPECT_FALSE(machine().forwards(Side::Caller, 0));
  EXPECT_FALSE(machine().forwards(Side::Callee, 0));

  machine().handleOffer(now, Side::Caller, audio({kOpus, kPcmu, kDigits}));
  EXPECT_EQ(take<Machine::SendOffer>()[0].media[0].direction, SendRecv);
  machine().handleAnswer(now, Side::Callee, audio({kPcmu}));
  EXPECT_EQ(take<Machine::SendAnswer>()[0].media[0].direction, SendRecv);
  EXPECT_TRUE(machine().forwards(Side::Callee, 0));
}

TEST_F(MachineTest, HoldBySipIsAnsweredAtOnceAndThePageIsTold) {
  establish();
  machine().handleOffer(now, Side::Callee, audio({kPcmu}, SendOnly));
  EXPECT_EQ(take<Machine::SendAnswer>()[0].media[0].direction, RecvOnly);
  const auto offers = take<Machine::SendOffer>();
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].to, Side::Caller);
  EXPECT_EQ(offers[0].media[0].direction, SendOnly);
  machine().handleAnswer(now, Side::Caller, audio({kPcmu}, RecvOnly));
  EXPECT_FALSE(machine().forwards(Side::Caller, 0));
  EXPECT_TRUE(machine().forwards(Side::Callee, 0));

  machine().handleOffer(now, Side::Callee, audio({kPcmu}));
  EXPECT_EQ(take<Machine::SendAnswer>()[0].media[0].direction, SendRecv);
  EXPECT_EQ(take<Machine::SendOffer>()[0].media[0].direction, SendRecv);
  machine().handleAnswer(now, Side::Caller, audio({kPcmu}));
  EXPECT_TRUE(machine().forwards(Side::Caller, 0));
  EXPECT_TRUE(take<Machine::SendOffer>().empty());
}

TEST_F(MachineTest, BothHoldAndEitherMayResumeFirst) {
  for (const bool pageFirst : {true, false}) {
    made.reset();
    establish();
    machine().handleOffer(now, Side::Caller, audio({kPcmu}, Inactive));
    machine().handleAnswer(now, Side::Callee, audio({kPcmu}, Inactive));
    machine().handleOffer(now, Side::Callee, audio({kPcmu}, SendOnly));
    EXPECT_EQ(take<Machine::SendAnswer>().back().media[0].direction, Inactive);
    outputs.clear();
    auto pageResumes = [&](Direction farEnd) {
      machine().handleOffer(now, Side::Caller, audio({kPcmu}));
      machine().handleAnswer(now, Side::Callee, audio({kPcmu}, farEnd));
    };
    if (pageFirst) {
      pageResumes(SendOnly);
      EXPECT_FALSE(machine().forwards(Side::Caller, 0));
      machine().handleOffer(now, Side::Callee, audio({kPcmu}));
    } else {
      machine().handleOffer(now, Side::Callee, audio({kPcmu}));
      EXPECT_FALSE(machine().forwards(Side::Caller, 0));
      pageResumes(SendRecv);
    }
    for (auto& offer : take<Machine::SendOffer>()) machine().handleAnswer(now, offer.to, audio({kPcmu}));
    EXPECT_TRUE(machine().forwards(Side::Caller, 0)) << pageFirst;
    EXPECT_TRUE(machine().forwards(Side::Callee, 0)) << pageFirst;
  }
}

TEST_F(MachineTest, AnOfferThatChangesNothingForSipIsAnsweredWithoutAskingIt) {
  establish();
  machine().handleOffer(now, Side::Caller, audio({kOpus, kPcmu, kDigits}));  // an ICE restart, say
  EXPECT_TRUE(take<Machine::SendOffer>().empty());
  EXPECT_EQ(take<Machine::SendAnswer>()[0].media[0].codecs, (std::vector{kPcmu, kDigits}));
}

TEST_F(MachineTest, AnOfferThatCrossesAHoldStillTellsThePageOfTheHold) {
  establish();
  machine().handleOffer(now, Side::Callee, audio({kPcmu}, Inactive));
  ASSERT_EQ(take<Machine::SendOffer>().size(), 1u);  // the page never answers it: its own offer crossed
  machine().handleOffer(now, Side::Caller, audio({kOpus, kPcmu, kDigits}));
  const auto answers = take<Machine::SendAnswer>();
  ASSERT_FALSE(answers.empty());
  EXPECT_EQ(answers.back().media[0].direction, Inactive);
  EXPECT_TRUE(take<Machine::SendOffer>().empty());
}

TEST_F(MachineTest, VideoAddedByThePageIsOfferedAndRefusedWithoutHarmToTheAudio) {
  establish();
  machine().handleOffer(now, Side::Caller, withVideo(audio({kOpus, kPcmu, kDigits})));
  ASSERT_TRUE(take<Machine::SendOffer>()[0].media[1].present());
  machine().handleOfferFailed(now, Side::Callee);
  const auto answers = take<Machine::SendAnswer>();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_FALSE(answers[0].media[1].present());
  EXPECT_TRUE(machine().forwards(Side::Caller, 0));
  EXPECT_TRUE(take<Machine::SendOffer>().empty());
  EXPECT_FALSE(machine().nextTimeout());
}

// ---- a later offer that SIP refuses ----

struct RefusedResumeTest : MachineTest {
  RefusedResumeTest() {
    establish();
    machine().handleOffer(now, Side::Caller, audio({kOpus, kPcmu, kDigits}, Inactive));
    machine().handleAnswer(now, Side::Callee, audio({kPcmu, kDigits}, Inactive));
    resume();
    machine().handleOfferFailed(now, Side::Callee);
    EXPECT_EQ(take<Machine::SendAnswer>().size(), 2u);
  }
  void resume() {
    take<Machine::SendOffer>();
    machine().handleOffer(now, Side::Caller, audio({kOpus, kPcmu, kDigits}));
    expectResume();
  }
  void expectResume() {
    const auto offers = take<Machine::SendOffer>();
    ASSERT_EQ(offers.size(), 1u);
    EXPECT_EQ(offers[0].to, Side::Callee);
    EXPECT_EQ(offers[0].media[0].direction, SendRecv);
  }
};

TEST_F(RefusedResumeTest, AFarEndThatDoesNotTakeTheEndOfAHoldIsToldItAgain) {
  EXPECT_TRUE(take<Machine::SendOffer>().empty());
  ASSERT_EQ(machine().nextTimeout(), now + config.offerAgainAfter);
  machine().handleTimeout(now + config.offerAgainAfter - 1ns);
  EXPECT_TRUE(take<Machine::SendOffer>().empty());
  machine().handleTimeout(now += config.offerAgainAfter);
  expectResume();
  machine().handleAnswer(now, Side::Callee, audio({kPcmu, kDigits}));
  EXPECT_TRUE(take<Machine::SendAnswer>().empty());  // the page has had its own
  EXPECT_TRUE(take<Machine::SendOffer>().empty());
  EXPECT_FALSE(machine().nextTimeout());
  EXPECT_TRUE(machine().forwards(Side::Caller, 0));
  EXPECT_TRUE(machine().forwards(Side::Callee, 0));
}

TEST_F(RefusedResumeTest, AFarEndThatAlwaysRefusesIsLeftAloneUntilThePageOffersAgain) {
  for (int i = 0; i < Machine::kOffersAgainMax; ++i) {
    ASSERT_EQ(machine().nextTimeout(), now + config.offerAgainAfter * (1 << i));
    machine().handleTimeout(now = *machine().nextTimeout());
    expectResume();
    machine().handleOfferFailed(now, Side::Callee);
  }
  EXPECT_FALSE(machine().nextTimeout());
  resume();
  machine().handleOfferFailed(now, Side::Callee);
  EXPECT_EQ(machine().nextTimeout(), now + config.offerAgainAfter);
}

TEST_F(RefusedResumeTest, AFarEndIsNotToldAgainWhatItHasLearntOtherwiseOrIsNotTrueAnyMore) {
  machine().handleOffer(now, Side::Callee, audio({kPcmu, kDigits}));
  EXPECT_EQ(take<Machine::SendAnswer>().at(0).media[0].direction, SendRecv);
  EXPECT_FALSE(machine().nextTimeout());

  machine().handleOffer(now, Side::Caller, audio({kOpus, kPcmu, kDigits}, Inactive));
  machine().handleOfferFailed(now, Side::Callee);
  ASSERT_TRUE(machine().nextTimeout());
  resume();
  machine().handleAnswer(now, Side::Callee, audio({kPcmu, kDigits}));
  EXPECT_TRUE(take<Machine::SendOffer>().empty());
  EXPECT_FALSE(machine().nextTimeout());
}

TEST_F(MachineTest, APayloadTypeKeepsItsMeaningWhenSipOffersAnotherCodecUnderIt) {
  config = {.caller = LegKind::Sip, .callee = LegKind::Browser};
  Codec opus = kOpus;
  opus.payloadType = 96;
  machine().handleOffer(now, Side::Caller, withVideo(audio({opus})));
  const auto offer = take<Machine::SendOffer>()[0].media;
  EXPECT_EQ(offer[0].codecs[0].payloadType, 96);
  EXPECT_NE(offer[1].codecs[0].payloadType, 96);  // unique within the BUNDLE
}

TEST_F(MachineTest, DigitsBesideOpusHaveItsClockAtThePageWhateverThePhoneSpeaks) {
  Codec wide = kDigits;
  wide.payloadType = 110;
  wide.clockRate = 48000;
  Codec narrow = kDigits;
  narrow.payloadType = 101;
  machine().handleOffer(now, Side::Caller, audio({kOpus, kPcmu, wide, kDigits}));
  machine().handleAnswer(now, Side::Callee, audio({kOpus, narrow}));
  EXPECT_EQ(take<Machine::SendAnswer>()[0].media[0].codecs, (std::vector{kOpus, wide}));

  made.reset();
  outputs.clear();
  config = {.caller = LegKind::Sip, .callee = LegKind::Browser};
  machine().handleOffer(now, Side::Caller, audio({kOpus, narrow}));
  const auto offered = take<Machine::SendOffer>()[0].media[0].codecs;
  ASSERT_EQ(offered.size(), 3u);
  EXPECT_EQ(offered[1].clockRate, 48000u);
  machine().handleAnswer(now, Side::Callee, audio({kOpus, offered[1]}));
  EXPECT_EQ(take<Machine::SendAnswer>()[0].media[0].codecs, (std::vector{kOpus, narrow}));
}

TEST_F(MachineTest, ALaterOfferWithoutAnyCodecOfOursIsRefusedAndTheCallGoesOn) {
  for (const Side side : {Side::Caller, Side::Callee}) {
    made.reset();
    establish();
    machine().handleOffer(now, side, audio({kG722}));
    const auto refusals = take<Machine::RefuseOffer>();
    ASSERT_EQ(refusals.size(), 1u);
    EXPECT_EQ(refusals[0].to, side);
    EXPECT_EQ(refusals[0].sipStatus, 488);
    EXPECT_TRUE(take<Machine::SendAnswer>().empty());
    EXPECT_TRUE(take<Machine::SendOffer>().empty());
    EXPECT_TRUE(machine().forwards(Side::Caller, 0));
    EXPECT_TRUE(machine().forwards(Side::Callee, 0));
  }
}

TEST_F(MachineTest, ThePageIsAskedBeforeSipIsToldThatItsNewCodecIsNotSpoken) {
  config = {.caller = LegKind::Sip, .callee = LegKind::Browser};
  establish(audio({kPcma}), audio({kPcma}));
  machine().handleOffer(now, Side::Caller, audio({kPcmu}));
  EXPECT_TRUE(take<Machine::SendAnswer>().empty());
  ASSERT_EQ(take<Machine::SendOffer>().at(0).to, Side::Callee);
  machine().handleAnswer(now, Side::Callee, audio({kPcmu}));
  const auto answers = take<Machine::SendAnswer>();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].to, Side::Caller);
  EXPECT_EQ(answers[0].media[0].codecs, std::vector{kPcmu});
}

TEST_F(MachineTest, ThePageIsAskedForAStreamThatSipAddsAndOnlyOnce) {
  establish();
  machine().handleOffer(now, Side::Callee, withVideo(audio({kPcmu})));
  EXPECT_TRUE(take<Machine::SendAnswer>().empty());
  ASSERT_TRUE(take<Machine::SendOffer>().at(0).media[1].present());
  machine().handleAnswer(now, Side::Caller, audio({kPcmu}));  // it does not want it
  EXPECT_FALSE(take<Machine::SendAnswer>().at(0).media[1].present());
  machine().handleOffer(now, Side::Callee, withVideo(audio({kPcmu})));  // a session refresh
  EXPECT_EQ(take<Machine::SendAnswer>().size(), 1u);
  EXPECT_TRUE(take<Machine::SendOffer>().empty());
}

TEST_F(MachineTest, ALateAnswerOfThePageStillCounts) {
  establish();
  machine().handleOffer(now, Side::Callee, withVideo(audio({kPcmu})));
  take<Machine::SendOffer>();
  machine().handleTimeout(now + config.askedMax);
  EXPECT_FALSE(take<Machine::SendAnswer>().at(0).media[1].present());
  machine().handleAnswer(now, Side::Caller, withVideo(audio({kPcmu})));
  const auto offers = take<Machine::SendOffer>();
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].to, Side::Callee);
  EXPECT_TRUE(offers[0].media[1].present());
}

TEST_F(MachineTest, WhatThePageDoesNotAcceptIsRefusedTowardsSipAndThePageReturnsToWhatWas) {
  config = {.caller = LegKind::Sip, .callee = LegKind::Browser};
  establish(audio({kPcma}), audio({kPcma}));
  machine().handleOffer(now, Side::Caller, audio({kPcmu}));
  take<Machine::SendOffer>();
  machine().handleOfferFailed(now, Side::Callee);
  ASSERT_EQ(take<Machine::RefuseOffer>().at(0).sipStatus, 488);
  const auto offers = take<Machine::SendOffer>();
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].media[0].codecs, std::vector{kPcma});
  machine().handleAnswer(now, Side::Callee, audio({kPcma}));
  EXPECT_TRUE(machine().forwards(Side::Caller, 0));
  EXPECT_TRUE(take<Machine::SendOffer>().empty());
}

TEST_F(MachineTest, AnOfferThatSipWithdrawsIsUndone) {
  config = {.caller = LegKind::Sip, .callee = LegKind::Browser};
  establish(audio({kPcma}), audio({kPcma}));
  machine().handleOffer(now, Side::Caller, audio({kPcmu}));
  machine().handleOfferWithdrawn(now, Side::Caller);
  EXPECT_EQ(machine().described(Side::Caller)[0].codecs, std::vector{kPcma});
  machine().handleAnswer(now, Side::Callee, audio({kPcmu}));
  EXPECT_TRUE(take<Machine::SendAnswer>().empty());
}

TEST_F(MachineTest, ACodecThatSipNoLongerTakesIsTakenFromThePageToo) {
  establish(audio({kPcmu, kPcma}), audio({kPcmu, kPcma}));
  machine().handleOffer(now, Side::Callee, audio({kPcma}));
  const auto offers = take<Machine::SendOffer>();
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].to, Side::Caller);
  EXPECT_EQ(offers[0].media[0].codecs, std::vector{kPcma});
}

TEST_F(MachineTest, AWishForAnOfferIsMetWithAFreshOneOfThePage) {
  establish();
  machine().handleOfferRequest(now, Side::Callee);
  ASSERT_EQ(take<Machine::AskForOffer>().at(0).to, Side::Caller);
  EXPECT_TRUE(take<Machine::SendOffer>().empty());
  machine().handleOffer(now, Side::Caller, audio({kOpus, kPcmu, kPcma, kDigits}));
  const auto offers = take<Machine::SendOffer>();
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].to, Side::Callee);
  EXPECT_EQ(offers[0].media[0].codecs, (std::vector{kOpus, kPcmu, kPcma, kDigits}));
  EXPECT_TRUE(take<Machine::SendAnswer>().empty());
  machine().handleAnswer(now, Side::Callee, audio({kPcma}));
  EXPECT_EQ(take<Machine::SendAnswer>().at(0).media[0].codecs, std::vector{kPcma});
}

TEST_F(MachineTest, AWishForAnOfferIsMetWithTheOldOneWhereThePageStaysSilent) {
  establish();
  machine().handleOfferRequest(now, Side::Callee);
  ASSERT_TRUE(machine().nextTimeout());
  machine().handleTimeout(now + config.freshOfferMax);
  EXPECT_EQ(take<Machine::SendOffer>().at(0).media[0].codecs, (std::vector{kOpus, kPcmu, kDigits}));
}

TEST_F(MachineTest, NobodyAnswersUntilTheDeadline) {
  machine().handleOffer(now, Side::Caller, audio({kPcmu}));
  machine().handleTimeout(now + config.answerMax - 1ns);
  EXPECT_EQ(machine().state(), State::Offered);
  machine().handleTimeout(*machine().nextTimeout());
  EXPECT_EQ(take<Machine::Ended>()[0].reason.cause, Cause::NoAnswer);
}

TEST_F(MachineTest, ALaterOfferThatIsNeverAnsweredLeavesTheCallAsItWas) {
  establish();
  machine().handleOffer(now, Side::Callee, audio({kPcmu}, Inactive));
  machine().handleTimeout(*machine().nextTimeout());
  EXPECT_EQ(machine().state(), State::Active);
  EXPECT_FALSE(machine().offerPending(Side::Caller));
  EXPECT_FALSE(machine().nextTimeout());
}

TEST_F(MachineTest, ALegThatEndsEndsTheOtherOnce) {
  establish();
  machine().handleEnd(Side::Callee, {Cause::HungUp, 0, "BYE"});
  machine().handleEnd(Side::Caller, {Cause::HungUp, 0, "BYE"});
  const auto ends = take<Machine::EndLeg>();
  ASSERT_EQ(ends.size(), 1u);
  EXPECT_EQ(ends[0].side, Side::Caller);
  EXPECT_EQ(take<Machine::Ended>().size(), 1u);
}

}  // namespace
}  // namespace crosspoint::call::test
