// What strangers and broken clients send: a clear answer at the right place, and a call beside it that goes on.
#include <gtest/gtest.h>

#include "bridge/bridge_fixture.h"
#include "bridge/page_queue.h"

namespace crosspoint::bridge::test {
namespace {

struct BadInputTest : testing::Test, BridgeWorld {
  void SetUp() override {
    talking_ = &signedIn("1900");
    talkingTo_ = &phone("2900");
    establish(*talking_, *talkingTo_);
  }
  // The call beside.
  void TearDown() override {
    EXPECT_EQ(talking_->list(), "");
    expectMediaFlows(*talking_, *talkingTo_);
    talkingTo_->hangUp();
    expectNothingLeft();
  }
  // The last page call has ended with this status and leaves nothing.
  void expectRefused(Page& page, int status) {
    run(500ms);
    EXPECT_EQ(page.list(), "ERROR BYE");
    const auto error = page.take(roap::MessageType::Error);
    EXPECT_EQ(error.sipStatus, status);
    EXPECT_FALSE(error.reason.empty());
    page.messages.clear();
    EXPECT_EQ(bridge().counters().calls, 1u);
    EXPECT_EQ(ports.openPairs(), 1u);
  }

 private:
  Page* talking_ = nullptr;
  Phone* talkingTo_ = nullptr;
};

TEST_F(BadInputTest, AnUnknownSession) {
  Page& stranger = page("1001");
  stranger.ssid = "S00nobodyofthatnameatall0";
  stranger.poll();
  run(100ms);
  EXPECT_EQ(stranger.waitReply->status, 404);
  stranger.post("BYE", "2900");
  run(100ms);
  EXPECT_EQ(stranger.postReply->status, 200);  // dropped: an error would make a page post it again and again
  stranger.signOut();
  run(100ms);
}

TEST_F(BadInputTest, ABodyThatIsNoMessage) {
  Page& client = signedIn("1001");
  for (const char* body : {"HELLO there", "", "RSMP {\"messageType\":\"OFFER\",\"sdp\":", "RSMP [1,2,3]",
                           "RSMP {\"messageType\":\"MAYBE\"}"}) {
    SCOPED_TRACE(body);
    client.post(body, "2001");
    run(100ms);
    EXPECT_EQ(client.postReply->status, 200);
    EXPECT_EQ(client.list(), std::string_view(body).starts_with("RSMP") ? "ERROR BYE" : "ERROR");
    const auto error = client.take(roap::MessageType::Error);
    EXPECT_EQ(error.errorType, roap::ErrorType::Failed);
    EXPECT_EQ(error.sipStatus, 400);
    client.messages.clear();
  }
  EXPECT_EQ(bridge().counters().badMessages, 5u);
}

TEST_F(BadInputTest, AnOfferWhoseSdpIsOfNoUse) {
  Page& client = signedIn("1001");
  client.connect(true);
  client.peerName = "2001";
  const std::string good = client.describe(true);
  auto without = [&](const std::string& start) {
    std::string text = good;
    for (auto at = text.find(start); at != std::string::npos; at = text.find(start))
      text.erase(at, text.find('\n', at) + 1 - at);
    return text;
  };
  std::string refused = good;
  refused.replace(refused.find("m=audio 9"), 9, "m=audio 0");
  for (const std::string& sdp : {std::string("hello"), std::string("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"),
                                 without("a=ice-ufrag"), without("a=fingerprint"), refused}) {
    SCOPED_TRACE(sdp);
    ++client.offererId;
    client.seq = 0;
    client.post(client.offerBody(sdp));
    expectRefused(client, 400);
  }
}

TEST_F(BadInputTest, AnOfferToNobody) {
  Page& client = signedIn("1001");
  for (const std::string& to : {std::string("null"), std::string(), std::string(400, '1'), std::string("20\r\n01")}) {
    SCOPED_TRACE(to);
    client.call(to);
    expectRefused(client, 404);
  }
}

TEST_F(BadInputTest, ANameWithOddCharactersCannotBreakAHeader) {
  Page& client = signedIn("1001");
  client.call("+1 555,0&1#2");
  run(500ms);
  EXPECT_EQ(client.list(), "ERROR BYE");
  EXPECT_EQ(client.messages.back().peer, "+1_555_0_1_2");
  Phone& caller = phone("a b,c");
  caller.call("1001");
  run(500ms);
  EXPECT_EQ(client.messages.back().peer, "a_b_c");
  caller.hangUp();
}

TEST_F(BadInputTest, AnOfferWithoutCandidatesConnectsAllTheSame) {
  Page& client = signedIn("1001");
  Phone& callee = phone("2001");
  client.changeSdp = [](SessionDescription& description) { description.sections[0].candidates.clear(); };
  establish(client, callee);
  expectMediaFlows(client, callee);
  callee.hangUp();
}

TEST_F(BadInputTest, AThousandCandidates) {
  Page& client = signedIn("1001");
  Phone& callee = phone("2001");
  callee.onInvite = Phone::OnInvite::Answer;
  client.connect(true);
  client.peerName = "2001";
  roap::Message offer{.type = roap::MessageType::Offer,
                      .sdp = client.describe(true),
                      .offererSessionId = roap::SessionId::number(1),
                      .seq = 1,
                      .tiebreaker = 1};
  for (std::uint32_t i = 0; i < roap::kCandidatesMax; ++i) {
    offer.candidates.push_back(
        {.candidate = "candidate:1 1 udp 1 10.66.0." + std::to_string(i) + " 9 typ host", .lineIndex = 0});
  }
  client.post(roap::fromPage(offer));
  run(500ms);
  client.takeAnswer();
  expectConnected(client);
  callee.hangUp();
}

TEST_F(BadInputTest, NoRtpPortIsLeft) {
  ports.max = 1;
  Page& client = signedIn("1001");
  phone("2001");
  client.call("2001");
  expectRefused(client, 503);
  Phone& caller = phone("2002");
  caller.call("1001");
  run(500ms);
  client.answerOffer();
  run(500ms);
  ASSERT_EQ(caller.ended.size(), 1u);
  EXPECT_EQ(caller.ended[0].status, 503);
  EXPECT_EQ(client.list(), "OK ERROR BYE");
  EXPECT_GE(bridge().counters().limitsReached, 2u);
}

TEST_F(BadInputTest, NoRtpPortIsLeftForVideoAndTheAudioStays) {
  const auto [client, callee] = pageTalksToPhone();
  ports.max = 2;
  client.video = true;
  client.offer();
  run(500ms);
  client.takeAnswer();
  EXPECT_TRUE(client.remote->sections.at(1).refused());
  expectMediaFlows(client, callee);
  callee.hangUp();
}

TEST_F(BadInputTest, APhoneThatAnswersWithSdpThatIsNone) {
  Page& client = signedIn("1001");
  Phone& callee = phone("2001");
  callee.describeOtherwise = [] { return "hello"; };
  callee.onInvite = Phone::OnInvite::Answer;
  client.call("2001");
  expectRefused(client, 500);
  EXPECT_EQ(callee.ended.size(), 1u);
}

TEST_F(BadInputTest, APhoneThatAnswersTheFirstSectionOnlyHasRefusedTheOthers) {
  Page& client = signedIn("1001");
  Phone& far = phone("2001");
  client.video = true;
  far.describeOtherwise = [&far] {
    return "v=0\r\no=- 1 1 IN IP4 10.2.0.1\r\ns=-\r\nc=IN IP4 10.2.0.1\r\nt=0 0\r\nm=audio " +
           std::to_string(far.address.port) + " RTP/AVP 0\r\n";
  };
  far.onInvite = Phone::OnInvite::Answer;
  client.call("2001");
  run(1s);
  EXPECT_TRUE(far.established());
  ASSERT_EQ(far.described().sections.size(), 2u);
  client.takeAnswer();
  EXPECT_TRUE(client.remote->sections.at(1).refused());
  run(1s);
  expectMediaFlows(client, far);
  client.hangUp();
  run(500ms);
  client.messages.clear();
}

TEST_F(BadInputTest, APageThatAnswersWithSdpThatIsNone) {
  const auto [client, caller] = phoneCallsPage();
  const auto offer = client.take(roap::MessageType::Offer);
  client.post(roap::fromPage({.type = roap::MessageType::Answer,
                              .sdp = "hello",
                              .offererSessionId = offer.offererSessionId,
                              .answererSessionId = roap::SessionId::number(7),
                              .seq = offer.seq}),
              "2001");
  run(500ms);
  EXPECT_EQ(caller.ended.size(), 1u);
  EXPECT_EQ(client.list(), "OK ERROR BYE");
}

TEST_F(BadInputTest, AFloodOfInfoLeavesRoomForBye) {
  const auto [client, callee] = pageTalksToPhone();
  client.stopPolling();
  for (int i = 0; i < 400; ++i) {
    callee.info("application/octet-stream", "n=" + std::to_string(i));
    run(20ms);
  }
  EXPECT_GE(bridge().counters().limitsReached, 100u);
  callee.hangUp();
  run(500ms);
  client.polls = true;
  client.poll();
  run(10s);
  EXPECT_EQ(client.count("INFO-PEER"), PageQueue::kChatterMax);
  EXPECT_EQ(client.count("BYE"), 1u);
}

TEST_F(BadInputTest, AnInfoThatIsTooLargeIsNotKept) {
  const auto [client, callee] = pageTalksToPhone();
  callee.info("application/octet-stream", std::string(40'000, 'x'));
  callee.info("application/octet-stream", "small=1");
  run(500ms);
  EXPECT_EQ(client.list(), "INFO-PEER");
  callee.hangUp();
}

TEST_F(BadInputTest, MessagesOutOfAnyOrder) {
  Page& client = signedIn("1001");
  for (const auto type :
       {roap::MessageType::Answer, roap::MessageType::Ok, roap::MessageType::Error, roap::MessageType::Shutdown}) {
    client.post(roap::fromPage({.type = type, .sdp = "v=0", .offererSessionId = roap::SessionId::number(3), .seq = 9}),
                "2001");
  }
  for (const char* body : {"BYE", "INFO-MAP a=1", "INFO-PEER b=2", "GET-STATS"}) client.post(body, "2001");
  run(500ms);
  EXPECT_EQ(bridge().counters().calls, 1u);
  EXPECT_EQ(client.count("BYE"), 0u);
}

TEST_F(BadInputTest, ShutdownByThePageHangsUp) {
  const auto [client, callee] = pageTalksToPhone();
  client.post(roap::fromPage(
      {.type = roap::MessageType::Shutdown, .offererSessionId = roap::SessionId::number(client.offererId), .seq = 2}));
  run(500ms);
  EXPECT_EQ(callee.ended.size(), 1u);
  EXPECT_EQ(client.list(), "OK");
}

}  // namespace
}  // namespace crosspoint::bridge::test
