// Changes of an established call: hold, renegotiation, renewed connections, glare.
#include <gtest/gtest.h>

#include "bridge/one_call_fixture.h"

namespace crosspoint::bridge::test {
namespace {

struct UpdatesTest : OneCallTest {
  void begin(bool pageCalls) {
    OneCallTest::begin(pageCalls);
    expectMediaFlows(page(), phone());
  }
  // To what the page has been offered.
  void pageAnswers() {
    page().answerOffer();
    run(500ms);
  }
};

TEST_F(UpdatesTest, ThePageHoldsAndResumes) {
  for (const bool pageCalls : {true, false}) {
    begin(pageCalls);
    pageOffers(Direction::Inactive);
    EXPECT_EQ(phone().offersReceived, 1u);
    EXPECT_EQ(toldToPhone(), Direction::Inactive);
    EXPECT_EQ(page().list(), "ANSWER");
    page().takeAnswer();
    EXPECT_EQ(toldToPage(), Direction::Inactive);
    expectNoMedia(page(), phone());

    run(std::chrono::minutes(10));
    pageOffers(Direction::SendRecv);
    EXPECT_EQ(toldToPhone(), Direction::SendRecv);
    page().takeAnswer();
    EXPECT_EQ(toldToPage(), Direction::SendRecv);
    expectMediaFlows(page(), phone());
    EXPECT_EQ(phone().offersReceived, 2u);
  }
}

TEST_F(UpdatesTest, ThePhoneHoldsIsAnsweredAtOnceAndThePageIsTold) {
  for (const bool pageCalls : {true, false}) {
    begin(pageCalls);
    phone().reInvite(Direction::SendOnly);
    run(20ms);  // there and back: the page has not been asked
    EXPECT_EQ(toldToPhone(), Direction::RecvOnly);
    run(500ms);
    EXPECT_EQ(page().list(), "OFFER");
    page().answerOffer();
    EXPECT_EQ(toldToPage(), Direction::SendOnly);
    run(500ms);
    EXPECT_EQ(page().list(), "OK");
    page().take(roap::MessageType::Ok);
    const auto atPhone = phone().received.size();
    page().speak({.sequenceNumber = 900});
    phone().speak({.sequenceNumber = 900, .ssrc = 0x77});  // music
    run(50ms);
    EXPECT_EQ(phone().received.size(), atPhone);

    phone().reInvite(Direction::SendRecv);
    run(500ms);
    EXPECT_EQ(toldToPhone(), Direction::SendRecv);
    pageAnswers();
    EXPECT_EQ(toldToPage(), Direction::SendRecv);
    expectMediaFlows(page(), phone());
    EXPECT_EQ(phone().offersReceived, 0u);
  }
}

TEST_F(UpdatesTest, AnOldPhonesHoldIsTheAddressOfNobody) {
  begin(true);
  phone().holdAddress = IpAddress();
  phone().reInvite();
  run(500ms);
  pageAnswers();
  const auto atPhone = phone().received.size();
  page().speak({.sequenceNumber = 900});
  run(50ms);
  EXPECT_EQ(phone().received.size(), atPhone);
  EXPECT_TRUE(page().received.size() <= 1u);  // never its own voice
  phone().holdAddress.reset();
  phone().reInvite();
  run(500ms);
  pageAnswers();
  expectMediaFlows(page(), phone());
}

TEST_F(UpdatesTest, BothHoldAndBothResume) {
  for (const bool pageFirst : {true, false}) {
    begin(pageFirst);
    pageChanges(Direction::Inactive);
    phone().reInvite(Direction::Inactive);
    run(500ms);
    EXPECT_EQ(page().list(), "");  // nothing changes for it
    expectNoMedia(page(), phone());
    if (pageFirst) pageChanges(Direction::SendRecv);
    phoneChanges(Direction::SendRecv);
    if (!pageFirst) pageChanges(Direction::SendRecv);
    run(500ms);
    expectMediaFlows(page(), phone());
  }
}

TEST_F(UpdatesTest, AnOfferOnANewPeerConnectionRenewsTheMedia) {
  for (const bool pageCalls : {true, false}) {
    begin(pageCalls);
    const auto ssrcBefore = page().received.back().ssrc;
    const auto sequenceBefore = page().received.back().sequenceNumber;
    page().renew(otherPageDtls);  // seq from 1, other credentials, other fingerprint, other port
    page().offer();
    run(500ms);
    EXPECT_EQ(page().takeAnswer().seq, 1u);
    expectConnected(page());
    expectMediaFlows(page(), phone());
    EXPECT_EQ(page().received.back().ssrc, ssrcBefore);
    EXPECT_EQ(page().received.back().sequenceNumber, static_cast<std::uint16_t>(sequenceBefore + 1));
    EXPECT_EQ(phone().offersReceived, 0u);  // SIP is not bothered
    phone().hangUp();
    run(500ms);
    EXPECT_EQ(page().list(), "BYE");
    expectNothingLeft();
  }
}

TEST_F(UpdatesTest, ANewPeerConnectionWithFewerSectionsIsAnsweredInItsOwnShape) {
  begin(true);
  page().video = true;
  pageChanges(Direction::SendRecv);
  ASSERT_EQ(page().remote->sections.size(), 2u);
  page().video = false;
  page().remote.reset();
  page().renew(otherPageDtls);
  page().offer();
  run(500ms);
  page().takeAnswer();
  EXPECT_EQ(page().remote->sections.size(), 1u);
  expectConnected(page());
  expectMediaFlows(page(), phone());
}

TEST_F(UpdatesTest, ThePageMayAnswerOnANewPeerConnection) {
  begin(true);
  phone().reInvite(Direction::SendOnly);
  run(500ms);
  page().renew(otherPageDtls);
  page().connect(false);
  page().answerOffer();
  expectConnected(page());
  page().take(roap::MessageType::Ok);
  phone().reInvite(Direction::SendRecv);
  run(500ms);
  pageAnswers();
  expectMediaFlows(page(), phone());
}

TEST_F(UpdatesTest, AnIceRestartKeepsTheCall) {
  begin(true);
  for (int i = 0; i < 3; ++i) {
    page().rtc->restartIce(now(), {random().alphanumeric(4), random().alphanumeric(24)});
    page().offer();
    run(500ms);
    const auto ufragBefore = page().remote->sections[0].ice->ufrag;
    page().takeAnswer();
    EXPECT_NE(page().remote->sections[0].ice->ufrag, ufragBefore);
    run(3s);
    expectConnected(page());
    expectMediaFlows(page(), phone());
  }
  EXPECT_EQ(phone().offersReceived, 0u);
}

TEST_F(UpdatesTest, VideoIsAddedAndDroppedByThePage) {
  Page& caller = signedIn("1001");
  Page& callee = signedIn("1002");
  establish(caller, callee);
  callee.messages.clear();
  EXPECT_EQ(ports.openPairs(), 2u);

  caller.video = callee.video = true;
  caller.offer();
  run(500ms);
  callee.answerOffer();
  run(500ms);
  caller.takeAnswer();
  ASSERT_EQ(caller.remote->sections.size(), 2u);
  EXPECT_FALSE(caller.remote->sections[1].refused());
  EXPECT_EQ(ports.openPairs(), 4u);
  caller.speak({.payloadType = 96, .sequenceNumber = 1, .ssrc = 0x500});
  callee.speak({.payloadType = 96, .sequenceNumber = 1, .ssrc = 0x600});
  run(50ms);
  EXPECT_EQ(caller.receivedVideo.size(), 1u);
  EXPECT_EQ(callee.receivedVideo.size(), 1u);

  callee.messages.clear();
  caller.video = callee.video = false;
  caller.offer();
  run(500ms);
  callee.answerOffer();
  run(500ms);
  caller.takeAnswer();
  EXPECT_TRUE(caller.remote->sections.at(1).refused());
  EXPECT_FALSE(caller.remote->sections.at(0).refused());
}

TEST_F(UpdatesTest, ThePhoneRefusesVideoAndTheAudioStays) {
  begin(true);
  page().video = true;
  pageChanges(Direction::SendRecv);
  ASSERT_EQ(page().remote->sections.size(), 2u);
  EXPECT_TRUE(page().remote->sections[1].refused());
  expectMediaFlows(page(), phone());
}

TEST_F(UpdatesTest, AChangedSourceIsASecondSectionAndStillHeard) {
  begin(true);
  // The browser keeps receiving in the first section and sends what is new in another one.
  page().changeSdp = [](SessionDescription& description) {
    MediaSection added = description.sections[0];
    added.mid = "1";
    added.direction = Direction::SendRecv;
    description.sections[0].direction = Direction::RecvOnly;
    description.sections.insert(description.sections.begin() + 1, added);
    description.sections.resize(2);
    description.bundles[0] = {"0", "1"};
  };
  page().offer();
  run(500ms);
  page().takeAnswer();
  ASSERT_EQ(page().remote->sections.size(), 2u);
  EXPECT_EQ(page().remote->sections[0].direction, Direction::SendOnly);
  EXPECT_EQ(page().remote->sections[1].direction, Direction::RecvOnly);
  EXPECT_EQ(phone().offersReceived, 0u);
  page().ssrc += 1;
  expectMediaFlows(page(), phone());
}

TEST_F(UpdatesTest, AReInviteWithoutSdpIsMetWithAFreshOfferOfThePage) {
  begin(false);
  page().codecs = {kOpus, kPcmu, kPcma, kDigits};
  phone().reInvite(false);
  run(500ms);
  EXPECT_EQ(page().list(), "INVITE");
  EXPECT_EQ(phone().offersReceived, 0u);
  page().messages.clear();
  pageOffers(Direction::SendRecv);
  EXPECT_EQ(phone().offersReceived, 1u);
  EXPECT_EQ(phone().described().sections.at(0).codecs.at(0).name, "opus");
  EXPECT_EQ(page().list(), "ANSWER");
  page().takeAnswer();
  expectMediaFlows(page(), phone());
}

TEST_F(UpdatesTest, AReInviteWithoutSdpIsAnsweredThoughThePageStaysSilent) {
  begin(true);
  phone().direction = Direction::Inactive;
  phone().reInvite(false);
  run(6s);
  EXPECT_EQ(phone().offersReceived, 1u);
  run(500ms);
  EXPECT_EQ(page().list(), "INVITE OFFER");  // the hold that the far end answered with
  pageAnswers();
  expectNoMedia(page(), phone());
}

TEST_F(UpdatesTest, APageThatHoldsWhileAnOfferIsOwedToSipIsNotForgotten) {
  begin(true);
  phone().reInvite(false);
  run(500ms);
  pageOffers(Direction::Inactive);
  EXPECT_EQ(toldToPhone(), Direction::Inactive);
  page().takeAnswer();
  EXPECT_EQ(toldToPage(), Direction::Inactive);
  expectNoMedia(page(), phone());
}

TEST_F(UpdatesTest, OffersThatCrossAreBothHonoured) {
  for (const bool pageCalls : {true, false}) {
    begin(pageCalls);
    // SIP's hold and the page's hold on the way at the same time.
    phone().reInvite(Direction::SendOnly);
    page().offer(Direction::Inactive);
    run(5s);
    while (page().count("SDP ") > 0) {
      const auto list = page().list();
      if (list.starts_with("ANSWER"))
        page().takeAnswer();
      else if (list.starts_with("OFFER"))
        page().answerOffer();
      else
        page().take(roap::MessageType::Ok);
      run(500ms);
    }
    run(5s);
    EXPECT_TRUE(phone().offersFailed.empty() || phone().offersReceived > 0);
    expectNoMedia(page(), phone());
    phone().reInvite(Direction::SendRecv);
    run(1s);
    page().messages.clear();
    pageChanges(Direction::SendRecv);
    run(5s);
    expectMediaFlows(page(), phone());
  }
}

TEST_F(UpdatesTest, APageThatHoldsHearsNothingMoreWhenThePhoneHoldsInItsAnswer) {
  begin(true);
  phone().direction = Direction::SendOnly;
  pageOffers(Direction::Inactive, 2s);
  EXPECT_EQ(page().list(), "ANSWER");
  page().takeAnswer();
  EXPECT_EQ(toldToPage(), Direction::Inactive);
  run(6s);
  EXPECT_EQ(page().list(), "");
}

TEST_F(UpdatesTest, AnOfferThatThePageDroppedIsHeldBackUntilItsOwnIsSettled) {
  begin(true);
  phone().reInvite(Direction::SendOnly);
  run(7ms);        // our OFFER is on its way to the page,
  page().offer();  // which drops it because of its own
  run(100ms);
  page().take(roap::MessageType::Offer);
  EXPECT_EQ(page().list(), "ANSWER");
  phone().reInvite(Direction::SendRecv);
  run(2s);
  EXPECT_EQ(page().list(), "ANSWER");
  page().takeAnswer();
  EXPECT_EQ(toldToPage(), Direction::SendOnly);
  run(100ms);
  EXPECT_EQ(page().list(), "OFFER");
  pageAnswers();
  EXPECT_EQ(toldToPage(), Direction::SendRecv);
  EXPECT_EQ(page().list(), "OK");
  expectMediaFlows(page(), phone());
}

TEST_F(UpdatesTest, AReInviteWithCodecsThatNobodySpeaksIsRefusedAndTheCallGoesOn) {
  begin(false);
  const auto codecs = phone().codecs;
  phone().codecs = {kG722};
  phone().reInvite();
  run(500ms);
  EXPECT_EQ(phone().offersFailed, std::vector<int>{488});
  EXPECT_EQ(page().list(), "");
  phone().codecs = codecs;
  expectMediaFlows(page(), phone());
}

TEST_F(UpdatesTest, AReInviteWithAnotherCodecIsSettledWithThePageFirst) {
  Page& callee = signedIn("1001");
  Phone& caller = phone("2001");
  caller.codecs = {kPcma};
  caller.call("1001");
  run(500ms);
  callee.codecs = {kPcma};  // a browser answers with what was offered
  callee.answerOffer();
  run(500ms);
  expectConnected(callee);
  callee.messages.clear();
  caller.codecs = {kPcmu};
  caller.reInvite();
  run(500ms);
  EXPECT_EQ(callee.list(), "OFFER");
  callee.codecs = {kPcmu};
  callee.answerOffer();
  run(500ms);
  EXPECT_TRUE(caller.offersFailed.empty());
  EXPECT_EQ(caller.described().sections.at(0).codecs, std::vector{kPcmu});
  expectMediaFlows(callee, caller);
}

TEST_F(UpdatesTest, ALaterOfferThatCannotBeReadIsRefusedAndTheCallGoesOn) {
  begin(true);
  page().post(page().offerBody("v=0\r\nnonsense"));
  run(500ms);
  EXPECT_EQ(page().list(), "ERROR");
  EXPECT_EQ(page().take(roap::MessageType::Error).sipStatus, 400);
  expectMediaFlows(page(), phone());
  phone().describeOtherwise = [] { return "nonsense"; };
  phone().reInvite();
  run(500ms);
  EXPECT_EQ(phone().offersFailed, std::vector<int>{400});
  expectMediaFlows(page(), phone());
}

TEST_F(UpdatesTest, APageThatNeverAnswersAnOfferKeepsItsCall) {
  begin(true);
  phone().reInvite(Direction::SendOnly);
  run(45s);
  EXPECT_EQ(page().list(), "OFFER");
  page().messages.clear();
  phone().reInvite(Direction::SendRecv);
  run(500ms);
  page().answerIfOffered();
  run(500ms);
  expectMediaFlows(page(), phone());
}

TEST_F(UpdatesTest, APhoneThatRefusesAHoldLeavesThePageWithItsOwn) {
  begin(true);
  int refused = 0;
  intercept = [&](const std::string&, const sip::SendRequest& sent) {
    if (sent.request.method != sip::Method::Invite) return false;
    ++refused;
    respond(sent, 488, "Not Acceptable Here");
    return true;
  };
  pageOffers(Direction::Inactive);
  EXPECT_EQ(refused, 1);
  page().takeAnswer();
  EXPECT_EQ(toldToPage(), Direction::Inactive);
  expectNoMedia(page(), phone());
  intercept = nullptr;
  pageChanges(Direction::SendRecv);
  expectMediaFlows(page(), phone());
}

TEST_F(UpdatesTest, AGlareInSipIsRetried) {
  begin(true);
  int refused = 0;
  intercept = [&](const std::string&, const sip::SendRequest& sent) {
    if (sent.request.method != sip::Method::Invite || refused > 0) return false;
    ++refused;
    respond(sent, 491, "Request Pending");
    return true;
  };
  pageOffers(Direction::Inactive, 6s);
  EXPECT_EQ(refused, 1);
  EXPECT_EQ(phone().offersReceived, 1u);
  EXPECT_EQ(page().list(), "ANSWER");
  EXPECT_EQ(toldToPhone(), Direction::Inactive);
}

TEST_F(UpdatesTest, ManyHoldsInARow) {
  begin(true);
  for (int i = 0; i < 20; ++i) {
    pageChanges(i % 2 == 0 ? Direction::Inactive : Direction::SendRecv);
    phoneChanges(i % 3 == 0 ? Direction::SendOnly : Direction::SendRecv);
  }
  phoneChanges(Direction::SendRecv);
  pageChanges(Direction::SendRecv);
  run(500ms);
  expectMediaFlows(page(), phone());
}

}  // namespace
}  // namespace crosspoint::bridge::test
