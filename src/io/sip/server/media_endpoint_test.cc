// Calls to the echo and to the music number through the embedded server, with datagrams sent and received.
#include <gtest/gtest.h>

#include "core/sdp/sdp.h"
#include "io/loop/socket_address.h"
#include "io/sip/phone_for_test.h"
#include "io/sip/server/pending_calls.h"
#include "io/sip/server/sip_server.h"

namespace crosspoint::sip {
namespace {

using test::Phone;
using namespace std::chrono_literals;

std::uint16_t portOf(const loop::FileDescriptor& socket) {
  return loop::boundAddress(socket.get()).value_or(SocketAddress()).port;
}

std::string offerWith(const std::string& sections) {
  return "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n" + sections;
}

std::string audio(std::uint16_t port, const std::string& direction = "sendrecv") {
  return "m=audio " + std::to_string(port) +
         " RTP/AVP 0 8 96 101 18\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:101 telephone-event/8000\r\na=" + direction +
         "\r\n";
}

void sendTo(const loop::FileDescriptor& socket, std::uint16_t port, const std::string& bytes) {
  const sockaddr_in address = test::loopback(port);
  ::sendto(socket.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

std::string receiveOn(const loop::FileDescriptor& socket) {
  char buffer[2048];
  const auto size = ::recv(socket.get(), buffer, sizeof buffer, 0);
  return std::string(buffer, size > 0 ? static_cast<std::size_t>(size) : 0);
}

// RTP of 32 bytes with this payload type and sequence number.
std::string rtp(std::uint8_t payloadType, std::uint16_t sequence) {
  std::string packet(32, 'x');
  packet[0] = static_cast<char>(0x80);
  packet[1] = static_cast<char>(payloadType);
  packet[2] = static_cast<char>(sequence >> 8);
  packet[3] = static_cast<char>(sequence & 0xff);
  return packet;
}

class Media : public testing::Test {
 protected:
  void start(SipServer::Config config = {}) {
    ASSERT_TRUE(thread.start());
    server = std::make_unique<SipServer>(thread, std::move(config));
    ASSERT_TRUE(server->start());
    phone = std::make_unique<Phone>(thread, "1001", server->boundAddress());
  }
  void TearDown() override {
    phone.reset();
    server->stop();
  }
  // The status of an INVITE with this offer; the description if it is 200, which is acknowledged.
  int call(const std::string& number, const std::string& offer) {
    invite = phone->request(Method::Invite, number);
    invite.contentType = "application/sdp";
    invite.body = offer;
    return finish();
  }
  int reInvite(const std::string& offer) {
    Request again = phone->inDialog(Method::Invite, invite, answer, invite.cseq + 1);
    again.contentType = "application/sdp";
    again.body = offer;
    invite = again;
    return finish();
  }
  void hangUp() { phone->response(phone->send(phone->inDialog(Method::Bye, invite, answer, invite.cseq + 1)), 200); }
  const MediaSection& section(std::size_t index) const { return description.sections.at(index); }

  SipThread thread;
  std::unique_ptr<SipServer> server;
  std::unique_ptr<Phone> phone;
  loop::FileDescriptor rtpSocket = test::datagramSocket(), other = test::datagramSocket();
  Request invite;
  Response answer;
  SessionDescription description;

 private:
  int finish() {
    answer = phone->final(phone->send(invite));
    if (answer.status != 200) return answer.status;
    phone->ack(invite, answer);
    auto parsed = sdp::parse(answer.body);
    EXPECT_TRUE(parsed.has_value()) << answer.body;
    description = parsed.value_or(SessionDescription());
    return 200;
  }
};

TEST_F(Media, TheEchoAnswersWithTheCodecsItKnowsAndSendsBackWhatComes) {
  start();
  ASSERT_EQ(call("echo", offerWith(audio(portOf(rtpSocket)))), 200);
  std::vector<int> types;
  for (const auto& codec : section(0).codecs) types.push_back(codec.payloadType);
  EXPECT_EQ(types, (std::vector<int>{0, 8, 96, 101}));
  EXPECT_EQ(section(0).direction, Direction::SendRecv);
  EXPECT_EQ(section(0).port % 2, 0);

  for (std::uint8_t payloadType : {0, 96, 101}) {
    const std::string sent = rtp(payloadType, payloadType);
    sendTo(rtpSocket, section(0).port, sent);
    const std::string back = receiveOn(rtpSocket);
    ASSERT_EQ(back.size(), sent.size());
    EXPECT_EQ(back.substr(0, 8), sent.substr(0, 8));
    EXPECT_NE(back.substr(8, 4), sent.substr(8, 4));
    EXPECT_EQ(back.substr(12), sent.substr(12));
  }
  EXPECT_EQ(server->stats().mediaCalls, 1U);
  EXPECT_EQ(server->stats().mediaPackets, 3U);
  hangUp();
  EXPECT_EQ(server->stats().mediaCalls, 0U);
}

TEST_F(Media, TheEchoSendsRtcpBackOnThePortThatWasNamed) {
  start();
  ASSERT_EQ(call("echo", offerWith(audio(portOf(rtpSocket)) + "a=rtcp:" + std::to_string(portOf(other)) + "\r\n")),
            200);
  const std::string report = std::string("\x80\xc9\x00\x01", 4) + "SSRC";
  sendTo(other, static_cast<std::uint16_t>(section(0).port + 1), report);
  const std::string back = receiveOn(other);
  ASSERT_EQ(back.size(), report.size());
  EXPECT_NE(back, report);
}

TEST_F(Media, TheEchoTakesVideoToo) {
  start();
  const std::string video = "m=video " + std::to_string(portOf(other)) +
                            " RTP/AVPF 100 101\r\na=rtpmap:100 VP8/90000\r\na=rtcp-fb:100 nack pli\r\n"
                            "a=rtpmap:101 AV1/90000\r\na=rtcp-mux\r\n";
  ASSERT_EQ(call("echo", offerWith(audio(portOf(rtpSocket)) + video)), 200);
  ASSERT_EQ(section(1).codecs.size(), 1U);
  EXPECT_EQ(section(1).codecs[0].name, "VP8");
  EXPECT_EQ(section(1).protocol, "RTP/AVPF");
  EXPECT_TRUE(section(1).rtcpMux);
  sendTo(other, section(1).port, rtp(100, 1));
  EXPECT_EQ(receiveOn(other).size(), 32U);
  const std::string pli = std::string("\x81\xce\x00\x02", 4) + "SSRCssrc";
  sendTo(other, section(1).port, pli);
  EXPECT_EQ(receiveOn(other).size(), pli.size());
}

TEST_F(Media, HoldAndResumeAreFollowed) {
  start();
  ASSERT_EQ(call("echo", offerWith(audio(portOf(rtpSocket)))), 200);
  const std::uint16_t port = section(0).port;
  ASSERT_EQ(reInvite(offerWith(audio(portOf(rtpSocket), "sendonly"))), 200);
  EXPECT_EQ(section(0).direction, Direction::RecvOnly);
  EXPECT_EQ(section(0).port, port);
  sendTo(rtpSocket, port, rtp(0, 1));  // on hold: stays there
  ASSERT_EQ(reInvite(offerWith(audio(portOf(rtpSocket), "inactive"))), 200);
  EXPECT_EQ(section(0).direction, Direction::Inactive);
  ASSERT_EQ(reInvite(offerWith(audio(portOf(rtpSocket)))), 200);
  EXPECT_EQ(section(0).direction, Direction::SendRecv);
  sendTo(rtpSocket, port, rtp(0, 2));
  EXPECT_EQ(receiveOn(rtpSocket)[3], 2);
  hangUp();
}

TEST_F(Media, AnOfferWithNothingUsableIsRefused) {
  start();
  EXPECT_EQ(call("echo", offerWith("m=audio 4000 RTP/AVP 18\r\n")), 488);
  EXPECT_EQ(call("echo", offerWith("m=audio 4000 RTP/SAVP 0\r\n")), 488);
  EXPECT_EQ(call("echo", "this is no description"), 488);
  EXPECT_EQ(call("music", offerWith("m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 opus/48000/2\r\n")), 488);
  EXPECT_EQ(server->stats().mediaCalls, 0U);
}

TEST_F(Media, ACallBeyondTheLimitIsBusy) {
  start({.mediaCallsMax = 1});
  ASSERT_EQ(call("echo", offerWith(audio(portOf(rtpSocket)))), 200);
  EXPECT_EQ(call("echo", offerWith(audio(portOf(other)))), 486);
}

TEST_F(Media, ACallThatNobodyEndsIsEnded) {
  start({.mediaCallMax = std::chrono::seconds(0)});
  ASSERT_EQ(call("echo", offerWith(audio(portOf(rtpSocket)))), 200);
  phone->respond(phone->received(Method::Bye), 200);
}

TEST_F(Media, AnInviteWithoutOfferGetsOne) {
  start();
  ASSERT_EQ(call("echo", ""), 200);
  ASSERT_EQ(description.sections.size(), 1U);
  EXPECT_EQ(section(0).codecs.size(), 2U);
}

TEST_F(Media, TheMusicNumberPlaysAtTheRightPace) {
  start();
  ASSERT_EQ(call("music", offerWith(audio(portOf(rtpSocket)))), 200);
  EXPECT_EQ(section(0).direction, Direction::SendOnly);
  std::string last = receiveOn(rtpSocket);
  for (int i = 0; i < 10; ++i) {
    const std::string next = receiveOn(rtpSocket);
    ASSERT_EQ(next.size(), 172U);
    const auto word = [](const std::string& packet, std::size_t at) {
      return loadBigEndian<std::uint32_t>(asBytes(packet).data() + at);
    };
    EXPECT_EQ(word(next, 4) - word(last, 4), 160U);
    EXPECT_EQ(word(next, 8), word(last, 8));
    last = next;
  }
  hangUp();
}

TEST_F(Media, NobodyRegistersAsTheEcho) {
  start();
  Phone thief(thread, "echo", server->boundAddress());
  EXPECT_EQ(thief.registerAt(), 403);
}

TEST_F(Media, CallsThatNobodyAcknowledgesLeaveLinesForOthers) {
  start();
  const auto unacknowledged = [&] {
    Request request = phone->request(Method::Invite, "echo");
    request.contentType = "application/sdp";
    request.body = offerWith(audio(portOf(rtpSocket)));
    return phone->final(phone->send(request)).status;
  };
  for (std::size_t i = 0; i < PendingCalls::kPerSourceMax; ++i) EXPECT_EQ(unacknowledged(), 200);
  EXPECT_EQ(unacknowledged(), 486);
  EXPECT_EQ(server->stats().mediaCalls, PendingCalls::kPerSourceMax);
}

}  // namespace
}  // namespace crosspoint::sip
