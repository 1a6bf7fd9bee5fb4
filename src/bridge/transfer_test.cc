// Transfers: one far end takes the place of another, and the page goes on.
#include <gtest/gtest.h>

#include "bridge/transfer_fixture.h"
#include "core/sip/refer.h"

namespace crosspoint::bridge::test {
namespace {

struct TransferTest : TransferFixture {};

TEST_F(TransferTest, ABlindTransferMovesTheCallAndThePageDoesNotNotice) {
  establish(agent, first);
  expectMediaFlows(agent, first);
  const auto ssrc = agent.received.back().ssrc;
  const auto sequence = agent.received.back().sequenceNumber;
  first.refer("2002");
  run(500ms);
  ASSERT_TRUE(second.ringing());
  expectMediaFlows(agent, first);  // until it is answered
  EXPECT_EQ(lastSent(sip::Method::Invite).from.uri.user, "1001");
  ASSERT_TRUE(lastSent(sip::Method::Invite).referredBy);
  second.answer();
  run(500ms);
  ASSERT_TRUE(second.established());
  expectMediaFlows(agent, second);
  EXPECT_EQ(agent.received.back().ssrc, ssrc);
  EXPECT_EQ(agent.received.back().sequenceNumber, static_cast<std::uint16_t>(sequence + 2));
  EXPECT_EQ(agent.list(), "");
  ASSERT_FALSE(first.referProgress.empty());
  EXPECT_EQ(first.referProgress.back().status, 200);
  EXPECT_TRUE(first.referProgress.back().final);
  run(5s);
  ASSERT_EQ(first.ended.size(), 1u);  // our BYE, because its own did not come
  EXPECT_EQ(ports.openPairs(), 1u);
  EXPECT_EQ(bridge().counters().calls, 1u);
  agent.hangUp();
  run(500ms);
  EXPECT_EQ(second.ended.size(), 1u);
  expectNothingLeft();
}

TEST_F(TransferTest, DataThatTheFormerFarEndHasNotTakenIsToldToBeLost) {
  establish(agent, first);
  intercept = [](const std::string&, const sip::SendRequest& sent) { return sent.request.method == sip::Method::Info; };
  for (const char* data : {"INFO-PEER n=1", "INFO-PEER n=2"}) agent.post(data);
  first.refer("2002");
  run(500ms);
  second.answer();
  run(500ms);
  ASSERT_TRUE(second.established());
  EXPECT_EQ(agent.list(), "");
  first.hangUp();
  run(500ms);
  EXPECT_EQ(agent.list(), "ERROR");
  EXPECT_EQ(agent.take(roap::MessageType::Error).reason, "The other side did not take the data");
  expectMediaFlows(agent, second);
}

TEST_F(TransferTest, TheOneWhoTransfersMayHangUpAtOnce) {
  establish(first, agent);
  first.refer("2002");
  run(20ms);
  first.hangUp();
  run(500ms);
  ASSERT_TRUE(second.ringing());
  EXPECT_EQ(agent.list(), "");
  second.answer();
  run(500ms);
  expectMediaFlows(agent, second);
  second.hangUp();
  run(500ms);
  EXPECT_EQ(agent.list(), "BYE");
  expectNothingLeft();
}

TEST_F(TransferTest, AfterAHangUpATransferThatFailsEndsTheCallWithTheReason) {
  establish(agent, first);
  first.refer("2002");
  run(20ms);
  first.hangUp();
  run(500ms);
  second.reject(486);
  run(500ms);
  ASSERT_EQ(agent.list(), "ERROR BYE");
  const auto error = agent.take(roap::MessageType::Error);
  EXPECT_EQ(error.errorType, roap::ErrorType::Refused);
  EXPECT_EQ(error.sipStatus, 486);
  EXPECT_EQ(error.reason, "The transfer failed: The called party is busy");
  expectNothingLeft();
}

TEST_F(TransferTest, ATransferThatFailsLeavesTheCallAsItWas) {
  establish(agent, first);
  for (const bool busy : {true, false}) {
    first.refer(busy ? "2002" : "9999");
    run(500ms);
    if (busy) second.reject(486);
    run(500ms);
    ASSERT_FALSE(first.referProgress.empty());
    EXPECT_EQ(first.referProgress.back().status, busy ? 486 : 404);
    EXPECT_TRUE(first.referProgress.back().final);
    expectMediaFlows(agent, first);
  }
  EXPECT_EQ(agent.list(), "");
  EXPECT_EQ(ports.openPairs(), 1u);
}

TEST_F(TransferTest, ATargetWithoutACommonCodecIsHungUpOnAndTheCallGoesOn) {
  establish(agent, first);
  second.codecs = {kG722};
  second.onInvite = Phone::OnInvite::Answer;
  first.refer("2002");
  run(500ms);
  EXPECT_EQ(first.referProgress.back().status, 488);
  EXPECT_EQ(second.ended.size(), 1u);
  expectMediaFlows(agent, first);
}

TEST_F(TransferTest, ATargetThatNeverAnswersIsGivenUp) {
  establish(agent, first);
  first.refer("2002");
  run(config.noAnswerMax + 40s);
  ASSERT_FALSE(first.referProgress.empty());
  EXPECT_TRUE(first.referProgress.back().final);
  EXPECT_EQ(first.referProgress.back().status, 480);
  EXPECT_EQ(second.ended.size(), 1u);
  expectMediaFlows(agent, first);
}

TEST_F(TransferTest, ThePageLearnsOfAnotherCodecAndOfNothingElse) {
  first.codecs = {kPcmu, Phone::digits()};
  establish(agent, first);
  second.codecs = {kPcma, Phone::digits()};
  second.onInvite = Phone::OnInvite::Answer;
  first.refer("2002");
  run(500ms);
  ASSERT_EQ(agent.list(), "OFFER");
  agent.answerOffer();
  run(500ms);
  agent.speak({.payloadType = 8, .sequenceNumber = 900, .timestamp = 900 * 160});
  run(50ms);
  ASSERT_FALSE(second.received.empty());
  EXPECT_EQ(second.received.back().payloadType, 8);
}

TEST_F(TransferTest, ACallThatWasHeldForItsTransferIsResumedByTheNewFarEnd) {
  establish(agent, first);
  first.reInvite(Direction::SendOnly);
  run(500ms);
  agent.direction = Direction::RecvOnly;
  agent.answerOffer();
  agent.direction = Direction::SendRecv;
  run(500ms);
  agent.take(roap::MessageType::Ok);
  second.onInvite = Phone::OnInvite::Answer;
  first.refer("2002");
  run(500ms);
  ASSERT_TRUE(second.established());
  EXPECT_EQ(second.described().sections.at(0).direction, Direction::SendRecv);
  agent.answerOffer();
  run(500ms);
  expectMediaFlows(agent, second);
}

TEST_F(TransferTest, APageThatHoldsOffersItsHoldToTheNewFarEndToo) {
  establish(agent, first);
  agent.offer(Direction::Inactive);
  run(500ms);
  agent.takeAnswer();
  run(500ms);
  second.onInvite = Phone::OnInvite::Answer;
  first.refer("2002");
  run(500ms);
  ASSERT_TRUE(second.established());
  EXPECT_EQ(second.described().sections.at(0).direction, Direction::Inactive);
  agent.offer(Direction::SendRecv);
  run(500ms);
  agent.takeAnswer();
  run(500ms);
  expectMediaFlows(agent, second);
}

TEST_F(TransferTest, ThePageHangsUpInTheMiddle) {
  establish(agent, first);
  first.refer("2002");
  run(500ms);
  ASSERT_TRUE(second.ringing());
  agent.hangUp();
  run(500ms);
  EXPECT_EQ(first.ended.size(), 1u);
  EXPECT_EQ(second.ended.size(), 1u);
  expectNothingLeft();
}

TEST_F(TransferTest, ASecondReferWhileOneIsUnderWayIsRefused) {
  establish(agent, first);
  first.refer("2002");
  run(500ms);
  agent.post(R"(TRANSFER {"to":"2002"})");
  run(100ms);
  const auto told = agent.take("PROGRESS");
  EXPECT_NE(told.find("transfer-failed"), std::string::npos) << told;
  EXPECT_NE(told.find("491"), std::string::npos) << told;
  second.answer();
  run(500ms);
  expectMediaFlows(agent, second);
}

TEST_F(TransferTest, AnAttendedTransferTakesTheConsultedCallOver) {
  Phone& consulting = phone("2003");
  second.onInvite = Phone::OnInvite::Answer;
  establish(agent, first);
  consulting.call("2002");
  run(500ms);
  ASSERT_TRUE(consulting.established());
  first.refer("2002", consulting.dialog());
  run(500ms);
  ASSERT_TRUE(lastSent(sip::Method::Invite).replaces);
  EXPECT_EQ(first.referProgress.back().status, 200);
  EXPECT_EQ(consulting.ended.size(), 1u);
  expectMediaFlows(agent, second);
}

TEST_F(TransferTest, AnInviteWithReplacesMovesTheCallAtOnce) {
  establish(agent, first);
  expectMediaFlows(agent, first);
  const auto ssrc = agent.received.back().ssrc;
  second.callReplacing("1001", first.dialog());
  run(500ms);
  ASSERT_TRUE(second.established());
  EXPECT_EQ(first.ended.size(), 1u);
  EXPECT_EQ(agent.list(), "");
  expectMediaFlows(agent, second);
  EXPECT_EQ(agent.received.back().ssrc, ssrc);
  EXPECT_EQ(ports.openPairs(), 1u);
  second.hangUp();
  run(500ms);
  EXPECT_EQ(agent.list(), "BYE");
  expectNothingLeft();
}

TEST_F(TransferTest, AnInviteWithReplacesButWithoutOfferMovesTheCallToo) {
  establish(first, agent);
  second.callReplacing("1001", first.dialog(), false);
  run(500ms);
  ASSERT_TRUE(second.established());
  EXPECT_EQ(first.ended.size(), 1u);
  EXPECT_EQ(agent.list(), "");
  expectMediaFlows(agent, second);
}

TEST_F(TransferTest, AnInviteWithReplacesThatCannotBeAnsweredChangesNothing) {
  establish(agent, first);
  second.codecs = {kG722};
  second.callReplacing("1001", first.dialog());
  run(500ms);
  ASSERT_EQ(second.ended.size(), 1u);
  EXPECT_EQ(second.ended[0].status, 488);
  EXPECT_EQ(first.ended.size(), 0u);
  expectMediaFlows(agent, first);
  EXPECT_EQ(ports.openPairs(), 1u);
}

TEST_F(TransferTest, ReplacesOfACallOfNobodyIsRefused) {
  establish(agent, first);
  second.callReplacing("1001", {.callId = "x", .toTag = "y", .fromTag = "z"});
  run(500ms);
  ASSERT_EQ(second.ended.size(), 1u);
  EXPECT_EQ(second.ended[0].status, 481);
  expectMediaFlows(agent, first);
}

TEST_F(TransferTest, ACallThatRingsIsPickedUpByAnotherPhone) {
  agent.call("2001");
  run(500ms);
  ASSERT_TRUE(first.ringing());
  const auto& invite = lastSent(sip::Method::Invite);
  const auto ringing = std::ranges::find(responses, 180, &sip::Response::status);
  ASSERT_NE(ringing, responses.end());
  second.callReplacing("1001", {.callId = invite.callId, .toTag = invite.from.tag, .fromTag = ringing->to.tag});
  run(500ms);
  ASSERT_TRUE(second.established());
  ASSERT_EQ(first.ended.size(), 1u);
  agent.takeAnswer();
  expectConnected(agent);
  expectMediaFlows(agent, second);
}

TEST_F(TransferTest, ReplacesArrivesWhileAReferIsUnderWay) {
  Phone& third = phone("2003");
  establish(agent, first);
  first.refer("2002");
  run(500ms);
  ASSERT_TRUE(second.ringing());
  third.callReplacing("1001", first.dialog());
  run(500ms);
  ASSERT_TRUE(third.established());
  EXPECT_EQ(second.ended.size(), 1u);
  expectMediaFlows(agent, third);
  agent.hangUp();
  run(500ms);
  expectNothingLeft();
}

TEST_F(TransferTest, TheNewFarEndMayTransferAgain) {
  Phone& third = phone("2003");
  transferTwice(third, 5s);
  third.reInvite(Direction::SendOnly);
  run(500ms);
  EXPECT_EQ(agent.list(), "OFFER");
}

TEST_F(TransferTest, ThePageTransfersItsCallAndItsOwnPartEnds) {
  establish(agent, first);
  agent.post(R"(TRANSFER {"to":"2002"})");
  run(100ms);
  EXPECT_EQ(agent.take("PROGRESS"), R"(PROGRESS {"state":"transferring"})");
  ASSERT_EQ(first.refers.size(), 1u);
  EXPECT_EQ(first.refers[0].target.user, "2002");
  EXPECT_FALSE(first.refers[0].replaces);
  first.acceptRefer();
  first.notifyRefer(180);
  run(500ms);
  expectMediaFlows(agent, first);
  first.notifyRefer(200);
  run(500ms);
  EXPECT_EQ(agent.list(), "PROGRESS BYE");
  EXPECT_EQ(agent.take("PROGRESS"), R"(PROGRESS {"state":"transferred","sipStatus":200})");
  EXPECT_EQ(first.ended.size(), 1u);
  expectNothingLeft();
}

TEST_F(TransferTest, ATransferOfThePageThatFailsIsToldAndTheCallGoesOn) {
  establish(agent, first);
  agent.post(R"(TRANSFER {"to":"2002"})");
  run(100ms);
  first.acceptRefer();
  first.notifyRefer(486);
  run(500ms);
  agent.take("PROGRESS");
  EXPECT_EQ(agent.take("PROGRESS"),
            R"(PROGRESS {"state":"transfer-failed","sipStatus":486,"reason":"The called party is busy"})");
  expectMediaFlows(agent, first);
  agent.post(R"(TRANSFER {"to":"2002"})");  // it may try again
  run(100ms);
  EXPECT_EQ(first.refers.size(), 2u);
}

TEST_F(TransferTest, AFarEndThatIgnoresTheTransferLeavesTheCallAsItWas) {
  establish(agent, first);
  agent.post(R"(TRANSFER {"to":"2002"})");
  run(120s);
  agent.take("PROGRESS");
  EXPECT_NE(agent.take("PROGRESS").find("transfer-failed"), std::string::npos);
  expectMediaFlows(agent, first);
}

TEST_F(TransferTest, ThePageMayNameTheCallThatIsToBeReplaced) {
  Page& consulting = signedIn("1003");
  consulting.counts = true;
  consulting.stopPolling();
  consulting.polls = true;
  consulting.poll();
  const auto field = [](const std::string& progress, const std::string& name) {
    const auto at = progress.find('"' + name + R"(":")");
    if (at == std::string::npos) return std::string();
    const auto begin = at + name.size() + 4;
    return progress.substr(begin, progress.find('"', begin) - begin);
  };
  establish(agent, first);
  Phone& third = phone("2003");
  establish(consulting, third);
  const std::string former = consulting.take(R"(PROGRESS {"state":"answered")");
  EXPECT_EQ(field(former, "address"), "");
  second.callReplacing("1003", third.dialog());
  run(500ms);
  ASSERT_TRUE(second.established());
  const std::string present = consulting.take(R"(PROGRESS {"state":"answered")");
  const std::string dialog = field(present, "dialog"), address = field(present, "address");
  EXPECT_NE(dialog, field(former, "dialog"));
  EXPECT_TRUE(address.starts_with("sip:2002@")) << address;
  agent.post(R"(TRANSFER {"to":")" + address + R"(","replaces":")" + dialog + R"("})");
  run(100ms);
  ASSERT_EQ(first.refers.size(), 1u);
  ASSERT_TRUE(first.refers[0].replaces);
  EXPECT_EQ(sip::toString(*first.refers[0].replaces), dialog);
  EXPECT_EQ(first.refers[0].target.user, "2002");
  first.callReplacing("2002", *first.refers[0].replaces);  // what it is asked for
  run(500ms);
  EXPECT_TRUE(second.established());
}

TEST_F(TransferTest, WhatCannotBeTransferredIsSaidSo) {
  const auto failed = [&](const char* body, const char* status) {
    agent.post(body, "2001");
    run(100ms);
    const auto told = agent.take("PROGRESS");
    EXPECT_NE(told.find("transfer-failed"), std::string::npos) << told;
    EXPECT_NE(told.find(status), std::string::npos) << told;
  };
  failed(R"(TRANSFER {"to":"2002"})", "481");
  agent.call("2001");
  run(500ms);
  failed(R"(TRANSFER {"to":"2002"})", "481");
  first.answer();
  run(500ms);
  agent.takeAnswer();
  failed(R"(TRANSFER {"to":"2002","replaces":"nonsense"})", "400");
  failed(R"(TRANSFER {"to":"2002","replaces":"a;to-tag=b\r\nVia: x;from-tag=c"})", "400");
  failed(R"(TRANSFER {"to":"sip:\r\n"})", "400");
  EXPECT_EQ(first.refers.size(), 0u);
}

TEST_F(TransferTest, BothSidesTransferAtOnce) {
  establish(agent, first);
  agent.post(R"(TRANSFER {"to":"2002"})");
  first.refer("2002");
  run(500ms);
  EXPECT_EQ(second.ringing(), false);
  ASSERT_FALSE(first.referProgress.empty());
  EXPECT_EQ(first.referProgress.back().status, 491);
  first.acceptRefer();
  first.notifyRefer(200);
  run(500ms);
  EXPECT_EQ(agent.count("BYE"), 1u);
  expectNothingLeft();
}

TEST_F(TransferTest, WithoutAPortTheReferIsRefused) {
  establish(agent, first);
  ports.max = 1;
  first.refer("2002");
  run(500ms);
  ASSERT_FALSE(first.referProgress.empty());
  EXPECT_EQ(first.referProgress.back().status, 503);
  expectMediaFlows(agent, first);
}

TEST_F(TransferTest, AttachedDataTravelsOnToTheNewFarEnd) {
  agent.attached = {{"account", "4711"}};
  establish(agent, first);
  first.refer("2002");
  run(500ms);
  ASSERT_TRUE(second.ringing());
  ASSERT_EQ(second.headersReceived.size(), 1u);
  EXPECT_EQ(second.headersReceived[0].value, "account=4711");
}

}  // namespace
}  // namespace crosspoint::bridge::test
