// What clients in the field write, and what they can read (`docs/protocols/roap.md`), through the whole bridge.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "bridge/bridge_fixture.h"

namespace crosspoint::bridge::test {
namespace {

struct DialectTest : testing::Test, BridgeWorld {
  static std::string golden(const std::string& name) {
    std::ifstream file(std::string(CROSSPOINT_SOURCE_DIR "/tests/golden/sdp/") + name);
    EXPECT_TRUE(file) << name;
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static std::string json(std::string_view sdp) {
    return boost::json::serialize(boost::json::string(sdp.data(), sdp.size()));
  }
  // A phone that writes its SDP as it likes, on its own ports.
  static std::string phoneSdp(const Phone& far, std::string_view sections) {
    std::string text = "v=0\r\no=- 1 1 IN IP4 10.2.0.1\r\ns=-\r\nc=IN IP4 10.2.0.1\r\nt=0 0\r\n";
    text += sections;
    for (const auto& [word, port] :
         {std::pair{"AUDIO", far.address.port}, std::pair{"VIDEO", static_cast<std::uint16_t>(far.address.port + 4)}}) {
      if (const auto at = text.find(word); at != std::string::npos) text.replace(at, 5, std::to_string(port));
    }
    return text;
  }
  static std::size_t count(std::string_view text, std::string_view what) {
    std::size_t found = 0;
    for (auto at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1)) ++found;
    return found;
  }
  // What every message to a page must keep to.
  static void expectReadable(const Page& page) {
    for (const auto& message : page.messages) {
      SCOPED_TRACE(message.body);
      EXPECT_FALSE(message.peer.empty());
      EXPECT_EQ(message.peer.find_first_of(" ,&#"), std::string::npos);
      EXPECT_EQ(count(message.body, "a=msid:-"), 0u);
      if (!message.body.starts_with("SDP ")) continue;
      const auto parsed = roap::parseMessage(message.body.substr(4));
      ASSERT_TRUE(parsed);
      EXPECT_EQ(message.body.find("OFFER") != std::string::npos, parsed->type == roap::MessageType::Offer);
      EXPECT_EQ(message.body.find("ERROR") != std::string::npos, parsed->type == roap::MessageType::Error);
      EXPECT_EQ(count(message.body, "\"Candidates\":[]"), parsed->sdp.empty() ? 0u : 1u);
      EXPECT_EQ(count(parsed->sdp, "\r\n"), count(parsed->sdp, "\n"));
      EXPECT_EQ(count(parsed->sdp, "m="), count(parsed->sdp, "a=sendrecv") + count(parsed->sdp, "a=sendonly") +
                                              count(parsed->sdp, "a=recvonly") + count(parsed->sdp, "a=inactive"));
    }
  }
};

TEST_F(DialectTest, AnOfferOfAClientInTheFieldIsAnsweredSectionForSection) {
  Page& page = signedIn("1001");
  Phone& far = phone("2001");
  far.onInvite = Phone::OnInvite::Answer;
  page.connect(true);
  page.post("RSMP {\"messageType\":\"OFFER\",\"sdp\":" + json(golden("field_client_first_offer.sdp")) +
                ",\"Candidates\":[],\"offererSessionId\":\"one\",\"answererSessionId\":null,\"seq\":1,"
                "\"tiebreaker\":429496723,\"attacheddata\":[{\"key\":\"OFFER\",\"value\":7}]}",
            "2001");
  run(500ms);
  expectReadable(page);
  EXPECT_EQ(page.list(), "ANSWER");
  const auto answer = page.take(roap::MessageType::Answer);
  EXPECT_EQ(answer.offererSessionId, roap::SessionId::text("one"));
  EXPECT_EQ(answer.seq, 1u);
  const auto description = sdp::parse(answer.sdp);
  ASSERT_TRUE(description);
  ASSERT_EQ(description->sections.size(), 2u);
  const auto& audio = description->sections[0];
  const auto& video = description->sections[1];
  EXPECT_EQ(audio.protocol, "RTP/SAVPF");
  EXPECT_EQ(audio.mid, "0");
  EXPECT_TRUE(std::ranges::any_of(audio.codecs, [](const Codec& codec) { return codec == kDigits; }));
  EXPECT_FALSE(audio.streamId.empty());
  EXPECT_TRUE(video.refused());
  EXPECT_EQ(video.media, "video");
  EXPECT_EQ(video.mid, "1");
  EXPECT_EQ(video.protocol, "RTP/SAVPF");
  EXPECT_FALSE(video.codecs.empty());  // RFC 3264 §6: a format is still named
  EXPECT_EQ(description->bundles, (std::vector<std::vector<std::string>>{{"0"}}));
}

TEST_F(DialectTest, VideoIsAnsweredWithTheNumbersOfAnOfferThatHasAnRtxNumberWithoutItsMeaning) {
  Page& page = signedIn("1001");
  Phone& far = phone("2001");
  far.video = true;
  far.onInvite = Phone::OnInvite::Answer;
  page.connect(true);
  page.post("RSMP {\"messageType\":\"OFFER\",\"sdp\":" + json(golden("field_client_first_offer.sdp")) +
                ",\"Candidates\":[],\"offererSessionId\":1,\"seq\":1,\"tiebreaker\":1}",
            "2001");
  run(500ms);
  expectReadable(page);
  const auto description = sdp::parse(page.take(roap::MessageType::Answer).sdp);
  ASSERT_TRUE(description);
  const auto& video = description->sections.at(1);
  ASSERT_EQ(video.codecs.size(), 1u);
  EXPECT_EQ(video.codecs[0].name, "VP8");
  EXPECT_EQ(video.codecs[0].payloadType, 96);
  EXPECT_EQ(far.described().sections.at(1).codecs.at(0).name, "VP8");
  EXPECT_EQ(description->bundles, (std::vector<std::vector<std::string>>{{"0", "1"}}));
}

// Clients add b=AS greedily behind the first m=video, and know VP8 in capitals only.
TEST_F(DialectTest, WhatAPageIsOfferedHasVideoLastAndVp8InCapitals) {
  Page& page = signedIn("1001");
  Phone& caller = phone("2001");
  caller.describeOtherwise = [&] {
    return phoneSdp(caller,
                    "m=video VIDEO RTP/AVP 96\r\na=rtpmap:96 vp8/90000\r\n"
                    "m=audio AUDIO RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n");
  };
  caller.call("1001");
  run(500ms);
  expectReadable(page);
  page.video = true;
  const auto offer = page.answerOffer();
  EXPECT_EQ(offer.seq, 1u);
  EXPECT_TRUE(offer.answererSessionId.isNull());
  ASSERT_TRUE(offer.tiebreaker);
  EXPECT_GE(*offer.tiebreaker, 1u);
  EXPECT_LE(*offer.tiebreaker, 429'496'723u);
  EXPECT_LT(offer.sdp.find("m=audio"), offer.sdp.find("m=video"));
  EXPECT_NE(offer.sdp.find(" VP8/90000"), std::string::npos);
  EXPECT_EQ(page.remote->bundles, (std::vector<std::vector<std::string>>{{"0", "1"}}));
  run(500ms);
  // The caller's own order is kept towards it.
  ASSERT_TRUE(caller.established());
  EXPECT_EQ(caller.described().sections.at(0).media, "video");
  EXPECT_FALSE(caller.described().sections.at(0).refused());
  EXPECT_FALSE(caller.described().sections.at(1).refused());
}

TEST_F(DialectTest, AStreamIsAnnouncedWhereWeSendAndNowhereElse) {
  Page& page = signedIn("1001");
  Phone& caller = phone("2001");
  caller.direction = Direction::RecvOnly;
  caller.call("1001");
  run(500ms);
  expectReadable(page);
  const auto first = page.answerOffer();
  EXPECT_EQ(page.remote->sections.at(0).direction, Direction::RecvOnly);
  EXPECT_EQ(count(first.sdp, "msid"), 0u);
  run(500ms);
  caller.reInvite(Direction::SendRecv);
  run(500ms);
  expectReadable(page);
  const auto second = page.answerOffer();
  EXPECT_EQ(page.remote->sections.at(0).direction, Direction::SendRecv);
  EXPECT_EQ(count(second.sdp, "a=msid:"), 1u);
}

TEST_F(DialectTest, AVideoThatThePageRefusesMayStillBeInItsBundleAndSayRecvonly) {
  Page& page = signedIn("1001");
  Phone& caller = phone("2001");
  caller.video = true;
  caller.call("1001");
  run(500ms);
  page.changeSdp = [](SessionDescription& description) {
    ASSERT_EQ(description.sections.size(), 2u);
    description.sections[1].direction = Direction::RecvOnly;
    description.bundles = {{"0", "1"}};
  };
  page.answerOffer();
  run(500ms);
  ASSERT_TRUE(caller.established());
  expectConnected(page);
  EXPECT_FALSE(caller.described().sections.at(0).refused());
  EXPECT_TRUE(caller.described().sections.at(1).refused());
  expectMediaFlows(page, caller);
  page.messages.clear();
  caller.direction = Direction::SendOnly;
  caller.video = false;
  caller.reInvite();
  run(500ms);
  expectReadable(page);
  page.answerOffer();
  ASSERT_EQ(page.remote->sections.size(), 2u);
  EXPECT_TRUE(page.remote->sections[1].refused());
  EXPECT_EQ(page.remote->bundles, (std::vector<std::vector<std::string>>{{"0"}}));
  run(500ms);
  EXPECT_EQ(page.list(), "OK");  // it is not offered the video again
}

TEST_F(DialectTest, TheAnswerToAHoldIsInactiveInEverySection) {
  Page& page = signedIn("1001");
  Phone& far = phone("2001");
  page.video = far.video = true;
  establish(page, far);
  page.offer(Direction::Inactive);
  run(500ms);
  expectReadable(page);
  auto answer = page.takeAnswer();
  EXPECT_EQ(count(answer.sdp, "a=inactive"), 2u);
  // With the video gone, and with a section for another source.
  page.video = false;
  page.offer(Direction::SendRecv);
  run(500ms);
  page.takeAnswer();
  page.direction = Direction::Inactive;
  page.changeSdp = [](SessionDescription& description) {
    description.sections.push_back(description.sections[0]);
    description.sections.back().mid = "2";
    description.bundles[0].push_back("2");
  };
  page.offer();
  run(500ms);
  expectReadable(page);
  answer = page.takeAnswer();
  EXPECT_EQ(count(answer.sdp, "m="), 3u);
  EXPECT_EQ(count(answer.sdp, "a=inactive"), 3u);
  page.offer(Direction::SendRecv);
  run(500ms);
  page.takeAnswer();
  expectMediaFlows(page, far);
}

TEST_F(DialectTest, CandidatesAreTakenInEveryFormThatClientsWrite) {
  Page& page = signedIn("1001");
  Phone& far = phone("2001");
  far.onInvite = Phone::OnInvite::Answer;
  const SocketAddress plain{IpAddress::v4(0x0a420001), 7001}, renegotiated{IpAddress::v4(0x0a420002), 7002},
      bare{IpAddress::v4(0x0a420003), 7003};
  std::set<SocketAddress> checked;
  watch = [&](const SocketAddress& from, const SocketAddress& to, Bytes) {
    if (from == kIceAddress) checked.insert(to);
  };
  page.connect(true);
  page.changeSdp = [](SessionDescription& description) { description.sections[0].candidates.clear(); };
  page.post(
      "RSMP {\"messageType\":\"OFFER\",\"sdp\":" + json(page.describe(true)) +
          ",\"Candidates\":["
          "{\"candidate\":\"candidate:1 1 udp 2113937151 10.66.0.1 7001 typ host generation 0 ufrag x network-cost "
          "50\","
          "\"sdpMid\":\"0\",\"sdpMLineIndex\":0,\"usernameFragment\":\"x\"},"
          "{\"sdpMLineIndex\":0,\"sdpMid\":\"audio\",\"candidate\":\"a=candidate:2 1 UDP 2113937150 10.66.0.2 7002 typ "
          "host\\r\\n\"},"
          "{\"candidate\":\"candidate:3 1 udp 2113937149 10.66.0.3 7003 typ srflx raddr 192.168.0.1 rport 1\","
          "\"sdpMid\":null},"
          "{\"candidate\":\"candidate:4 1 tcp 1518280447 10.66.0.4 9 typ host tcptype active\",\"sdpMLineIndex\":0},"
          "{\"candidate\":\"candidate:5 1 udp 2113937151 7f1d3cb8-5a7e-4d87-9b9a-0c5d1f4f6a01.local 7005 typ host\","
          "\"sdpMLineIndex\":0},"
          "{\"candidate\":\"candidate:6 1 udp 2113937148 2001:db8::6 7006 typ host\",\"sdpMLineIndex\":\"0\"},"
          "{\"candidate\":\"\",\"sdpMid\":\"0\",\"sdpMLineIndex\":0}],"
          "\"offererSessionId\":1,\"seq\":1,\"tiebreaker\":1}",
      "2001");
  run(5s);
  page.takeAnswer();
  run(5s);
  EXPECT_TRUE(checked.contains(plain));
  EXPECT_TRUE(checked.contains(renegotiated));
  EXPECT_TRUE(checked.contains(bare));
  EXPECT_FALSE(checked.contains(SocketAddress{IpAddress::v4(0x0a420004), 9}));
  expectConnected(page);
  expectMediaFlows(page, far);
}

// `to` is what the page believes that its peer is called, which it may have lost.
TEST_F(DialectTest, AMessageToNullIsOneOfTheCallThatThereIs) {
  const auto [page, caller] = phoneCallsPage();
  page.connect(false);
  page.peerName = "null";
  page.answerOffer();
  run(500ms);
  ASSERT_TRUE(caller.established());
  expectConnected(page);
  page.take(roap::MessageType::Ok);
  page.offer(Direction::Inactive);
  run(500ms);
  page.takeAnswer();
  EXPECT_EQ(caller.described().sections.at(0).direction, Direction::Inactive);
  page.post("BYE");
  run(500ms);
  EXPECT_EQ(caller.ended.size(), 1u);
  expectNothingLeft();
}

TEST_F(DialectTest, AnOfferThatIsPostedAgainEveryThreeSecondsChangesNothingInTheCall) {
  Page& page = signedIn("1001");
  Phone& far = phone("2001");
  far.onInvite = Phone::OnInvite::Answer;
  const std::string body = page.call("2001");
  run(500ms);
  page.takeAnswer();
  expectConnected(page);
  for (int i = 0; i < 20; ++i) {  // and the call is held and resumed in between
    page.direction = i % 2 == 0 ? Direction::Inactive : Direction::SendRecv;
    page.offer();
    run(1s);
    page.takeAnswer();
    page.post(body);
    run(2s);
    EXPECT_EQ(page.list(), "");
  }
  EXPECT_EQ(sentCount(sip::Method::Invite), 21u);
  expectMediaFlows(page, far);
  page.post("BYE");
  run(500ms);
  page.post(body);
  run(10s);
  EXPECT_EQ(sentCount(sip::Method::Invite), 21u);
  EXPECT_EQ(page.list(), "");
}

// Each refusal of a later offer leaves the call as it was, whatever it is called.
TEST_F(DialectTest, AnErrorInAnswerToALaterOfferKeepsTheCall) {
  const auto [page, far] = pageTalksToPhone();
  far.direction = Direction::SendOnly;
  for (const char* type : {"NOMATCH", "TIMEOUT", "REFUSED", "CONFLICT", "DOUBLECONFLICT", "FAILED", "SOMETHING", ""}) {
    SCOPED_TRACE(type);
    far.reInvite();
    run(500ms);
    ASSERT_TRUE(page.list() == "OFFER") << page.list();
    const auto offer = page.take(roap::MessageType::Offer);
    page.post("RSMP {\"messageType\":\"ERROR\",\"errorType\":\"" + std::string(type) +
              "\",\"offererSessionId\":" + offer.offererSessionId.value() +
              ",\"answererSessionId\":null,\"seq\":" + std::to_string(*offer.seq) + "}");
    run(500ms);
    EXPECT_EQ(page.list(), "");
    EXPECT_TRUE(far.established());
    far.direction = far.direction == Direction::SendOnly ? Direction::SendRecv : Direction::SendOnly;
  }
  far.reInvite(Direction::SendRecv);
  run(500ms);
  page.answerIfOffered();
  run(100ms);
  expectMediaFlows(page, far);
}

}  // namespace
}  // namespace crosspoint::bridge::test
