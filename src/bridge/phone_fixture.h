// For tests: a SIP phone, our own user agent as the far end, with an RTP port.
#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "bridge/rtp_fixture.h"
#include "core/rtp/classify.h"
#include "core/sdp/sdp.h"
#include "core/sip/user_agent.h"

namespace crosspoint::bridge::test {

inline const Codec kPcmu{.payloadType = 0, .name = "PCMU", .clockRate = 8000};
inline const Codec kPcma{.payloadType = 8, .name = "PCMA", .clockRate = 8000};
inline const Codec kG722{.payloadType = 9, .name = "G722", .clockRate = 8000};
inline const Codec kOpus{.payloadType = 111, .name = "opus", .clockRate = 48000, .channels = 2};
inline const Codec kDigits{.payloadType = 126, .name = "telephone-event", .clockRate = 8000};
inline const Codec kVp8{.payloadType = 96, .name = "VP8", .clockRate = 90000, .feedback = {"nack pli"}};

struct PhoneDoor {
  virtual ~PhoneDoor() = default;
  virtual TimePoint now() const = 0;
  virtual Random& random() = 0;
  virtual void after(Duration, std::function<void()>) = 0;
  virtual void sendSip(const std::string& fromHostPort, sip::Outgoing&&) = 0;
  virtual void sendDatagram(const SocketAddress& from, const SocketAddress& to, Bytes) = 0;
};

class Phone {
 public:
  enum class OnInvite : std::uint8_t { Ring, Answer, Nothing };

  Phone(PhoneDoor& door, std::string itsUser, std::uint16_t port)
      : user(std::move(itsUser)),
        hostPort("10.2.0.1:" + std::to_string(port)),
        address{IpAddress::v4(0x0a020001), static_cast<std::uint16_t>(port + 2)},
        door_(door),
        agent_(agentConfig(hostPort), door.random(), door.now()) {}

  // ---- what it does ----

  void call(const std::string& to, bool withOffer = true) { invite({.to = to}, withOffer); }
  // A call that takes the place of another one (RFC 3891).
  void callReplacing(const std::string& to, sip::Replaces replaces, bool withOffer = true) {
    invite({.to = to, .replaces = std::move(replaces)}, withOffer);
  }
  void refer(const std::string& to, std::optional<sip::Replaces> replaces = {}) {
    ASSERT_TRUE(agent_.refer(door_.now(), *call_, to, std::move(replaces)));
    drain();
  }
  void acceptRefer() {
    ASSERT_TRUE(agent_.acceptRefer(door_.now(), refers.back().call, refers.back().refer));
    drain();
  }
  void notifyRefer(int status) {
    ASSERT_TRUE(agent_.notifyRefer(door_.now(), refers.back().call, refers.back().refer, status));
    drain();
  }
  // Its call as the other end must find it named in a Replaces header.
  sip::Replaces dialog() const { return agent_.dialogOf(*call_).value_or(sip::Replaces{}); }
  void ring() {
    ASSERT_TRUE(agent_.ring(door_.now(), *call_));
    drain();
  }
  void progress() {
    ASSERT_TRUE(agent_.progress(door_.now(), *call_, describe()));
    drain();
  }
  void answer() {
    ASSERT_TRUE(agent_.accept(door_.now(), *call_, describe(), headers));
    drain();
  }
  void reject(int status) {
    ASSERT_TRUE(agent_.reject(door_.now(), *call_, status));
    drain();
  }
  void hangUp(std::optional<sip::Reason> reason = {}) {
    ASSERT_TRUE(agent_.hangUp(door_.now(), *call_, std::move(reason)));
    drain();
  }
  void reInvite(bool withOffer = true) {
    ASSERT_TRUE(agent_.reInvite(door_.now(), *call_, withOffer ? std::optional(describe()) : std::nullopt));
    drain();
  }
  void reInvite(Direction offered) {
    direction = offered;
    reInvite();
  }
  void update(Direction offered) {
    direction = offered;
    update();
  }
  void update() {
    ASSERT_TRUE(agent_.update(door_.now(), *call_, describe()));
    drain();
  }
  void info(std::string type, std::string body) {
    ASSERT_TRUE(agent_.sendInfo(door_.now(), *call_, std::move(type), std::move(body)));
    drain();
  }
  // RTP to where the bridge said that it receives.
  void speak(const RtpSample& sample, std::optional<SocketAddress> from = {}) {
    const ByteVector packet = toPacket(sample);
    door_.sendDatagram(from.value_or(address), sentTo(sample.payloadType == kVp8.payloadType ? 1 : 0), packet);
  }
  void sendRtcp(Bytes compound, std::size_t section = 0, std::optional<SocketAddress> from = {}) {
    SocketAddress to = sentTo(section);
    ++to.port;
    door_.sendDatagram(from.value_or(SocketAddress{address.ip, static_cast<std::uint16_t>(address.port + 1)}), to,
                       compound);
  }

  // ---- what it is like ----

  const std::string user, hostPort;
  SocketAddress address;  // of its RTP; video is four ports above
  std::vector<Codec> codecs{kPcmu, kPcma, digits()};
  bool video = false;
  Direction direction = Direction::SendRecv;
  std::optional<IpAddress> holdAddress;  // written in c= instead of its own
  OnInvite onInvite = OnInvite::Ring;
  std::function<std::string()> describeOtherwise;  // SDP in place of its own
  std::vector<sip::Header> headers;                // of its INVITE and its 200

  // ---- what it has seen ----

  bool ringing() const { return call_ && !established_; }
  bool established() const { return call_ && established_; }
  const std::vector<SessionDescription>& descriptions() const { return descriptions_; }  // of the bridge
  const SessionDescription& described() const { return descriptions_.at(descriptions_.size() - 1); }
  std::vector<sip::Ended> ended;
  std::vector<sip::InfoReceived> infos;
  std::vector<sip::Header> headersReceived;  // of the last INVITE or 200
  std::vector<sip::ReferReceived> refers;
  std::vector<sip::ReferProgress> referProgress;
  std::vector<int> offersFailed;
  std::size_t offersReceived = 0, provisionals = 0;
  std::vector<RtpSample> received, receivedVideo;
  std::vector<ByteVector> rtcpReceived;
  std::size_t leftovers() const { return agent_.callCount(); }

  // ---- for the world ----

  void handleSip(sip::Incoming&& incoming) {
    agent_.handle(door_.now(), std::move(incoming));
    drain();
  }
  void handleTimeout() {
    agent_.handleTimeout(door_.now());
    drain();
  }
  std::optional<TimePoint> nextTimeout() const { return agent_.nextTimeout(); }
  void handleDatagram(const SocketAddress&, const SocketAddress& to, Bytes bytes) {
    if (to.ip != address.ip || to.port < address.port || to.port > address.port + 5) return;
    if (rtp::classify(bytes) == rtp::PacketClass::Rtcp) {
      rtcpReceived.emplace_back(bytes.begin(), bytes.end());
    } else if (const auto view = rtp::PacketView::parse(bytes)) {
      (to.port == address.port ? received : receivedVideo).push_back(toSample(*view));
    }
  }

  // A phone's own number for telephone-event.
  static Codec digits() {
    Codec codec = kDigits;
    codec.payloadType = 101;
    return codec;
  }

 private:
  static sip::Config agentConfig(const std::string& hostPort) {
    sip::Config config;
    config.contact = *sip::Uri::parse("sip:" + hostPort);
    config.server = *sip::Uri::parse("sip:10.0.0.1:5060");
    config.domain = "example.test";
    return config;
  }
  SocketAddress sentTo(std::size_t section) const {
    const auto& description = described();
    const auto& found = description.sections.at(section);
    const auto host = found.connection ? found.connection : description.connection;
    return {host.value_or(IpAddress()), found.port};
  }
  std::string describe() {
    if (describeOtherwise) return describeOtherwise();
    SessionDescription description;
    description.sessionId = 1;
    description.sessionVersion = ++version_;
    description.originAddress = address.ip;
    description.connection = holdAddress.value_or(address.ip);
    MediaSection audio;
    audio.port = address.port;
    audio.codecs = codecs;
    audio.direction = direction;
    description.sections = {audio};
    if (video || (!descriptions_.empty() && described().sections.size() > 1)) {
      MediaSection section;
      section.kind = MediaKind::Video;
      section.media = "video";
      section.port = video ? static_cast<std::uint16_t>(address.port + 4) : 0;
      section.codecs = {kVp8};
      description.sections.push_back(section);
    }
    return sdp::write(description);
  }
  void readSdp(const std::optional<std::string>& text) {
    if (!text) return;
    const auto description = sdp::parse(*text);
    ASSERT_TRUE(description) << *text;
    descriptions_.push_back(*description);
  }
  void invite(sip::InviteParameters parameters, bool withOffer) {
    parameters.fromUser = user;
    if (withOffer) parameters.sdp = describe();
    parameters.extraHeaders = headers;
    const auto made = agent_.invite(door_.now(), std::move(parameters));
    ASSERT_TRUE(made);
    call_ = *made;
    established_ = false;
    drain();
  }
  static void expect(const sip::CommandResult& result) { EXPECT_TRUE(result) << sip::toString(result.error()); }
  void handle(const sip::Event& event) {
    const TimePoint now = door_.now();
    if (const auto* incoming = std::get_if<sip::IncomingCall>(&event)) {
      const auto replaced = std::exchange(call_, incoming->call);
      established_ = false;
      headersReceived = incoming->extraHeaders;
      readSdp(incoming->sdp);
      if (incoming->replaces) {
        EXPECT_EQ(incoming->replaces, replaced);
        expect(agent_.accept(now, *call_, describe(), headers));
        return expect(agent_.hangUp(now, *incoming->replaces));
      }
      if (onInvite != OnInvite::Nothing) expect(agent_.ring(now, *call_));
      if (onInvite == OnInvite::Answer) expect(agent_.accept(now, *call_, describe(), headers));
    } else if (std::holds_alternative<sip::Ringing>(event)) {
      ++provisionals;
    } else if (const auto* answered = std::get_if<sip::Answered>(&event)) {
      established_ = true;
      headersReceived = answered->extraHeaders;
      readSdp(answered->sdp);
      if (answered->isOffer) expect(agent_.answerOffer(now, answered->call, describe()));
    } else if (const auto* confirmed = std::get_if<sip::Confirmed>(&event)) {
      established_ = true;
      readSdp(confirmed->sdp);
    } else if (const auto* offer = std::get_if<sip::OfferReceived>(&event)) {
      ++offersReceived;
      readSdp(offer->sdp);
      ASSERT_TRUE(agent_.answerOffer(now, offer->call, describe()));
    } else if (const auto* answer = std::get_if<sip::OfferAnswered>(&event)) {
      readSdp(answer->sdp);
    } else if (const auto* failed = std::get_if<sip::OfferFailed>(&event)) {
      offersFailed.push_back(failed->status);
    } else if (const auto* info = std::get_if<sip::InfoReceived>(&event)) {
      infos.push_back(*info);
    } else if (const auto* refer = std::get_if<sip::ReferReceived>(&event)) {
      refers.push_back(*refer);
    } else if (const auto* progress = std::get_if<sip::ReferProgress>(&event)) {
      referProgress.push_back(*progress);
    } else if (const auto* end = std::get_if<sip::Ended>(&event)) {
      ended.push_back(*end);
      if (call_ == end->call) call_.reset();
    }
  }
  void drain() {
    while (auto output = agent_.pollOutput()) {
      if (auto* outgoing = std::get_if<sip::Outgoing>(&*output))
        door_.sendSip(hostPort, std::move(*outgoing));
      else
        handle(std::get<sip::Event>(*output));
    }
  }

  PhoneDoor& door_;
  sip::UserAgent agent_;
  std::optional<sip::CallId> call_;
  bool established_ = false;
  std::uint64_t version_ = 0;
  std::vector<SessionDescription> descriptions_;
};

}  // namespace crosspoint::bridge::test
