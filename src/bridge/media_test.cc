// What happens to packets between page and SIP.
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "bridge/one_call_fixture.h"

namespace crosspoint::bridge::test {
namespace {

struct MediaTest : OneCallTest {
  // One packet of each.
  static void speakVideo(Page& caller, Page& callee) {
    caller.speak({.payloadType = 96, .sequenceNumber = 1, .ssrc = 0x500});
    callee.speak({.payloadType = 96, .sequenceNumber = 1, .ssrc = 0x600});
  }

  // Speech of 20 ms frames from the phone, from where and as what it likes.
  void phoneSpeaks(int packets, RtpSample first, std::optional<SocketAddress> from = {}) {
    speech(packets, first, [&](const RtpSample& packet) { phone().speak(packet, from); });
    run(20ms);
  }
  static constexpr std::int32_t kStepMax = 8000 * 700 - 1;  // of timestamps, in one stream
  static ByteVector pictureLoss(std::uint32_t sender, std::uint32_t media) {
    std::array<std::uint8_t, 256> buffer;
    rtp::CompoundWriter writer(buffer);
    writer.receiverReport(sender, {});
    writer.pictureLoss(sender, media);
    return {writer.written().begin(), writer.written().end()};
  }
  // The media source of each PLI among these compounds.
  static std::vector<std::uint32_t> keyFrameRequests(const std::vector<ByteVector>& compounds) {
    std::vector<std::uint32_t> found;
    for (const auto& bytes : compounds) {
      auto compound = rtp::CompoundView::parse(bytes);
      while (const auto packet = compound ? compound->next() : std::nullopt) {
        if (const auto* loss = std::get_if<rtp::PictureLossIndication>(&*packet)) found.push_back(loss->media);
      }
    }
    return found;
  }
};

TEST_F(MediaTest, PayloadTypesAreThoseOfEachSide) {
  begin();
  page().speak({.payloadType = 126, .sequenceNumber = 1, .payloadBytes = 4});  // a digit
  phone().speak({.payloadType = 101, .sequenceNumber = 1, .ssrc = 0x77, .payloadBytes = 4});
  page().speak({.payloadType = 8, .sequenceNumber = 2});
  run(50ms);
  ASSERT_EQ(phone().received.size(), 2u);
  EXPECT_EQ(phone().received[0].payloadType, 101);
  EXPECT_EQ(phone().received[1].payloadType, 8);
  ASSERT_EQ(page().received.size(), 1u);
  EXPECT_EQ(page().received[0].payloadType, 126);
}

TEST_F(MediaTest, WhatWasNotAgreedIsDroppedAndCounted) {
  begin();
  const auto dropped = bridge().counters().packetsDropped;
  page().speak({.payloadType = 111, .sequenceNumber = 1});  // Opus: the phone does not speak it
  phone().speak({.payloadType = 18, .sequenceNumber = 1, .ssrc = 0x77});
  run(50ms);
  EXPECT_TRUE(page().received.empty());
  EXPECT_TRUE(phone().received.empty());
  EXPECT_EQ(bridge().counters().packetsDropped, dropped + 2);
}

TEST_F(MediaTest, ThePageSeesOneStreamWhateverTheFarEndDoes) {
  begin();
  phoneSpeaks(5, {.sequenceNumber = 100, .timestamp = 1000, .ssrc = 0x77});
  phoneSpeaks(5, {.sequenceNumber = 60000, .timestamp = 0xffffff00, .ssrc = 0x88});  // another SSRC
  phoneSpeaks(
      5, {.payloadType = 8, .sequenceNumber = 60005, .timestamp = 0x10000, .ssrc = 0x88});  // another codec and clock
  phone().address.port = static_cast<std::uint16_t>(phone().address.port + 500);            // another place, announced
  phone().reInvite();
  run(500ms);
  page().messages.clear();
  phoneSpeaks(5, {.sequenceNumber = 7, .timestamp = 5, .ssrc = 0x99});
  page().offer(Direction::Inactive);
  run(std::chrono::minutes(10));
  page().takeAnswer();
  page().offer(Direction::SendRecv);
  run(500ms);
  page().takeAnswer();
  phoneSpeaks(5, {.sequenceNumber = 12, .timestamp = 805, .ssrc = 0x99});  // its clock has stood still
  expectOneStream(page().received, 25, kStepMax);
}

TEST_F(MediaTest, ThePhoneSeesOneStreamWhateverThePageDoes) {
  begin();
  auto speak = [&](std::uint16_t sequence, std::uint32_t timestamp) {
    RtpSample next{.sequenceNumber = sequence, .timestamp = timestamp};
    speech(5, next, [&](const RtpSample& packet) { page().speak(packet); });
  };
  speak(10, 1000);
  page().renew(otherPageDtls);
  page().offer();
  run(500ms);
  page().takeAnswer();
  expectConnected(page());
  speak(50000, 77);
  expectOneStream(phone().received, 10, kStepMax);
  EXPECT_TRUE(phone().received[5].marker);
}

TEST_F(MediaTest, TheClockIsThatOfTheCodecInUse) {
  begin();  // the page prefers Opus, the phone speaks PCMU: 8000 Hz
  phoneSpeaks(2, {.sequenceNumber = 1, .timestamp = 1000, .ssrc = 0x77});
  run(10s);
  phoneSpeaks(2, {.sequenceNumber = 1, .timestamp = 50, .ssrc = 0x88});
  ASSERT_EQ(page().received.size(), 4u);
  const auto step = page().received[2].timestamp - page().received[1].timestamp;
  EXPECT_NEAR(step, 8000 * 10, 1000);
}

TEST_F(MediaTest, APhoneBehindNatIsAnsweredWhereItComesFrom) {
  begin();
  const SocketAddress outside{IpAddress::v4(0x0a020001), static_cast<std::uint16_t>(phone().address.port + 1)};
  phone().speak({.sequenceNumber = 1, .ssrc = 0x77}, outside);
  run(50ms);
  EXPECT_EQ(page().received.size(), 1u);
  page().speak({.sequenceNumber = 1});
  run(50ms);
  EXPECT_EQ(phone().received.size(), 0u);
  EXPECT_EQ(phone().receivedVideo.size(), 1u);  // what comes to any port but the announced one
}

TEST_F(MediaTest, AStrangerCannotTakeAStreamOver) {
  begin();
  const SocketAddress stranger{IpAddress::v4(0x0a0a0a0a), 6666};
  phoneSpeaks(3, {.sequenceNumber = 1, .ssrc = 0x77});
  const auto dropped = bridge().counters().packetsDropped;
  phoneSpeaks(3, {.sequenceNumber = 500, .ssrc = 0x666}, stranger);
  EXPECT_EQ(page().received.size(), 3u);
  EXPECT_EQ(bridge().counters().packetsDropped, dropped + 3);
  page().speak({.sequenceNumber = 1});
  run(50ms);
  EXPECT_EQ(phone().received.size(), 1u);
}

TEST_F(MediaTest, AStrangerWhoWasQuickerLosesTheStreamToTheFarEnd) {
  begin();
  const SocketAddress stranger{IpAddress::v4(0x0a0a0a0a), 6666};
  phoneSpeaks(2, {.sequenceNumber = 500, .ssrc = 0x666}, stranger);
  phoneSpeaks(3, {.sequenceNumber = 1, .ssrc = 0x77});
  const auto heard = page().received.size();
  phoneSpeaks(2, {.sequenceNumber = 502, .ssrc = 0x666}, stranger);
  EXPECT_EQ(page().received.size(), heard);
  page().speak({.sequenceNumber = 1});
  run(50ms);
  EXPECT_EQ(phone().received.size(), 1u);
}

TEST_F(MediaTest, AFarEndThatMovesWithItsSsrcIsFollowed) {
  begin();
  phoneSpeaks(3, {.sequenceNumber = 1, .ssrc = 0x77});
  const SocketAddress moved{IpAddress::v4(0x0a020001), static_cast<std::uint16_t>(phone().address.port + 1)};
  phoneSpeaks(3, {.sequenceNumber = 4, .timestamp = 480, .ssrc = 0x77}, moved);
  EXPECT_EQ(page().received.size(), 6u);
  page().speak({.sequenceNumber = 1});
  run(50ms);
  EXPECT_EQ(phone().receivedVideo.size(), 1u);
}

TEST_F(MediaTest, AFarEndWithoutAnAddressIsHeardAndThenAnswered) {
  const auto [caller, callee] = pageCallsPhone();
  const std::string port = std::to_string(callee.address.port);
  callee.describeOtherwise = [port] {
    return "v=0\r\no=- 1 1 IN IP4 host.example\r\ns=-\r\nc=IN IP4 host.example\r\nt=0 0\r\nm=audio " + port +
           " RTP/AVP 0\r\n";
  };
  callee.answer();
  run(500ms);
  caller.takeAnswer();
  expectConnected(caller);
  caller.speak({.sequenceNumber = 1});
  run(50ms);
  EXPECT_TRUE(caller.received.empty()) << "its own voice";
  callee.speak({.sequenceNumber = 1, .ssrc = 0x77});
  run(50ms);
  caller.speak({.sequenceNumber = 2});
  run(50ms);
  EXPECT_EQ(caller.received.size(), 1u);
  EXPECT_EQ(callee.received.size(), 1u);
}

TEST_F(MediaTest, ReportsGoToBothSides) {
  begin();
  for (std::uint16_t i = 0; i < 500; ++i) {
    page().speak({.sequenceNumber = i, .timestamp = i * 160u});
    phone().speak({.sequenceNumber = i, .timestamp = i * 160u, .ssrc = 0x77});
    run(20ms);
  }
  auto reportsOn = [](const std::vector<ByteVector>& compounds, std::uint32_t ssrc) {
    std::size_t count = 0;
    for (const auto& bytes : compounds) {
      auto compound = rtp::CompoundView::parse(bytes);
      EXPECT_TRUE(compound);
      while (const auto packet = compound ? compound->next() : std::nullopt) {
        if (const auto* report = std::get_if<rtp::SenderReportView>(&*packet)) {
          for (std::size_t i = 0; i < report->blocks.size(); ++i) count += report->blocks[i].ssrc == ssrc ? 1 : 0;
        }
      }
    }
    return count;
  };
  EXPECT_GE(reportsOn(page().rtcpReceived, page().ssrc), 1u);
  EXPECT_GE(reportsOn(phone().rtcpReceived, 0x77), 1u);
  phone().hangUp();
  run(100ms);
  // RTCP BYE ends what the page hears.
  auto last = rtp::CompoundView::parse(page().rtcpReceived.back());
  bool bye = false;
  while (const auto packet = last ? last->next() : std::nullopt) bye |= std::holds_alternative<rtp::ByeView>(*packet);
  EXPECT_TRUE(bye);
}

TEST_F(MediaTest, KeyFrameRequestsPassBothWays) {
  Page& caller = signedIn("1001");
  Page& callee = signedIn("1002");
  caller.video = callee.video = true;
  establish(caller, callee);
  speakVideo(caller, callee);
  run(50ms);
  ASSERT_EQ(caller.receivedVideo.size(), 1u);
  caller.sendRtcp(pictureLoss(caller.ssrc, caller.receivedVideo[0].ssrc));
  run(100ms);
  EXPECT_EQ(keyFrameRequests(callee.rtcpReceived), std::vector<std::uint32_t>{0x600});
  callee.sendRtcp(pictureLoss(callee.ssrc, callee.receivedVideo.at(0).ssrc));
  run(100ms);
  EXPECT_EQ(keyFrameRequests(caller.rtcpReceived), std::vector<std::uint32_t>{0x500});
}

TEST_F(MediaTest, StrangersCannotAskForKeyFrames) {
  Page& caller = signedIn("1001");
  Phone& callee = phone("2001");
  caller.video = callee.video = true;
  establish(caller, callee);
  caller.speak({.payloadType = 96, .sequenceNumber = 1, .ssrc = 0x500});
  run(50ms);
  ASSERT_EQ(callee.receivedVideo.size(), 1u);
  const auto request = pictureLoss(0x77, callee.receivedVideo[0].ssrc);
  callee.sendRtcp(request, 1, SocketAddress{IpAddress::v4(0x0a0a0a0a), 6666});
  run(100ms);
  EXPECT_TRUE(keyFrameRequests(caller.rtcpReceived).empty());
  callee.sendRtcp(request, 1);
  run(100ms);
  EXPECT_EQ(keyFrameRequests(caller.rtcpReceived), std::vector<std::uint32_t>{0x500});
}

TEST_F(MediaTest, JunkOnEverySocketIsDroppedAndCounted) {
  begin();
  const auto dropped = bridge().counters().packetsDropped;
  const SocketAddress stranger{IpAddress::v4(0x0a0a0a0a), 6666};
  const std::vector<ByteVector> junk = {{},
                                        {0x80},
                                        ByteVector(3, 0),
                                        ByteVector(1500, 0xff),
                                        ByteVector(20, 22),
                                        ByteVector(40, 0x80),
                                        {0x81, 0xc8, 0xff, 0xff, 0, 0, 0, 0}};
  for (const auto& bytes : junk) {
    sendDatagram(stranger, kIceAddress, bytes);
    sendDatagram(page().address(), kIceAddress, bytes);
    for (const int port : {10000, 10001}) {
      sendDatagram(stranger, PortsFixture::address(port), bytes);
      sendDatagram(phone().address, PortsFixture::address(port), bytes);
    }
  }
  run(100ms);
  EXPECT_GE(bridge().counters().packetsDropped, dropped + junk.size());
  expectMediaFlows(page(), phone());
}

TEST_F(MediaTest, PacketsAfterTheEndHurtNobody) {
  begin();
  phone().hangUp();
  page().speak({.sequenceNumber = 5});
  phone().speak({.sequenceNumber = 5, .ssrc = 0x77});
  run(100ms);
  EXPECT_FALSE(page().connected());  // its DTLS session was closed
  sendDatagram(page().address(), kIceAddress, ByteVector(100, 0x80));
  phone().speak({.sequenceNumber = 6, .ssrc = 0x77});
  run(100ms);
  EXPECT_EQ(bridge().counters().calls, 0u);
  expectNothingLeft();
}

// ---- statistics ----

const boost::json::object& objectAt(const boost::json::value& value, std::string_view key) {
  return value.at(key).as_object();
}

TEST_F(MediaTest, StatisticsHaveTheGuidesShapeAndRealNumbers) {
  Page& caller = signedIn("1001");
  Phone& callee = phone("2001");
  caller.video = callee.video = true;
  establish(caller, callee);
  for (std::uint16_t i = 0; i < 600; ++i) {
    if (i != 300) caller.speak({.sequenceNumber = i, .timestamp = i * 160u});
    callee.speak({.sequenceNumber = i, .timestamp = i * 160u, .ssrc = 0x77});
    if (i % 3 == 0)
      callee.speak(
          {.payloadType = 96, .sequenceNumber = i, .timestamp = i * 1800u, .ssrc = 0x78, .payloadBytes = 1000});
    run(20ms);
  }
  // The page reports on what it receives.
  std::array<std::uint8_t, 256> buffer;
  rtp::CompoundWriter writer(buffer);
  const rtp::ReportBlock block{.ssrc = caller.received[0].ssrc, .cumulativeLost = 7, .jitter = 31};
  writer.receiverReport(caller.ssrc, {&block, 1});
  caller.sendRtcp(writer.written());
  run(100ms);
  caller.post("GET-STATS");
  run(100ms);
  const auto text = caller.take("PUT-STATS");
  EXPECT_EQ(caller.lastPeer, "2001");
  const auto json = boost::json::parse(std::string_view(text).substr(9));

  for (const auto* key : {"timestamp", "duration"}) EXPECT_TRUE(json.at(key).is_number()) << key;
  EXPECT_GE(json.at("duration").to_number<std::int64_t>(), 12'000);
  EXPECT_GE(json.at("timestamp").to_number<std::int64_t>(), 1'000'000'000'000);
  for (const auto* medium : {"audio", "video"}) {
    const auto& stream = objectAt(json, medium);
    EXPECT_TRUE(stream.at("codec").is_string());
    for (const auto* key : {"leg_id", "rtt", "rtt_max", "rtt_average", "rtt_count"})
      EXPECT_TRUE(stream.at(key).is_number()) << key;
    const std::vector<std::pair<const char*, std::vector<const char*>>> parts = {
        {"rx",
         {"ssrc", "payload", "packets", "bytes", "errors", "rtcp", "rtcp_errors", "lost", "jitter", "max_jitter"}},
        {"tx", {"ssrc", "payload", "packets", "bytes", "errors", "rtcp", "rtcp_errors"}},
        {"client", {"packets", "lost", "jitter", "max_jitter"}}};
    for (const auto& [part, keys] : parts) {
      for (const auto* key : keys)
        EXPECT_TRUE(stream.at(part).at(key).is_number()) << medium << ' ' << part << ' ' << key;
      EXPECT_EQ(stream.at(part).as_object().size(), keys.size()) << part;
    }
  }
  const auto& audio = objectAt(json, "audio");
  EXPECT_EQ(audio.at("codec").as_string(), "G.711/mu-law");
  EXPECT_EQ(audio.at("rx").at("ssrc").to_number<std::uint32_t>(), caller.ssrc);
  EXPECT_EQ(audio.at("rx").at("packets").to_number<int>(), 599);
  EXPECT_EQ(audio.at("rx").at("bytes").to_number<int>(), 599 * 172);
  EXPECT_EQ(audio.at("rx").at("lost").to_number<int>(), 1);
  EXPECT_EQ(audio.at("rx").at("rtcp").to_number<int>(), 1);
  EXPECT_EQ(audio.at("tx").at("ssrc").to_number<std::uint32_t>(), caller.received[0].ssrc);
  EXPECT_EQ(audio.at("tx").at("packets").to_number<int>(), 600);
  EXPECT_GE(audio.at("tx").at("rtcp").to_number<int>(), 1);
  EXPECT_EQ(audio.at("client").at("lost").to_number<int>(), 7);
  EXPECT_EQ(audio.at("client").at("packets").to_number<int>(), 593);
  EXPECT_EQ(audio.at("client").at("jitter").to_number<int>(), 31);
  const auto& video = objectAt(json, "video");
  EXPECT_EQ(video.at("codec").as_string(), "VP8");
  EXPECT_EQ(video.at("rx").at("packets").to_number<int>(), 0);
  EXPECT_EQ(video.at("tx").at("packets").to_number<int>(), 200);
  EXPECT_EQ(video.at("tx").at("bytes").to_number<int>(), 200 * 1012);
}

TEST_F(MediaTest, RoundTripsAreCountedAndAveraged) {
  begin();
  for (std::uint16_t i = 0; i < 1500; ++i) {
    phone().speak({.sequenceNumber = i, .timestamp = i * 160u, .ssrc = 0x77});
    run(20ms);
    // Each report of ours is answered at once: 5 ms there, 5 ms back.
    while (!page().rtcpReceived.empty()) {
      const ByteVector bytes = std::move(page().rtcpReceived.back());
      page().rtcpReceived.pop_back();
      auto compound = rtp::CompoundView::parse(bytes);
      while (const auto packet = compound ? compound->next() : std::nullopt) {
        const auto* report = std::get_if<rtp::SenderReportView>(&*packet);
        if (report == nullptr) continue;
        std::array<std::uint8_t, 256> buffer;
        rtp::CompoundWriter writer(buffer);
        const rtp::ReportBlock block{.ssrc = report->ssrc,
                                     .lastSenderReport = static_cast<std::uint32_t>(report->info.ntp >> 16)};
        writer.receiverReport(page().ssrc, {&block, 1});
        page().sendRtcp(writer.written());
      }
    }
  }
  page().post("GET-STATS");
  run(100ms);
  const auto text = page().take("PUT-STATS");
  const auto json = boost::json::parse(std::string_view(text).substr(9));
  const auto& audio = objectAt(json, "audio");
  EXPECT_GE(audio.at("rtt_count").to_number<int>(), 3);
  EXPECT_GE(audio.at("rtt").to_number<int>(), 9);
  EXPECT_LE(audio.at("rtt_average").to_number<int>(), audio.at("rtt_max").to_number<int>());
  EXPECT_LE(audio.at("rtt_max").to_number<int>(), 40);
}

TEST_F(MediaTest, CountersGoOnOverARenewedConnection) {
  begin();
  for (std::uint16_t i = 0; i < 10; ++i) page().speak({.sequenceNumber = i, .timestamp = i * 160u});
  run(100ms);
  page().renew(otherPageDtls);
  page().offer();
  run(500ms);
  page().takeAnswer();
  expectConnected(page());
  for (std::uint16_t i = 0; i < 10; ++i) page().speak({.sequenceNumber = i, .timestamp = i * 160u});
  run(100ms);
  phone().hangUp();
  run(500ms);
  EXPECT_EQ(page().messages.at(page().messages.size() - 2).body, "BYE");
  const auto text = page().take("PUT-STATS");  // and at the call's end without being asked
  const auto json = boost::json::parse(std::string_view(text).substr(9));
  EXPECT_EQ(json.at("audio").at("rx").at("packets").to_number<int>(), 20);
}

TEST_F(MediaTest, ThereAreNoStatisticsOfNoCall) {
  Page& made = signedIn("1001");
  made.post("GET-STATS", "");
  run(100ms);
  EXPECT_TRUE(made.messages.empty());
}

}  // namespace
}  // namespace crosspoint::bridge::test
