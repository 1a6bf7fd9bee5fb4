// A call of a page that is forked: several early dialogs, of which one answers.
#include <gtest/gtest.h>

#include "bridge/bridge_fixture.h"

namespace crosspoint::bridge::test {
namespace {

struct ForkTest : testing::Test, BridgeWorld {
  // SDP of a far end that the test plays itself.
  static std::string sdpOf(const SocketAddress& address, const Codec& codec) {
    SessionDescription description;
    description.originAddress = address.ip;
    description.connection = address.ip;
    MediaSection audio;
    audio.port = address.port;
    audio.codecs = {codec};
    description.sections = {audio};
    return sdp::write(description);
  }

  const SocketAddress a{IpAddress::v4(0x0a020001), 41000}, b{IpAddress::v4(0x0a020001), 42000};
  const SocketAddress natOfA{IpAddress::v4(0x0a0c0001), 1234}, natOfB{IpAddress::v4(0x0a0c0002), 1234};

  // The page's INVITE stays with the test, which answers it as two phones behind one number.
  void call(Page& caller) {
    intercept = [this](const std::string&, const sip::SendRequest& sent) {
      if (sent.request.method == sip::Method::Invite) invite = sent;
      return sent.request.method != sip::Method::Register;
    };
    caller.call("2001");
    run(100ms);
    ASSERT_TRUE(invite);
    const auto offered = sdp::parse(invite->request.body);
    ASSERT_TRUE(offered);
    gatewayPort = {offered->connection.value_or(IpAddress()), offered->sections.at(0).port};
  }
  // It is a page with our own client, whose media is connected while they ring.
  Page& callOfOurPage() {
    Page& caller = ourPage("1001");
    call(caller);
    caller.takeProvisionalAnswer();
    expectConnected(caller);
    return caller;
  }
  // It is a client in the field, which gets its one answer with the early media of `a`.
  Page& callWithEarlyAnswer() {
    config.earlyMedia = true;
    Page& caller = signedIn("1001");
    call(caller);
    early("a", a, kPcmu);
    EXPECT_EQ(codecNames(caller.takeAnswer()), std::vector<std::string>{"PCMU"});
    expectConnected(caller);
    return caller;
  }
  void early(const char* tag, const SocketAddress& at, const Codec& codec) {
    respond(*invite, 183, "Session Progress", sdpOf(at, codec), tag);
    run(20ms);
  }
  void ended(const char* tag) {
    respond(*invite, 199, "Early Dialog Terminated", {}, tag);
    run(20ms);
  }
  void answer(const char* tag, const SocketAddress& at, const Codec& codec) {
    respond(*invite, 200, "OK", sdpOf(at, codec), tag);
    run(20ms);
  }
  // How many of three packets from there the page hears.
  std::size_t heard(Page& caller, const SocketAddress& from, std::uint32_t ssrc, std::uint8_t payloadType = 0) {
    voice_.ssrc = ssrc;
    voice_.payloadType = payloadType;
    return BridgeWorld::heard(caller.received, voice_,
                              [&](const RtpSample& packet) { sendDatagram(from, gatewayPort, toPacket(packet)); });
  }

  std::optional<sip::SendRequest> invite;
  SocketAddress gatewayPort;

 private:
  RtpSample voice_{.sequenceNumber = 1, .timestamp = 160};
};

TEST_F(ForkTest, TheLastToSpeakIsHeardUntilOneAnswers) {
  Page& caller = callOfOurPage();
  early("a", a, kPcmu);
  EXPECT_EQ(heard(caller, a, 0xa), 3u);
  early("b", b, kPcmu);
  EXPECT_EQ(heard(caller, b, 0xb), 3u);
  EXPECT_EQ(heard(caller, a, 0xa), 0u);
  answer("a", a, kPcmu);
  EXPECT_EQ(heard(caller, b, 0xb), 0u);
  EXPECT_EQ(heard(caller, a, 0xa), 3u);
  expectOneStream(caller.received, 9);
}

// RFC 6228.
TEST_F(ForkTest, WhenTheOneThatIsHeardHasGoneTheOneBeforeIsHeardAgain) {
  Page& caller = callOfOurPage();
  early("a", a, kPcma);
  early("b", b, kPcmu);
  EXPECT_EQ(heard(caller, b, 0xb), 3u);
  ended("b");
  EXPECT_EQ(heard(caller, b, 0xb), 0u);
  EXPECT_EQ(heard(caller, a, 0xa, 8), 3u);
  for (const char* codec : {"PCMA", "PCMU", "PCMA"}) {
    EXPECT_EQ(codecNames(caller.takeProvisionalAnswer()), std::vector<std::string>{codec});
  }
  ended("a");
  EXPECT_EQ(heard(caller, a, 0xa, 8), 3u) << "nobody else is there to be heard";
}

TEST_F(ForkTest, WhenAnotherOneHasGoneNothingChanges) {
  Page& caller = callOfOurPage();
  early("a", a, kPcmu);
  early("b", b, kPcmu);
  ended("a");
  EXPECT_EQ(heard(caller, b, 0xb), 3u);
  EXPECT_EQ(heard(caller, a, 0xa), 0u);
}

TEST_F(ForkTest, AForkThatWasLeftCannotTakeTheStreamFromOneBehindNat) {
  Page& caller = callOfOurPage();
  early("a", a, kPcmu);
  EXPECT_EQ(heard(caller, natOfA, 0xa), 3u);
  early("b", b, kPcmu);
  EXPECT_EQ(heard(caller, natOfA, 0xa), 0u);  // it goes on for a while
  EXPECT_EQ(heard(caller, natOfB, 0xb), 3u);
  answer("a", a, kPcmu);
  EXPECT_EQ(heard(caller, natOfB, 0xb), 0u);
  EXPECT_EQ(heard(caller, natOfA, 0xa), 3u);
  // What the page says goes to the one that answered.
  std::size_t toA = 0;
  caller.takeProvisionalAnswer();
  caller.takeAnswer();
  watch = [&](const SocketAddress&, const SocketAddress& to, Bytes) { toA += to == natOfA ? 1 : 0; };
  caller.speak({.sequenceNumber = 1});
  run(50ms);
  EXPECT_EQ(toA, 1u);
}

TEST_F(ForkTest, AnotherForkWithAnotherCodecAnswersAClientInTheFieldThatHadItsAnswer) {
  Page& caller = callWithEarlyAnswer();
  EXPECT_EQ(heard(caller, a, 0xa), 3u);
  answer("b", b, kPcma);
  run(100ms);
  EXPECT_EQ(caller.list(), "OFFER");  // it must send PCMA now
  EXPECT_EQ(codecNames(caller.answerOffer()).at(0), "PCMA");
  run(100ms);
  EXPECT_EQ(caller.list(), "OK");
  EXPECT_EQ(heard(caller, b, 0xb, 8), 3u);
  EXPECT_EQ(heard(caller, a, 0xa), 0u);
}

TEST_F(ForkTest, AnotherForkWithTheSameCodecDoesNotBotherThePage) {
  Page& caller = callWithEarlyAnswer();
  answer("b", b, kPcmu);
  run(1s);
  EXPECT_EQ(caller.list(), "");
  EXPECT_EQ(heard(caller, b, 0xb), 3u);
}

TEST_F(ForkTest, OurPageIsNeverRenegotiatedForAFork) {
  Page& caller = callOfOurPage();
  early("a", a, kPcmu);
  early("b", b, kPcma);
  EXPECT_EQ(heard(caller, b, 0xb, 8), 3u);
  answer("a", a, kPcmu);
  run(100ms);
  EXPECT_EQ(codecNames(caller.takeProvisionalAnswer()), std::vector<std::string>{"PCMU"});
  EXPECT_EQ(codecNames(caller.takeProvisionalAnswer()), std::vector<std::string>{"PCMA"});
  EXPECT_EQ(codecNames(caller.takeAnswer()), std::vector<std::string>{"PCMU"});
  EXPECT_EQ(caller.count("SDP "), 0u);
  EXPECT_EQ(heard(caller, a, 0xa), 3u);
}

}  // namespace
}  // namespace crosspoint::bridge::test
