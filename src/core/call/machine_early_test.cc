// Before the answer: early media, forks, provisional answers.
#include "core/call/machine_fixture.h"

namespace crosspoint::call::test {
namespace {

using enum Direction;

TEST_F(MachineTest, EarlyMediaIsAnAnswerOnlyWhereConfigured) {
  machine().handleOffer(now, Side::Caller, audio({kPcmu}));
  machine().handleProgress(now, audio({kPcmu}));
  EXPECT_EQ(take<Machine::SendRinging>().size(), 1u);
  EXPECT_TRUE(take<Machine::SendAnswer>().empty());

  made.reset();
  config.earlyAnswer = true;
  machine().handleOffer(now, Side::Caller, audio({kPcmu}));
  machine().handleProgress(now, audio({kPcmu}));
  EXPECT_EQ(take<Machine::SendAnswer>().size(), 1u);
  EXPECT_TRUE(machine().forwards(Side::Callee, 0));
  machine().handleAnswer(now, Side::Callee, audio({kPcmu}));
  EXPECT_TRUE(take<Machine::SendAnswer>().empty());  // exactly one ANSWER for an OFFER
  EXPECT_EQ(machine().state(), State::Active);
}

TEST_F(MachineTest, TheLastEarlyAnswerStandsWhereTheAnswerHasNone) {
  machine().handleOffer(now, Side::Caller, audio({kOpus, kPcmu}));
  machine().handleProgress(now, audio({kPcmu}));
  EXPECT_FALSE(machine().forwards(Side::Callee, 0));  // the page has no answer to play it with
  machine().handleAnswer(now, Side::Callee, machine().described(Side::Callee));
  EXPECT_EQ(machine().state(), State::Active);
  EXPECT_EQ(take<Machine::SendAnswer>().at(0).media[0].codecs, std::vector{kPcmu});
}

TEST_F(MachineTest, AnotherForkThatAnswersAskThePageOnlyWhereItMustAct) {
  struct Case {
    std::vector<Codec> early, final;
    bool renegotiated;
  };
  const std::vector<Case> cases = {{{kPcmu}, {kPcmu}, false},
                                   {{kPcmu}, {kPcma, kPcmu}, false},  // it may go on sending PCMU
                                   {{kPcmu, kPcma}, {kPcmu}, true},   // it may be sending PCMA
                                   {{kPcmu}, {kPcma}, true},
                                   {{kPcmu}, {kOpus}, true}};
  config.earlyAnswer = true;
  for (const auto& [early, final, renegotiated] : cases) {
    made.reset();
    outputs.clear();
    machine().handleOffer(now, Side::Caller, audio({kOpus, kPcmu, kPcma}));
    machine().handleProgress(now, audio(early));
    EXPECT_EQ(take<Machine::SendAnswer>().size(), 1u);
    take<Machine::SendOffer>();
    machine().handleAnswer(now, Side::Callee, audio(final));
    EXPECT_TRUE(take<Machine::SendAnswer>().empty());
    const auto offers = take<Machine::SendOffer>();
    ASSERT_EQ(offers.size(), renegotiated ? 1u : 0u) << &early - &cases[0].early;
    if (renegotiated) {
      EXPECT_EQ(offers[0].media[0].codecs.front(), final.front());
    }
  }
}

// ---- provisional answers ----

struct ProvisionalTest : MachineTest {
  ProvisionalTest() { config.provisionalAnswer = true; }
  std::vector<Codec> onlyAnswer(bool provisional) {
    const auto answers = take<Machine::SendAnswer>();
    EXPECT_EQ(answers.size(), 1u);
    if (answers.size() != 1) return {};
    EXPECT_EQ(answers[0].to, Side::Caller);
    EXPECT_EQ(answers[0].provisional, provisional);
    return answers[0].media[0].codecs;
  }
};

TEST_F(ProvisionalTest, APageIsAnsweredAtOnceWithEveryCodecThatWePassOn) {
  machine().handleOffer(now, Side::Caller, withVideo(audio({kG722, kOpus, kPcmu, kPcma, kDigits}, SendOnly)));
  EXPECT_EQ(take<Machine::SendOffer>().size(), 1u);
  const auto answers = take<Machine::SendAnswer>();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_TRUE(answers[0].provisional);
  EXPECT_EQ(answers[0].media[0].codecs, (std::vector{kOpus, kPcmu, kPcma, kDigits}));
  EXPECT_EQ(answers[0].media[0].direction, RecvOnly);
  EXPECT_TRUE(answers[0].media[1].present());
  EXPECT_FALSE(machine().forwards(Side::Caller, 0));
  machine().handleAnswer(now, Side::Callee, audio({kPcma, kDigits}));
  const auto final = take<Machine::SendAnswer>();
  ASSERT_EQ(final.size(), 1u);
  EXPECT_FALSE(final[0].provisional);
  EXPECT_EQ(final[0].media[0].codecs, (std::vector{kPcma, kDigits}));
  EXPECT_FALSE(final[0].media[1].present());  // the callee has no video: refused now, not before
  EXPECT_TRUE(machine().forwards(Side::Caller, 0));
}

TEST_F(ProvisionalTest, NobodyElseIsAnsweredProvisionally) {
  config.caller = LegKind::Sip;
  config.callee = LegKind::Browser;
  machine().handleOffer(now, Side::Caller, audio({kPcmu}));
  machine().handleProgress(now, std::nullopt);
  EXPECT_TRUE(take<Machine::SendAnswer>().empty());
  machine().handleAnswer(now, Side::Callee, audio({kPcmu}));
  EXPECT_EQ(onlyAnswer(false), std::vector{kPcmu});
}

TEST_F(ProvisionalTest, EarlyMediaSettlesTheCodecsForTheTimeBeingAndFlows) {
  machine().handleOffer(now, Side::Caller, withVideo(audio({kOpus, kPcmu, kPcma, kDigits})));
  onlyAnswer(true);
  machine().handleProgress(now, std::nullopt);
  EXPECT_TRUE(take<Machine::SendAnswer>().empty());
  machine().handleProgress(now, audio({kPcmu}));
  EXPECT_TRUE(machine().forwards(Side::Callee, 0));
  EXPECT_TRUE(machine().forwards(Side::Caller, 0));
  auto answers = take<Machine::SendAnswer>();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].media[0].codecs, std::vector{kPcmu});
  EXPECT_TRUE(answers[0].media[1].present());  // a refused section would be gone for good
  machine().handleProgress(now, audio({kPcmu}));
  EXPECT_TRUE(take<Machine::SendAnswer>().empty());  // nothing new
  machine().handleProgress(now, audio({kPcma}));     // another fork
  EXPECT_EQ(onlyAnswer(true), std::vector{kPcma});
  machine().handleAnswer(now, Side::Callee, audio({kPcmu, kPcma}));
  EXPECT_EQ(onlyAnswer(false), (std::vector{kPcmu, kPcma}));
  EXPECT_TRUE(take<Machine::SendOffer>().size() == 1);  // the first one, to the callee: the page is not asked
}

TEST_F(ProvisionalTest, EarlyMediaWithoutACommonCodecSaysNothing) {
  machine().handleOffer(now, Side::Caller, audio({kOpus, kPcmu}));
  onlyAnswer(true);
  machine().handleProgress(now, audio({kPcma}));
  EXPECT_TRUE(take<Machine::SendAnswer>().empty());
  machine().handleAnswer(now, Side::Callee, audio({kPcma}));
  EXPECT_EQ(take<Machine::Ended>().at(0).reason.cause, Cause::NoCommonCodec);
}

TEST_F(ProvisionalTest, AFarEndThatChangesItsMindForEverIsBounded) {
  machine().handleOffer(now, Side::Caller, audio({kOpus, kPcmu, kPcma}));
  for (int i = 0; i < 100; ++i) machine().handleProgress(now, audio({i % 2 == 0 ? kPcmu : kPcma}));
  EXPECT_EQ(take<Machine::SendAnswer>().size(), static_cast<std::size_t>(Machine::kProvisionalAnswersMax));
  machine().handleAnswer(now, Side::Callee, audio({kPcma}));
  EXPECT_EQ(onlyAnswer(false), std::vector{kPcma});
}

TEST_F(ProvisionalTest, AnOfferThatReplacesAnUnansweredOneIsAnsweredLikeIt) {
  machine().handleOffer(now, Side::Caller, audio({kOpus, kPcmu}));
  machine().handleProgress(now, audio({kPcmu}));
  take<Machine::SendAnswer>();
  machine().handleOffer(now, Side::Caller, audio({kOpus, kPcmu}));  // its ICE restart
  EXPECT_EQ(onlyAnswer(true), std::vector{kPcmu});
  machine().handleAnswer(now, Side::Callee, audio({kPcmu}));
  EXPECT_EQ(onlyAnswer(false), std::vector{kPcmu});
}

TEST_F(ProvisionalTest, AnUpdateInAnEarlyDialogIsAnsweredFromWhatThePageHasSaid) {
  for (const bool provisional : {true, false}) {
    config.provisionalAnswer = provisional;
    made.reset();
    machine().handleOffer(now, Side::Caller, audio({kOpus, kPcmu, kPcma}));
    machine().handleProgress(now, audio({kPcmu}));
    take<Machine::SendAnswer>();
    machine().handleOffer(now, Side::Callee, audio({kPcma}));
    auto answers = take<Machine::SendAnswer>();
    ASSERT_EQ(answers.size(), provisional ? 2u : 1u);
    EXPECT_EQ(answers[0].to, Side::Callee);
    EXPECT_EQ(answers[0].media[0].codecs, std::vector{kPcma});
    if (provisional) {
      EXPECT_EQ(answers[1].media[0].codecs, std::vector{kPcma});
    }
    machine().handleOffer(now, Side::Callee, audio({kG722}));
    EXPECT_EQ(take<Machine::RefuseOffer>().at(0).sipStatus, 488);
    machine().handleAnswer(now, Side::Callee, machine().described(Side::Callee));
    EXPECT_EQ(onlyAnswer(false), std::vector{kPcma});
  }
}

TEST_F(MachineTest, AnEarlyOfferBeforeAnyAnswerIsRefusedAsPending) {
  machine().handleOffer(now, Side::Caller, audio({kPcmu}));
  machine().handleOffer(now, Side::Callee, audio({kPcma}));
  EXPECT_EQ(take<Machine::RefuseOffer>().at(0).sipStatus, 491);
}

TEST_F(MachineTest, AnOfferThatReplacesAnUnansweredOneGetsTheOneAnswer) {
  machine().handleOffer(now, Side::Caller, audio({kOpus, kPcmu}));
  machine().handleOffer(now, Side::Caller, audio({kOpus, kPcmu, kDigits}));
  EXPECT_EQ(take<Machine::SendOffer>().size(), 1u);
  EXPECT_TRUE(take<Machine::RefuseOffer>().empty());
  machine().handleAnswer(now, Side::Callee, audio({kPcmu}));
  EXPECT_EQ(take<Machine::SendAnswer>().size(), 1u);
  EXPECT_EQ(machine().state(), State::Active);
}

TEST_F(MachineTest, AnOfferThatComesAfterTheEarlyAnswerIsAnsweredFromIt) {
  config.earlyAnswer = true;
  machine().handleOffer(now, Side::Caller, audio({kPcmu}));
  machine().handleProgress(now, audio({kPcmu}));
  take<Machine::SendAnswer>();
  machine().handleOffer(now, Side::Caller, audio({kPcmu}));  // its ICE restart
  EXPECT_EQ(take<Machine::SendAnswer>().size(), 1u);
}

}  // namespace
}  // namespace crosspoint::call::test
