// Calls that pages make.
#include <gtest/gtest.h>

#include "bridge/bridge_fixture.h"

namespace crosspoint::bridge::test {
namespace {

std::vector<std::string> names(const MediaSection& section) {
  std::vector<std::string> result;
  for (const auto& codec : section.codecs) result.push_back(codec.name + "/" + std::to_string(codec.payloadType));
  return result;
}
using Names = std::vector<std::string>;

struct PageCallsTest : testing::Test, BridgeWorld {
  void expectError(Page& page, int status) {
    EXPECT_EQ(page.list(), "ERROR BYE");
    const auto error = page.take(roap::MessageType::Error);
    EXPECT_EQ(error.sipStatus, status);
    EXPECT_FALSE(error.reason.empty());
    expectNothingLeft();
  }
};

TEST_F(PageCallsTest, TheInviteOffersThePagesCodecsThatArePassedThroughOnPortsOfOurs) {
  const auto [caller, callee] = pageCallsPhone(100ms);
  const auto& invite = lastSent(sip::Method::Invite);
  EXPECT_EQ(invite.from.uri.user, "1001");
  EXPECT_EQ(invite.to.uri.user, "2001");
  const auto& offer = callee.described();
  ASSERT_EQ(offer.sections.size(), 1u);
  EXPECT_EQ(offer.sections[0].protocol, "RTP/AVP");
  EXPECT_EQ(names(offer.sections[0]), (Names{"opus/111", "PCMU/0", "PCMA/8", "telephone-event/126"}));
  EXPECT_EQ(offer.sections[0].direction, Direction::SendRecv);
  EXPECT_EQ(offer.sections[0].port, 10000);
  EXPECT_EQ(offer.connection, PortsFixture::address(0).ip);
  EXPECT_TRUE(offer.sections[0].candidates.empty());
  EXPECT_TRUE(offer.sections[0].fingerprints.empty());
  EXPECT_EQ(ports.openPairs(), 1u);
}

TEST_F(PageCallsTest, RingingIsToldToWhoAskedForItOnly) {
  for (const bool counts : {false, true}) {
    Page& caller = page(counts ? "1001" : "1002");
    caller.counts = counts;
    signIn(caller);
    Phone& callee = phone(counts ? "2001" : "2002");
    caller.call(callee.user);
    run(500ms);
    EXPECT_EQ(caller.list(), counts ? "PROGRESS" : "");
    callee.answer();
    run(500ms);
    EXPECT_EQ(caller.list(), counts ? "PROGRESS ANSWER PROGRESS" : "ANSWER");
  }
}

TEST_F(PageCallsTest, TheAnswerHasTheCommonCodecsTheOffersShapeAndComesOnce) {
  Page& caller = signedIn("1001");
  Phone& callee = phone("2001");
  callee.onInvite = Phone::OnInvite::Answer;
  caller.call("2001");
  run(500ms);
  EXPECT_EQ(caller.list(), "ANSWER");
  const auto answer = caller.takeAnswer();
  EXPECT_EQ(caller.lastPeer, "2001");
  EXPECT_TRUE(answer.offererSessionId.matches(roap::SessionId::number(caller.offererId)));
  EXPECT_EQ(answer.seq, 1u);
  EXPECT_TRUE(answer.candidates.empty());
  EXPECT_EQ(answer.sdp.find("OFFER"), std::string::npos);
  const auto& section = caller.remote->sections.at(0);
  EXPECT_EQ(names(section), (Names{"PCMU/0", "PCMA/8", "telephone-event/126"}));
  EXPECT_EQ(section.direction, Direction::SendRecv);
  EXPECT_EQ(section.protocol, "RTP/SAVPF");
  EXPECT_EQ(section.setup, DtlsSetup::Passive);
  EXPECT_EQ(section.mid, "0");
  EXPECT_EQ(caller.remote->bundles, (std::vector<std::vector<std::string>>{{"0"}}));
  ASSERT_EQ(section.candidates.size(), 1u);
  EXPECT_EQ(section.candidates[0].address, kIceAddress);
  EXPECT_NE(section.streamId, "-");
  expectConnected(caller);
  expectMediaFlows(caller, callee);
  run(10s);
  EXPECT_EQ(caller.list(), "");
  EXPECT_EQ(bridge().counters().callsAnswered, 1u);
}

TEST_F(PageCallsTest, AnAnswerAfterMinutesOfRingingStillConnects) {
  const auto [caller, callee] = pageCallsPhone(150s);
  ASSERT_TRUE(callee.ringing());
  callee.answer();
  run(500ms);
  caller.takeAnswer();
  expectConnected(caller);
  expectMediaFlows(caller, callee);
  run(200s);
  EXPECT_TRUE(callee.established());
}

TEST_F(PageCallsTest, ThePhoneHangsUpAndThePageHearsByeOnce) {
  const auto [caller, callee] = pageTalksToPhone();
  callee.hangUp();
  run(1s);
  EXPECT_EQ(caller.list(), "BYE");
  EXPECT_EQ(caller.messages.back().peer, "2001");
  expectNothingLeft();
}

TEST_F(PageCallsTest, ThePageHangsUpAndThePhoneHearsIt) {
  const auto [caller, callee] = pageTalksToPhone();
  caller.hangUp();
  run(1s);
  ASSERT_EQ(callee.ended.size(), 1u);
  EXPECT_TRUE(callee.ended[0].byRemote);
  EXPECT_EQ(caller.list(), "");
  expectNothingLeft();
}

TEST_F(PageCallsTest, AByeWhileItRingsCancels) {
  const auto [caller, callee] = pageCallsPhone(1s);
  caller.hangUp();
  run(1s);
  ASSERT_EQ(callee.ended.size(), 1u);
  EXPECT_EQ(callee.ended[0].status, 487);
  EXPECT_EQ(caller.list(), "");
  expectNothingLeft();
}

TEST_F(PageCallsTest, WhatSipRefusesEndsWithTheStatusAndTheReason) {
  for (const int status : {404, 480, 486, 487, 488, 503, 603}) {
    SCOPED_TRACE(status);
    Page& caller = signedIn("1" + std::to_string(status));
    Phone& callee = phone("2" + std::to_string(status));
    caller.call(callee.user);
    run(500ms);
    callee.reject(status);
    run(500ms);
    expectError(caller, status);
  }
}

TEST_F(PageCallsTest, ADnThatNobodyHasIs404) {
  Page& caller = signedIn("1001");
  caller.call("9999");
  run(500ms);
  expectError(caller, 404);
}

TEST_F(PageCallsTest, ASipServerThatIsSilentIs408) {
  Page& caller = signedIn("1001");
  intercept = [](const std::string&, const sip::SendRequest& sent) {
    return sent.request.method == sip::Method::Invite;
  };
  caller.call("2001");
  run(40s);
  const auto error = caller.messages.empty() ? std::string() : caller.messages[0].body;
  EXPECT_NE(error.find("The SIP server did not answer"), std::string::npos) << error;
  expectError(caller, 408);
}

TEST_F(PageCallsTest, NobodyAnswers) {
  config.noAnswerMax = 20s;
  const auto [caller, callee] = pageCallsPhone(21s);
  EXPECT_EQ(callee.ended.size(), 1u);
  const auto error = caller.messages.empty() ? std::string() : caller.messages[0].body;
  EXPECT_NE(error.find("TIMEOUT"), std::string::npos) << error;
  expectError(caller, 408);
}

TEST_F(PageCallsTest, AnOfferWhoseCodecsNobodySpeaksEndsBeforeSipHearsOfIt) {
  Page& caller = signedIn("1001");
  Phone& callee = phone("2001");
  caller.codecs = {kG722, kDigits};
  caller.call("2001");
  run(500ms);
  EXPECT_EQ(sentCount(sip::Method::Invite), 0u);
  EXPECT_TRUE(callee.descriptions().empty());
  expectError(caller, 488);
}

TEST_F(PageCallsTest, APhoneThatAnswersWithoutACommonCodecIsHungUpAndThePageToldWhy) {
  Page& caller = signedIn("1001");
  Phone& callee = phone("2001");
  callee.codecs = {kG722};
  callee.onInvite = Phone::OnInvite::Answer;
  caller.call("2001");
  run(500ms);
  EXPECT_EQ(callee.ended.size(), 1u);
  expectError(caller, 488);
}

TEST_F(PageCallsTest, ARepeatedOfferNeverPlacesASecondCall) {
  Page& caller = signedIn("1001");
  Phone& callee = phone("2001");
  callee.onInvite = Phone::OnInvite::Answer;
  const std::string body = caller.call("2001");
  run(100ms);
  caller.post(body);
  run(500ms);
  EXPECT_EQ(caller.list(), "ANSWER");
  caller.takeAnswer();
  expectConnected(caller);
  caller.post(body);
  expectMediaFlows(caller, callee);
  caller.post("BYE");
  run(1s);
  caller.post(body);
  run(10s);
  EXPECT_EQ(sentCount(sip::Method::Invite), 1u);
  EXPECT_EQ(bridge().counters().callsStarted, 1u);
  EXPECT_EQ(caller.list(), "");
}

TEST_F(PageCallsTest, AnOfferThatReplacesOneWhileItRingsIsTheOneAnswered) {
  const auto [caller, callee] = pageCallsPhone(1s);
  caller.renew(otherPageDtls);
  caller.offer();
  run(1s);
  EXPECT_EQ(caller.list(), "");
  callee.answer();
  run(500ms);
  EXPECT_EQ(caller.list(), "ANSWER");
  EXPECT_EQ(caller.takeAnswer().seq, 1u);
  expectConnected(caller);
  expectMediaFlows(caller, callee);
  EXPECT_EQ(sentCount(sip::Method::Invite), 1u);
}

TEST_F(PageCallsTest, AByeThatOvertakesItsOfferLeavesNoPhoneRinging) {
  Page& caller = signedIn("1001");
  Phone& callee = phone("2001");
  caller.post("BYE", "2001");
  caller.call("2001");
  run(1s);
  EXPECT_FALSE(callee.ringing());
  EXPECT_EQ(caller.list(), "BYE") << "or a page that did not mean this call would wait for ever";
  caller.call("2001");  // it means the next one
  run(1s);
  EXPECT_TRUE(callee.ringing());
}

TEST_F(PageCallsTest, AByeForAnOfferThatNeverCameDoesNotHurtARedial) {
  Page& caller = signedIn("1001");
  Phone& callee = phone("2001");
  caller.post("BYE", "2001");
  run(250ms);
  caller.call("2001");
  run(1s);
  EXPECT_TRUE(callee.ringing());
  EXPECT_EQ(caller.count("BYE"), 0u);
}

TEST_F(PageCallsTest, ALateByeForTheCallBeforeDoesNotHurtTheNext) {
  Page& caller = signedIn("1001");
  Phone& first = phone("2001");
  Phone& second = phone("2002");
  establish(caller, first);
  first.hangUp();
  run(500ms);
  caller.post("BYE", "2001");  // it has crossed ours
  run(100ms);
  caller.call("2001");
  run(500ms);
  EXPECT_TRUE(first.ringing() || first.established());
  caller.hangUp();
  run(500ms);
  caller.call("2002");
  caller.post("BYE", "2001");
  run(500ms);
  EXPECT_TRUE(second.ringing());
}

TEST_F(PageCallsTest, AnOfferThatCrossesOurByePlacesNoCall) {
  for (const bool renewed : {false, true}) {
    Page& caller = signedIn(renewed ? "1002" : "1001");
    Phone& callee = phone(renewed ? "2002" : "2001");
    establish(caller, callee);
    caller.stopPolling();  // its connection breaks for a moment
    callee.hangUp();
    run(100ms);
    if (renewed) caller.renew(otherPageDtls);
    const auto invites = sentCount(sip::Method::Invite);
    caller.offer();
    run(500ms);
    EXPECT_EQ(sentCount(sip::Method::Invite), invites);
    caller.goOnPolling();
    run(500ms);
    EXPECT_EQ(caller.list(), "BYE");
    caller.messages.clear();
    caller.call(callee.user);  // now it knows, and calls again
    run(500ms);
    EXPECT_EQ(sentCount(sip::Method::Invite), invites + 1);
    caller.takeAnswer();
    expectConnected(caller);
    callee.hangUp();
    run(500ms);
  }
}

TEST_F(PageCallsTest, AByeThatThePageHasNotReadDoesNotEndItsNextCall) {
  Page& caller = signedIn("1001");
  Phone& first = phone("2001");
  Phone& second = phone("2002");
  establish(caller, first);
  caller.stopPolling();
  first.hangUp();
  run(100ms);
  caller.post("BYE");  // it has hung up as well
  caller.call("2002");
  caller.goOnPolling();
  run(500ms);
  EXPECT_EQ(caller.list(), "");
  second.answer();
  run(500ms);
  EXPECT_EQ(caller.list(), "ANSWER");
}

TEST_F(PageCallsTest, AnOfferToSomebodyElseEndsTheCallThatThePageHasLeft) {
  Page& caller = signedIn("1001");
  Phone& first = phone("2001");
  Phone& second = phone("2002");
  establish(caller, first);
  caller.messages.clear();
  caller.call("2002");  // its BYE for the first call comes later
  run(500ms);
  EXPECT_EQ(first.ended.size(), 1u);
  ASSERT_TRUE(second.ringing());
  caller.post("BYE", "2001");
  second.answer();
  run(500ms);
  EXPECT_EQ(caller.list(), "ANSWER");
  caller.takeAnswer();
  expectConnected(caller);
  expectMediaFlows(caller, second);
  EXPECT_EQ(bridge().counters().calls, 1u);
}

TEST_F(PageCallsTest, ACallToSelfReturnsThePagesMediaWithoutSip) {
  for (const bool ownSsid : {false, true}) {
    Page& caller = signedIn(ownSsid ? "1001" : "1002");
    const auto invites = sentCount(sip::Method::Invite);
    caller.call(ownSsid ? caller.ssid : "self");
    run(100ms);
    EXPECT_EQ(caller.list(), "ANSWER");
    caller.takeAnswer();
    expectConnected(caller);
    for (std::uint16_t i = 0; i < 5; ++i) {
      caller.speak({.payloadType = 111, .sequenceNumber = i, .timestamp = i * 960u});
      run(20ms);
    }
    run(100ms);
    ASSERT_EQ(caller.received.size(), 5u);
    EXPECT_EQ(caller.received[0].payloadType, 111);
    EXPECT_NE(caller.received[0].ssrc, caller.ssrc);
    EXPECT_EQ(ports.openPairs(), 0u);
    EXPECT_EQ(sentCount(sip::Method::Invite), invites);
    caller.hangUp();
    expectNothingLeft();
  }
}

TEST_F(PageCallsTest, TwoPagesCallEachOtherThroughTheSipServer) {
  Page& caller = signedIn("1001");
  Page& callee = signedIn("1002");
  caller.video = callee.video = true;
  establish(caller, callee);
  EXPECT_EQ(callee.lastPeer, "1001");
  EXPECT_EQ(ports.openPairs(), 4u);  // audio and video, both ends of the way through SIP
  caller.speak({.payloadType = 111, .sequenceNumber = 1});
  caller.speak({.payloadType = 96, .sequenceNumber = 1, .ssrc = 0x500});
  callee.speak({.payloadType = 111, .sequenceNumber = 1});
  callee.speak({.payloadType = 96, .sequenceNumber = 1, .ssrc = 0x600});
  run(100ms);
  EXPECT_EQ(caller.received.size(), 1u);
  EXPECT_EQ(caller.receivedVideo.size(), 1u);
  EXPECT_EQ(callee.received.size(), 1u);
  EXPECT_EQ(callee.receivedVideo.size(), 1u);
  callee.hangUp();
  run(500ms);
  EXPECT_EQ(caller.list(), "BYE");
  expectNothingLeft();
}

TEST_F(PageCallsTest, EarlyMediaIsTheAnswerWhereConfigured) {
  config.earlyMedia = true;
  const auto [caller, callee] = pageCallsPhone();
  callee.progress();
  run(500ms);
  caller.takeAnswer();
  expectConnected(caller);
  callee.speak({.sequenceNumber = 1, .ssrc = 0x77});  // an announcement before the answer
  run(100ms);
  EXPECT_EQ(caller.received.size(), 1u);
  EXPECT_EQ(bridge().counters().callsAnswered, 0u);
  callee.answer();
  run(500ms);
  EXPECT_EQ(caller.list(), "");
  EXPECT_EQ(bridge().counters().callsAnswered, 1u);
  expectMediaFlows(caller, callee);
}

TEST_F(PageCallsTest, DigestCredentialsOfTheSignInAnswerAChallenge) {
  Page& caller = page("1001");
  signIn(caller, "secret");
  Phone& callee = phone("2001");
  int challenged = 0;
  intercept = [&](const std::string&, const sip::SendRequest& sent) {
    if (sent.request.method != sip::Method::Invite || !sent.request.authorizations.empty()) return false;
    ++challenged;
    sip::Response response;
    static_cast<sip::Message&>(response) = sent.request;
    response.to.tag = "proxy";
    response.status = 407;
    response.challenges = {{.proxy = true, .scheme = "Digest", .parameters = {{"realm", "\"r\""}, {"nonce", "\"n\""}}}};
    after(5ms, [this, id = sent.id, response] { bridge().handleSip(now(), sip::ResponseReceived{id, response}); });
    return true;
  };
  caller.call("2001");
  run(500ms);
  EXPECT_EQ(challenged, 1);
  EXPECT_TRUE(callee.ringing());
}

TEST_F(PageCallsTest, InfoGoesBothWaysAsItIs) {
  const auto [caller, callee] = pageTalksToPhone();
  caller.post("INFO-MAP a=1&b=%20+");
  caller.post("INFO-PEER x=y");
  callee.info("application/octet-stream", "from=phone&c=d%41");
  run(500ms);
  ASSERT_EQ(callee.infos.size(), 2u);
  EXPECT_EQ(callee.infos[0].contentType, "application/x-www-form-urlencoded");
  EXPECT_EQ(callee.infos[0].body, "a=1&b=%20+");
  EXPECT_EQ(callee.infos[1].contentType, "application/octet-stream");
  EXPECT_EQ(callee.infos[1].body, "x=y");
  EXPECT_EQ(caller.take("INFO-PEER"), "INFO-PEER from=phone&c=d%41");
}

TEST_F(PageCallsTest, AnAnonymousPageCalls) {
  Page& caller = signedIn("anon0123456789abcdef0123456789abcdef");
  Phone& callee = phone("2001");
  establish(caller, callee);
  expectMediaFlows(caller, callee);
}

}  // namespace
}  // namespace crosspoint::bridge::test
