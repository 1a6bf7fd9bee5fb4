// Calls through the gateway: every page signs in anonymously over HTTP as a client in the field would, with a whole
// WebRTC peer (ICE, DTLS-SRTP) of its own, and keeps a hanging GET open. Many calls are set up at once.
#include <stdexcept>

#include "bench/far_end.h"
#include "bench/gateway_process.h"
#include "bench/http_client.h"
#include "bench/target.h"
#include "core/dtls/context.h"
#include "core/roap/message.h"
#include "core/sdp/sdp.h"
#include "crypto/certificate.h"
#include "crypto/hash.h"
#include "io/loop/clock.h"

namespace crosspoint::bench {
namespace {

constexpr std::size_t kSetUpAtOnce = 128;
constexpr std::size_t kTimersPerTick = 32;  // a share of the peers at every tick is soon enough
constexpr Duration kSetUpMax = std::chrono::seconds(15);

// The page's half of the media.
class PeerEnd final : public PageEnd {
 public:
  PeerEnd(const peer::Config& config, Media& media, Random& random, TimePoint now)
      : peer_(config, random, now), media_(media), socket_(config.sockets.front().id) {}
  bool protect(Datagram& datagram) override { return peer_.protectRtp(datagram); }
  bool receive(TimePoint now, Datagram& datagram) override {
    const auto received = peer_.handleDatagram(now, datagram);
    if (received == peer::Received::Control) drain();
    return received == peer::Received::Rtp;
  }
  void tick(TimePoint now) {
    if (const auto due = peer_.nextTimeout(); due && *due <= now) {
      peer_.handleTimeout(now);
      drain();
    }
  }
  void drain() {
    while (auto output = peer_.pollOutput()) {
      if (auto* send = std::get_if<peer::SendDatagram>(&*output)) {
        media_.sockets().send(socket_, send->remote, send->bytes);
      }
    }
  }
  peer::Peer& peer() { return peer_; }

 private:
  peer::Peer peer_;
  Media& media_;
  SocketId socket_;
};

// The page's half of the signalling.
struct PageCall {
  enum class State : std::uint8_t { SigningIn, Offering, Waiting, Connecting, Connected };

  State state = State::SigningIn;
  std::string number;
  HttpClient http;
  std::string ssid;
  Flow* flow = nullptr;
  PeerEnd* page = nullptr;  // flow->page
};

class GatewayTarget final : public Target {
 public:
  GatewayTarget(const std::string& binary, int cpu, Media& media)
      : media_(media),
        certificate_(crypto::Certificate::selfSigned(loop::wallNow())),
        dtls_(certificate_),
        gateway_(binary, cpu, {"sip.server=sip:" + farEnd_.address() + ";transport=udp"}) {
    media_.tick = [this](TimePoint now) { tick(now); };
  }
  ~GatewayTarget() override { media_.tick = nullptr; }
  Process& process() override { return gateway_.process(); }

  void setUp(Media& media, std::size_t calls) override {
    wanted_ += calls;
    if (media.runUntil(kSetUpMax + std::chrono::milliseconds(20) * calls, [&] { return connected_ == wanted_; }))
      return;
    throw std::runtime_error("only " + std::to_string(connected_) + " of " + std::to_string(wanted_) +
                             " calls came up");
  }

 private:
  void tick(TimePoint now) {
    farEnd_.tick(now);
    while (calls_.size() < wanted_ && calls_.size() - connected_ < kSetUpAtOnce) begin(now);
    for (std::size_t i = connected_; i < calls_.size(); ++i) {
      advance(now, *calls_[i]);
      // Calls that are up lie in front.
      if (calls_[i]->state == PageCall::State::Connected) std::swap(calls_[i], calls_[connected_++]);
    }
    for (std::size_t i = 0; i < std::min(connected_, kTimersPerTick); ++i) {
      nextTimer_ = (nextTimer_ + 1) % connected_;
      calls_[nextTimer_]->page->tick(now);
    }
  }

  void begin(TimePoint now) {
    Flow flow{.pageSocket = media_.sockets().open(),
              .farSocket = media_.sockets().open(),
              .pageSsrc = random_.next<std::uint32_t>(),
              .farSsrc = random_.next<std::uint32_t>()};
    auto page = std::make_unique<PeerEnd>(
        peer::Config{.iceRole = peer::Role::Controlling,
                     .local = {random_.alphanumeric(8), random_.alphanumeric(24)},
                     .sockets = {{flow.pageSocket, media_.sockets().address(flow.pageSocket)}},
                     .dtls = DtlsSetup::Active,
                     .context = &dtls_},
        media_, random_, now);
    PeerEnd* const end = page.get();
    flow.page = std::move(page);
    const std::string number = std::to_string(100000 + calls_.size());
    farEnd_.expect(number, media_.sockets().address(flow.farSocket).port);
    calls_.push_back(std::make_unique<PageCall>(PageCall{
        .number = number, .http = HttpClient(gateway_.http()), .flow = &media_.add(std::move(flow)), .page = end}));
    PageCall& call = *calls_.back();
    ByteVector id(16);
    random_.fill(id);
    call.http.beginGet("/sign_in?anon" + crypto::toHex(id));
  }

  void advance(TimePoint now, PageCall& call) {
    using enum PageCall::State;
    if (call.state == Connecting) {
      call.page->tick(now);
      if (call.page->peer().canSend()) call.state = Connected;
      return;
    }
    const auto reply = call.http.tryRead();
    if (!reply) return;
    if (call.state == SigningIn) {
      call.ssid = ssidOf(*reply);
      call.http.beginPost("/message?from=" + call.ssid + "&to=" + call.number, offer(call.page->peer()));
      call.state = Offering;
    } else {
      call.http.beginGet("/wait?id=" + call.ssid);
      if (call.state == Offering)
        call.state = Waiting;
      else if (reply->contains('{'))
        handleAnswer(now, call, *reply);
    }
  }

  void handleAnswer(TimePoint now, PageCall& call, const std::string& text) {
    const auto answer = roap::parseMessage(text.substr(text.find('{')));
    const auto description = answer ? sdp::parse(answer->sdp) : std::unexpected(sdp::ParseError{});
    const auto gatewayPort = farEnd_.gatewayPort(call.number);
    if (!description || description->sections.empty() || !description->sections[0].ice || !gatewayPort) {
      throw std::runtime_error("not an ANSWER: " + text);
    }
    const MediaSection& section = description->sections[0];
    auto& peer = call.page->peer();
    peer.setRemote(now, {.ice = *section.ice, .fingerprints = section.fingerprints, .setup = DtlsSetup::Passive});
    for (const auto& candidate : section.candidates) peer.addRemoteCandidate(now, candidate);
    peer.endOfRemoteCandidates(now);
    call.page->drain();
    call.flow->farTarget = {IpAddress::v4(0x7f000001), *gatewayPort};
    call.state = PageCall::State::Connecting;
  }

  std::string offer(const peer::Peer& peer) const {
    SessionDescription description;
    description.bundles = {{"0"}};
    MediaSection section;
    section.protocol = "UDP/TLS/RTP/SAVPF";
    section.mid = "0";
    section.codecs = {{.payloadType = 0, .name = "PCMU", .clockRate = 8000}};
    section.rtcpMux = true;
    section.connection = IpAddress();
    section.ice = peer.localCredentials();
    section.candidates = peer.localCandidates();
    section.fingerprints = {dtls_.fingerprint()};
    section.setup = DtlsSetup::ActPass;
    description.sections = {section};
    return roap::fromPage({.type = roap::MessageType::Offer,
                           .sdp = sdp::write(description),
                           .offererSessionId = roap::SessionId::number(1),
                           .seq = 1,
                           .tiebreaker = 1});
  }

  Media& media_;
  loop::SystemRandom random_;
  crypto::Certificate certificate_;
  dtls::Context dtls_;
  FarEnd farEnd_;
  GatewayProcess gateway_;
  std::vector<std::unique_ptr<PageCall>> calls_;
  std::size_t wanted_ = 0, connected_ = 0, nextTimer_ = 0;
};

}  // namespace

std::unique_ptr<Target> startGateway(const std::string& binary, int cpu, Media& media) {
  return std::make_unique<GatewayTarget>(binary, cpu, media);
}

}  // namespace crosspoint::bench
