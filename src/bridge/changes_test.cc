// What the far end changes in a call, and how long it waits: the page need not act, and hears one stream.
#include <gtest/gtest.h>

#include "bridge/one_call_fixture.h"

namespace crosspoint::bridge::test {
namespace {

struct ChangesTest : OneCallTest {
  // Speech of the phone, as its own stream goes on.
  void phoneSpeaks(int packets) {
    speech(packets, voice, [this](const RtpSample& packet) { phone().speak(packet); });
  }
  void pageSpeaks(int packets) {
    speech(packets, pageVoice, [this](const RtpSample& packet) { page().speak(packet); });
  }

  RtpSample voice{.sequenceNumber = 100, .timestamp = 1000, .ssrc = 0x77};
  RtpSample pageVoice{.sequenceNumber = 500, .timestamp = 7000};
};

// ---- hold for an hour ----

enum class Holder : std::uint8_t { ThePage, ThePhone, Both };
enum class Clock : std::uint8_t { Runs, Stops, StartsAnew };

struct HoldForAnHour : ChangesTest, testing::WithParamInterface<std::tuple<Holder, Clock>> {};

TEST_P(HoldForAnHour, TheAudioIsBackAtOnceAndContinuous) {
  const auto [holder, clock] = GetParam();
  begin(holder != Holder::ThePhone);
  phoneSpeaks(5);
  const TimePoint heldAt = now();
  pageSpeaks(5);
  if (holder != Holder::ThePhone) pageChanges(Direction::Inactive);
  if (holder != Holder::ThePage) phoneChanges(Direction::SendOnly);
  run(std::chrono::hours(1));
  ASSERT_TRUE(page().connected());

  if (holder != Holder::ThePage) {
    phone().reInvite(Direction::SendRecv);
    run(20ms);  // the answer to it; the page has not been asked yet
  }
  if (holder != Holder::ThePhone) pageOffers(Direction::SendRecv, 20ms);
  const auto atPage = page().received.size();
  const auto ticks = static_cast<std::uint32_t>((now() - heldAt) / 1ms * 8);
  if (clock == Clock::Runs) voice.timestamp += ticks;
  if (clock == Clock::StartsAnew) voice = {.sequenceNumber = 40000, .timestamp = 5, .ssrc = 0x88};
  phone().speak(voice);
  run(10ms);
  EXPECT_EQ(page().received.size(), atPage + 1);  // with the very first packet
  ++voice.sequenceNumber;
  voice.timestamp += 160;
  run(200ms);
  if (holder != Holder::ThePhone) page().takeAnswer();
  page().answerIfOffered();
  run(100ms);
  const auto atPhone = phone().received.size();
  pageSpeaks(5);
  EXPECT_EQ(phone().received.size(), atPhone + 5);
  phoneSpeaks(5);
  expectOneStream(page().received, page().received.size());
  expectOneStream(phone().received, phone().received.size());
  ASSERT_GT(page().received.size(), 5u);
  // The hour is there in the page's timestamps too.
  const auto passed = page().received[5].timestamp - page().received[4].timestamp;
  EXPECT_NEAR(static_cast<double>(passed), static_cast<double>(ticks), 800.0);
}

INSTANTIATE_TEST_SUITE_P(All, HoldForAnHour,
                         testing::Combine(testing::Values(Holder::ThePage, Holder::ThePhone, Holder::Both),
                                          testing::Values(Clock::Runs, Clock::Stops, Clock::StartsAnew)));

// ---- resume ----

TEST_F(ChangesTest, EitherSideResumesWhatItHeld) {
  for (const bool pageCalls : {true, false}) {
    begin(pageCalls);
    for (int i = 0; i < 3; ++i) {
      pageChanges(Direction::Inactive);
      expectNoMedia(page(), phone());
      pageChanges(Direction::SendRecv);
      expectMediaFlows(page(), phone());
      phoneChanges(Direction::Inactive);
      expectNoMedia(page(), phone());
      phoneChanges(Direction::SendRecv);
      expectMediaFlows(page(), phone());
    }
  }
}

TEST_F(ChangesTest, AResumeThatTheFarEndRefusesIsMadeAgainUntilBothAreHeard) {
  begin();
  pageChanges(Direction::Inactive);
  int refused = 0;
  intercept = [&](const std::string&, const sip::SendRequest& sent) {
    if (sent.request.method != sip::Method::Invite || refused == 2) return false;
    respond(sent, refused++ == 0 ? 488 : 500);
    return true;
  };
  pageChanges(Direction::SendRecv);
  EXPECT_EQ(refused, 1);
  run(10s);
  EXPECT_EQ(refused, 2);
  EXPECT_TRUE(page().messages.empty()) << page().list();
  expectMediaFlows(page(), phone());
}

TEST_F(ChangesTest, AHoldByUpdateIsAHold) {
  begin();
  phone().update(Direction::SendOnly);
  run(20ms);
  EXPECT_EQ(toldToPhone(), Direction::RecvOnly);
  run(100ms);
  EXPECT_EQ(page().list(), "OFFER");
  page().answerOffer();
  run(100ms);
  page().messages.clear();
  phone().update(Direction::SendRecv);
  run(100ms);
  page().answerOffer();
  run(100ms);
  expectMediaFlows(page(), phone());
}

// ---- the far end changes something, and the page hears nothing of it ----

TEST_F(ChangesTest, TheFarEndsAddressChanges) {
  begin();
  phoneSpeaks(3);
  pageSpeaks(3);
  phone().address.port = static_cast<std::uint16_t>(phone().address.port + 500);
  phone().reInvite();
  run(100ms);
  EXPECT_EQ(page().list(), "");
  pageSpeaks(3);  // before anything comes from there
  phoneSpeaks(3);
  expectOneStream(page().received, 6);
  expectOneStream(phone().received, 6);
}

TEST_F(ChangesTest, TheFarEndsCodecChangesToAnotherThatBothSpeak) {
  begin();
  phoneSpeaks(3);
  voice.payloadType = 8;  // in the middle of its stream
  phoneSpeaks(3);
  phone().codecs = {kPcma, kPcmu, Phone::digits()};  // it prefers another one
  phone().reInvite();
  run(100ms);
  EXPECT_EQ(page().list(), "");
  phoneSpeaks(3);
  voice.payloadType = 0;
  phoneSpeaks(3);
  pageVoice.payloadType = 8;
  pageSpeaks(3);
  expectOneStream(page().received, 12);
  EXPECT_EQ(page().received[2].payloadType, 0);
  EXPECT_EQ(page().received[3].payloadType, 8);
  expectOneStream(phone().received, 3);
}

TEST_F(ChangesTest, TheFarEndsSourceChanges) {
  begin();
  phoneSpeaks(3);
  voice = {.sequenceNumber = 9, .timestamp = 99, .ssrc = 0x99};
  phoneSpeaks(3);
  expectOneStream(page().received, 6);
  EXPECT_EQ(page().list(), "");
}

// A telephone event as it is sent: three packets, then the end three times.
std::vector<RtpSample> digit(std::uint8_t payloadType, std::uint8_t event, std::uint16_t sequenceNumber,
                             std::uint32_t timestamp, std::uint32_t ssrc) {
  std::vector<RtpSample> packets;
  for (std::uint16_t i = 1; i <= 6; ++i) {
    const auto duration = static_cast<std::uint16_t>(160 * std::min<std::uint16_t>(i, 4));
    const auto flags = static_cast<std::uint8_t>(10 | (i >= 4 ? 0x80 : 0));
    packets.push_back({.payloadType = payloadType,
                       .sequenceNumber = static_cast<std::uint16_t>(sequenceNumber + i - 1),
                       .timestamp = timestamp,
                       .ssrc = ssrc,
                       .marker = i == 1,
                       .payload = {event, flags, static_cast<std::uint8_t>(duration >> 8),
                                   static_cast<std::uint8_t>(duration & 0xff)}});
  }
  return packets;
}

struct DigitsTest : ChangesTest {
  // The phone's digit between its words, as the page gets it.
  void expectDigitAtPage(std::uint8_t payloadType, std::uint8_t heardAs, std::uint32_t durationFactor = 1) {
    phoneSpeaks(2);
    page().received.clear();
    for (const auto& packet : digit(payloadType, 5, voice.sequenceNumber, voice.timestamp, voice.ssrc)) {
      phone().speak(packet);
      run(20ms);
    }
    ASSERT_EQ(page().received.size(), 6u);
    for (std::size_t i = 0; i < 6; ++i) {
      const auto& packet = page().received[i];
      EXPECT_EQ(packet.payloadType, heardAs);
      EXPECT_EQ(packet.timestamp, page().received[0].timestamp) << i;  // RFC 4733 §2.3.5: of the event's start
      EXPECT_EQ(packet.sequenceNumber, static_cast<std::uint16_t>(page().received[0].sequenceNumber + i));
      EXPECT_EQ(packet.marker, i == 0);
      ASSERT_EQ(packet.payload.size(), 4u);
      EXPECT_EQ(packet.payload[0], 5);
      EXPECT_EQ(packet.payload[1], i >= 3 ? 0x8a : 0x0a);
      const auto duration = 160u * std::min<std::uint32_t>(static_cast<std::uint32_t>(i) + 1, 4) * durationFactor;
      EXPECT_EQ(loadBigEndian<std::uint16_t>(packet.payload.data() + 2), duration);
    }
    voice.sequenceNumber = static_cast<std::uint16_t>(voice.sequenceNumber + 6);
    voice.timestamp += 6 * 160;
    phoneSpeaks(2);
    EXPECT_EQ(page().received.size(), 8u);
  }
  std::pair<Page&, Phone&> besideOpus(std::vector<Codec> codecsOfPage) {
    Page& caller = signedIn("1003");
    Phone& callee = phone("2003");
    caller.codecs = std::move(codecsOfPage);
    callee.codecs = {kOpus, Phone::digits()};
    callee.onInvite = Phone::OnInvite::Answer;
    caller.call("2003");
    run(500ms);
    caller.takeAnswer();
    expectConnected(caller);
    return {caller, callee};
  }
  void expectDigitAtPhone(std::uint8_t payloadType, std::uint8_t heardAs) {
    phone().received.clear();
    for (const auto& packet : digit(payloadType, 11, pageVoice.sequenceNumber, pageVoice.timestamp, page().ssrc)) {
      page().speak(packet);
      run(20ms);
    }
    pageVoice.sequenceNumber = static_cast<std::uint16_t>(pageVoice.sequenceNumber + 6);
    ASSERT_EQ(phone().received.size(), 6u);
    for (const auto& packet : phone().received) {
      EXPECT_EQ(packet.payloadType, heardAs);
      EXPECT_EQ(packet.payload.at(0), 11);
    }
  }
};

TEST_F(DigitsTest, ADigitOfThePhoneReachesThePageUnderThePagesNumber) {
  for (const bool pageCalls : {true, false}) {
    begin(pageCalls);
    expectDigitAtPage(101, 126);
    expectDigitAtPhone(pageCalls ? 126 : 101, 101);
    voice.sequenceNumber = 3000;
  }
}

TEST_F(DigitsTest, BesideOpusTheDurationIsInThePagesClock) {
  Codec wide = kDigits;
  wide.payloadType = 110;
  wide.clockRate = 48000;
  const auto [caller, callee] = besideOpus({kOpus, wide, kDigits});
  caller.received.clear();
  callee.speak({.payloadType = 111, .sequenceNumber = 1, .timestamp = 960, .ssrc = 0x77});
  for (const auto& packet : digit(101, 5, 2, 1920, 0x77)) callee.speak(packet);
  run(50ms);
  ASSERT_EQ(caller.received.size(), 7u);
  EXPECT_EQ(caller.received[6].payloadType, 110);
  EXPECT_EQ(loadBigEndian<std::uint16_t>(caller.received[6].payload.data() + 2), 4 * 160 * 6);
}

// As captured: it counts the 48 kHz of Opus against an event's 8 kHz, so that each digit is over at once.
TEST_F(DigitsTest, TheEndsThatFirefoxSendsAloneBesideOpusAreWholeDigitsAtThePhone) {
  const auto [caller, callee] = besideOpus({kOpus, kDigits});
  callee.received.clear();
  pageVoice.payloadType = 111;
  auto speak = [&, &caller = caller] {
    caller.speak(pageVoice);
    ++pageVoice.sequenceNumber;
    pageVoice.timestamp += 960;
    run(20ms);
  };
  for (const std::uint8_t event : {1, 5}) {
    speak();
    for (int i = 0; i < 3; ++i) {
      RtpSample end = pageVoice;
      end.payloadType = 126;
      end.marker = true;
      end.payload = {event, 0x8a, 0x03, 0xc0};
      caller.speak(end);
      ++pageVoice.sequenceNumber;
    }
    pageVoice.timestamp += 960;
    run(20ms);
  }
  speak();
  ASSERT_EQ(callee.received.size(), 11u);  // voice, start and three ends, voice, start and three ends, voice
  for (std::size_t i = 0; i < 11; ++i) {
    const auto& packet = callee.received[i];
    EXPECT_EQ(packet.sequenceNumber, static_cast<std::uint16_t>(callee.received[0].sequenceNumber + i));
    EXPECT_EQ(packet.ssrc, callee.received[0].ssrc);
    EXPECT_EQ(packet.timestamp - callee.received[0].timestamp, 960 * (i / 5 * 2 + (i % 5 > 0 ? 1 : 0))) << i;
    EXPECT_EQ(packet.payloadType, i % 5 == 0 ? 111 : 101);
    if (i % 5 == 0) continue;
    const bool start = i % 5 == 1;
    EXPECT_EQ(packet.marker, start) << i;
    const std::uint8_t event = i < 5 ? 1 : 5;
    EXPECT_EQ(packet.payload, start ? (ByteVector{event, 0x0a, 0x00, 0xa0}) : (ByteVector{event, 0x8a, 0x03, 0xc0}))
        << i;
  }
}

TEST_F(DigitsTest, TheFarEndsNumberForDigitsChanges) {
  begin();
  expectDigitAtPage(101, 126);
  Codec other = Phone::digits();
  other.payloadType = 97;
  phone().codecs = {kPcmu, kPcma, other};
  phone().reInvite();
  run(100ms);
  EXPECT_EQ(page().list(), "");
  expectDigitAtPage(97, 126);
  expectDigitAtPhone(126, 97);
}

TEST_F(DigitsTest, EverythingChangesAtOnce) {
  for (const bool pageCalls : {true, false}) {
    begin(pageCalls);
    phoneSpeaks(3);
    pageSpeaks(3);
    Codec other = Phone::digits();
    other.payloadType = 97;
    phone().codecs = {kPcma, kPcmu, other};
    phone().address.port = static_cast<std::uint16_t>(phone().address.port + 500);
    voice = {.payloadType = 8, .sequenceNumber = 65530, .timestamp = 0xfffffff0, .ssrc = 0x99};
    phone().reInvite();
    run(100ms);
    EXPECT_EQ(page().list(), "");
    phoneSpeaks(10);
    pageVoice.payloadType = 8;
    pageSpeaks(3);
    expectOneStream(page().received, 13);
    expectOneStream(phone().received, 6);
    expectDigitAtPage(97, 126);
    expectDigitAtPhone(pageCalls ? 126 : 101, 97);
    EXPECT_EQ(page().list(), "");
    voice = {.sequenceNumber = 100, .timestamp = 1000, .ssrc = 0x77};
    pageVoice.payloadType = 0;
  }
}

}  // namespace
}  // namespace crosspoint::bridge::test
