// For tests: a page with a real WebRTC peer. It fetches its messages and keeps them; what it posts is up to the test.
#pragma once
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <memory>
#include <string>
#include <vector>

#include "bridge/page.h"
#include "bridge/phone_fixture.h"
#include "core/dtls/context.h"
#include "core/roap/message.h"
#include "core/rtp/rtcp.h"
#include "peer/peer.h"

namespace crosspoint::bridge::test {

struct PageDoor {
  virtual ~PageDoor() = default;
  virtual TimePoint now() const = 0;
  virtual Random& random() = 0;
  virtual RequestId request(PageRequest&&) = 0;
  virtual void closed(RequestId) = 0;
  virtual RequestId nextRequest() = 0;
  virtual void sendDatagram(const SocketAddress& from, const SocketAddress& to, Bytes) = 0;
};

// Of the first section of an OFFER or ANSWER.
inline std::vector<std::string> codecNames(const roap::Message& message) {
  std::vector<std::string> names;
  const auto description = sdp::parse(message.sdp);
  if (!description || description->sections.empty()) return names;
  for (const auto& codec : description->sections[0].codecs) names.push_back(codec.name);
  return names;
}

class Page {
 public:
  struct Received {
    std::string body, peer;
  };

  Page(PageDoor& door, const dtls::Context& dtls, std::string itsUser, std::uint16_t port)
      : user(std::move(itsUser)), door_(door), dtls_(&dtls), address_{IpAddress::v4(0x0a030001), port} {}

  // ---- HTTP ----

  RequestId signIn(std::optional<std::string> password = {}) {
    signIn_ = door_.nextRequest();
    door_.request(SignIn{*signIn_, user, std::move(password)});
    return *signIn_;
  }
  void poll() {
    poll_ = door_.nextRequest();
    Wait wait{.request = *poll_, .ssid = ssid};
    if (counts) wait.acknowledged = lastSequence_, wait.features = "ack,progress";
    if (provisional) wait.features += ",provisional";
    door_.request(std::move(wait));
  }
  void stopPolling() {
    polls = false;
    if (poll_) door_.closed(*poll_);
    poll_.reset();
  }
  void goOnPolling() {
    polls = true;
    poll();
  }
  void abortSignIn() { door_.closed(*signIn_); }
  void signOut() { door_.request(SignOut{door_.nextRequest(), ssid}); }
  PageReply post(std::string body, std::optional<std::string> to = {}) {
    posted_ = door_.nextRequest();
    door_.request(PageMessage{*posted_, ssid, to.value_or(peerName), std::move(body)});
    return {};
  }

  // ---- calls ----

  // A fresh peer connection; `offer`: the first description is ours.
  void connect(bool offer) {
    ssrc = door_.random().next<std::uint32_t>();
    rtc = std::make_unique<peer::Peer>(
        peer::Config{.iceRole = offer ? peer::Role::Controlling : peer::Role::Controlled,
                     .local = {door_.random().alphanumeric(4), door_.random().alphanumeric(24)},
                     .sockets = {{kSocket, address_}},
                     .dtls = DtlsSetup::Active,
                     .context = dtls_},
        door_.random(), door_.now());
    drain();
  }
  // As a browser does when its peer connection is renewed: new credentials, fingerprint and port.
  void renew(const dtls::Context& dtls) {
    dtls_ = &dtls;
    address_.port = static_cast<std::uint16_t>(address_.port + 1000);
    seq = 0;
    connect(true);
  }
  // Its network has changed: what it sends comes from elsewhere, and its candidates are those of before.
  void move() { address_.port = static_cast<std::uint16_t>(address_.port + 500); }
  void restartIce() { rtc->restartIce(door_.now(), {door_.random().alphanumeric(4), door_.random().alphanumeric(24)}); }
  // What is posted, as with the others that post.
  std::string call(std::string to) {
    peerName = std::move(to);
    ++offererId;
    seq = 0;
    connect(true);
    return offer();
  }
  std::string offer(Direction offered) {
    direction = offered;
    return offer();
  }
  std::string offer() {
    const std::string body = offerBody(describe(true));
    post(body);
    return body;
  }
  std::string offerBody(std::string sdp) {
    return roap::fromPage({.type = roap::MessageType::Offer,
                           .sdp = std::move(sdp),
                           .offererSessionId = roap::SessionId::number(offererId),
                           .seq = ++seq,
                           .tiebreaker = 1 + static_cast<std::uint32_t>(door_.random().below(400'000'000)),
                           .attachedData = attached});
  }
  // Takes the ANSWER and sends the OK.
  roap::Message takeAnswer() {
    auto message = take(roap::MessageType::Answer);
    if (message.sdp.empty()) return message;
    applied(message.sdp);
    post(roap::fromPage({.type = roap::MessageType::Ok,
                         .offererSessionId = message.offererSessionId,
                         .answererSessionId = message.answererSessionId,
                         .seq = message.seq}));
    return message;
  }
  // Takes an ANSWER that another one follows.
  roap::Message takeProvisionalAnswer() {
    auto message = take(roap::MessageType::Answer);
    EXPECT_TRUE(message.moreComing) << user;
    if (!message.sdp.empty()) applied(message.sdp);
    return message;
  }
  // Takes an OFFER of the gateway and answers it, for good or for the time being: then answer() follows.
  roap::Message answerOffer(bool moreComing = false) {
    auto message = take(roap::MessageType::Offer);
    if (message.sdp.empty()) return message;
    if (!rtc) connect(false);
    seq = message.seq.value_or(0);
    applied(message.sdp);
    answer(message, moreComing);
    return message;
  }
  void answerIfOffered() {
    if (count("SDP ") > 0) answerOffer();
  }
  std::string answer(const roap::Message& offer, bool moreComing = false) {
    const std::string body = roap::fromPage({.type = roap::MessageType::Answer,
                                             .sdp = describe(false),
                                             .offererSessionId = offer.offererSessionId,
                                             .answererSessionId = roap::SessionId::number(kAnswererId),
                                             .seq = offer.seq,
                                             .moreComing = moreComing,
                                             .attachedData = attached});
    post(body);
    return body;
  }
  void hangUp() {
    post("BYE");
    rtc.reset();
  }

  // ---- media ----

  void speak(RtpSample sample) {
    if (sample.ssrc == 0) sample.ssrc = ssrc;
    const ByteVector packet = toPacket(sample);
    transmit(packet, false);
  }
  void sendRtcp(Bytes compound) { transmit(compound, true); }
  bool connected() const { return rtc && rtc->state() == peer::State::Connected; }

  // ---- what it has received ----

  // The oldest message of that kind, taken out; a failure if there is none.
  roap::Message take(roap::MessageType type) {
    for (auto it = messages.begin(); it != messages.end(); ++it) {
      if (!it->body.starts_with("SDP ")) continue;
      const auto message = roap::parseMessage(it->body.substr(4));
      if (!message || message->type != type) continue;
      lastPeer = it->peer;
      messages.erase(it);
      return *message;
    }
    ADD_FAILURE() << user << " has no " << roap::toString(type) << " among: " << list();
    return {};
  }
  std::string take(std::string_view prefix) {
    for (auto it = messages.begin(); it != messages.end(); ++it) {
      if (!it->body.starts_with(prefix)) continue;
      std::string body = it->body;
      lastPeer = it->peer;
      messages.erase(it);
      return body;
    }
    ADD_FAILURE() << user << " has no " << prefix << " among: " << list();
    return {};
  }
  std::size_t count(std::string_view prefix) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(messages, [&](const auto& m) { return m.body.starts_with(prefix); }));
  }
  // Types of messages in order, statistics left out: "ANSWER", "ERROR", "BYE", ...
  std::string list() const {
    std::string text;
    for (const auto& message : messages) {
      if (message.body.starts_with("PUT-STATS")) continue;
      std::string word = message.body.substr(0, message.body.find(' '));
      if (word == "SDP") {
        const auto parsed = roap::parseMessage(message.body.substr(4));
        word = parsed ? std::string(roap::toString(parsed->type)) : "?";
      }
      text += (text.empty() ? "" : " ") + word;
    }
    return text;
  }

  const std::string user;
  std::string ssid, peerName, lastPeer;
  std::optional<PageReply> signInReply, waitReply, postReply;
  std::vector<Received> messages;
  std::vector<RtpSample> received, receivedVideo;
  std::vector<ByteVector> rtcpReceived;
  std::unique_ptr<peer::Peer> rtc;

  bool counts = false;       // uses the ack extension
  bool provisional = false;  // understands moreComing
  bool polls = true;
  std::vector<Codec> codecs{kOpus, kG722, kPcmu, kPcma, kDigits};
  std::vector<Codec> videoCodecs{kVp8};
  bool video = false;
  Direction direction = Direction::SendRecv;
  std::vector<roap::AttachedItem> attached;  // in every message, as pages in the field do it
  static constexpr std::uint64_t kAnswererId = 7;
  std::uint64_t offererId = 100;
  std::uint32_t seq = 0;
  std::uint32_t ssrc = 0;
  std::function<void(SessionDescription&)> changeSdp;  // the last word on what is sent

  std::string describe(bool offer) const {
    SessionDescription description;
    description.originAddress = IpAddress::v4(0x7f000001);
    description.sections = {section("audio", "0", offer)};
    description.bundles = {{"0"}};
    if (video || (remote && remote->sections.size() > 1)) {
      description.sections.push_back(section("video", "1", offer));
      if (video)
        description.bundles[0].push_back("1");
      else
        description.sections[1].port = 0;
    }
    if (changeSdp) changeSdp(description);
    return sdp::write(description);
  }
  std::optional<SessionDescription> remote;  // the gateway's last description

  // ---- for the world ----

  const SocketAddress& address() const { return address_; }
  bool owns(RequestId request) const { return request == signIn_ || request == poll_ || request == posted_; }
  void handleReply(const PageReply& reply) {
    if (reply.request == posted_) {
      postReply = reply;
    } else if (reply.request == signIn_) {
      signInReply = reply;
      signIn_.reset();
      if (reply.status == 200) ssid = reply.body.substr(3, reply.body.find('\n') - 3);
    } else {
      waitReply = reply;
      poll_.reset();
      const bool repeated = counts && reply.sequence && *reply.sequence <= lastSequence_;
      if (reply.sequence) lastSequence_ = std::max(lastSequence_, *reply.sequence);
      if (!reply.body.empty() && !repeated && reply.status == 200) messages.push_back({reply.body, reply.peer});
      if (polls && reply.status == 200) poll();
    }
  }
  void handleTimeout() {
    if (!rtc) return;
    rtc->handleTimeout(door_.now());
    drain();
  }
  std::optional<TimePoint> nextTimeout() const { return rtc ? rtc->nextTimeout() : std::nullopt; }
  void handleDatagram(const SocketAddress& from, Bytes bytes) {
    if (!rtc) return;
    std::array<std::uint8_t, kDatagramCapacity> buffer;
    std::copy(bytes.begin(), bytes.end(), buffer.begin());
    Datagram datagram{kSocket, from, buffer.data(), static_cast<std::uint32_t>(bytes.size()), buffer.size()};
    const auto kind = rtc->handleDatagram(door_.now(), datagram);
    const Bytes plain = datagram.bytes();
    if (kind == peer::Received::Rtcp) rtcpReceived.emplace_back(plain.begin(), plain.end());
    const auto view = kind == peer::Received::Rtp ? rtp::PacketView::parse(plain) : std::nullopt;
    if (view) (view->payloadType() == kVp8.payloadType ? receivedVideo : received).push_back(toSample(*view));
    drain();
  }

 private:
  static constexpr SocketId kSocket{1};

  MediaSection section(const char* media, const char* mid, bool offer) const {
    MediaSection made;
    made.media = media;
    made.kind = made.media == "audio" ? MediaKind::Audio : MediaKind::Video;
    made.protocol = "RTP/SAVPF";
    made.mid = mid;
    made.codecs = made.kind == MediaKind::Audio ? codecs : videoCodecs;
    made.direction = direction;
    made.rtcpMux = true;
    made.connection = IpAddress();
    made.ice = rtc->localCredentials();
    made.candidates = rtc->localCandidates();
    made.fingerprints = {dtls_->fingerprint()};
    made.setup = offer ? DtlsSetup::ActPass : DtlsSetup::Active;
    return made;
  }
  void applied(const std::string& text) {
    const auto description = sdp::parse(text);
    ASSERT_TRUE(description) << text;
    remote = *description;
    for (const auto& found : description->sections) {
      if (found.refused() || !found.ice) continue;
      rtc->setRemote(door_.now(), {.ice = *found.ice, .fingerprints = found.fingerprints, .setup = DtlsSetup::Passive});
      for (const auto& candidate : found.candidates) rtc->addRemoteCandidate(door_.now(), candidate);
      break;
    }
    rtc->localDescriptionSent(door_.now());
    drain();
  }
  void transmit(Bytes plain, bool rtcp) {
    std::array<std::uint8_t, kDatagramCapacity> buffer;
    std::copy(plain.begin(), plain.end(), buffer.begin());
    Datagram datagram{
        .data = buffer.data(), .size = static_cast<std::uint32_t>(plain.size()), .capacity = buffer.size()};
    ASSERT_TRUE(rtcp ? rtc->protectRtcp(datagram) : rtc->protectRtp(datagram)) << user << " is not connected";
    door_.sendDatagram(address_, datagram.remote, datagram.bytes());
  }
  void drain() {
    if (!rtc) return;
    while (auto output = rtc->pollOutput()) {
      if (auto* send = std::get_if<peer::SendDatagram>(&*output))
        door_.sendDatagram(address_, send->remote, send->bytes);
    }
  }

  PageDoor& door_;
  const dtls::Context* dtls_;
  SocketAddress address_;
  std::optional<RequestId> signIn_, poll_, posted_;
  std::uint64_t lastSequence_ = 0;
};

}  // namespace crosspoint::bridge::test
