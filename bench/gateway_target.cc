// Calls through the gateway: the load program is the SIP server that answers every INVITE at once, and every page, signing in
// anonymously over HTTP as a client in the field would, with a whole WebRTC peer (ICE, DTLS-SRTP) of its own.
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <mutex>
#include <stdexcept>
#include <unordered_map>

#include "bench/http_client.h"
#include "bench/target.h"
#include "core/dtls/context.h"
#include "core/roap/message.h"
#include "core/sdp/sdp.h"
#include "core/sip/user_agent.h"
#include "crypto/certificate.h"
#include "crypto/hash.h"
#include "io/loop/clock.h"
#include "io/loop/mailbox.h"
#include "io/loop/system_random.h"
#include "io/sip/sip_transport.h"

namespace crosspoint::bench {
namespace {

const IpAddress kLoopback = IpAddress::v4(0x7f000001);
constexpr Duration kSetupMax = std::chrono::seconds(10);

class PeerEnd final : public PageEnd {
 public:
  PeerEnd(const peer::Config& config, Media& media, SocketId socket, Random& random, TimePoint now)
      : peer_(config, random, now), media_(media), socket_(socket) {}
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
      if (auto* send = std::get_if<peer::SendDatagram>(&*output)) media_.sockets().send(socket_, send->remote, send->bytes);
    }
  }
  peer::Peer& peer() { return peer_; }

 private:
  peer::Peer peer_;
  Media& media_;
  SocketId socket_;
};

class GatewayTarget final : public Target {
 public:
  GatewayTarget(const std::string& binary, int cpu, Media& media)
      : media_(media), certificate_(crypto::Certificate::selfSigned(loop::wallNow())), dtls_(certificate_), mailbox_(65536) {
    sipThread_.start();
    transport_ = std::make_unique<sip::SipTransport>(
        sipThread_, sip::SipTransport::Config{.tcp = false}, [](const sip::Request&) { return 0u; },
        [this](unsigned, sip::Incoming&& incoming) { mailbox_.post(std::move(incoming)); });
    if (const auto started = transport_->start(); !started) throw std::runtime_error(started.error());
    const std::string sipAddress = transport_->boundAddress().toString();
    sip::Config config;
    config.contact = *sip::Uri::parse("sip:" + sipAddress);
    config.server = config.contact;
    config.limits.calls = 100'000;
    agent_ = std::make_unique<sip::UserAgent>(config, random_, loop::monotonicNow());

    configuration_ = "/tmp/crosspoint-bench-" + std::to_string(getpid()) + ".toml";
    std::ofstream(configuration_) << "[rsmp]\nhttp-port = 0\n[sip]\nserver = \"sip:" << sipAddress
                                  << ";transport=udp\"\n[media]\nworkers = 1\n[log]\nlevel = \"warning\"\n";
    process_ = std::make_unique<Process>(std::vector<std::string>{binary, "--config", configuration_}, cpu);
    const std::string ready = process_->readLine();
    const auto at = ready.find("http=");
    if (!ready.starts_with("ready") || at == std::string::npos) throw std::runtime_error("the gateway did not start: " + ready);
    http_ = *SocketAddress::parse(ready.substr(at + 5, ready.find(' ', at) - at - 5));
    media_.tick = [this](TimePoint now) { tick(now); };
  }
  ~GatewayTarget() override {
    media_.tick = nullptr;
    process_.reset();
    transport_->stop();
    sipThread_.stop();
    unlink(configuration_.c_str());
  }
  Process& process() override { return *process_; }

  void setUp(Media& media) override {
    const std::string number = std::to_string(100000 + calls_++);
    Flow flow{.pageSocket = media.open(), .farSocket = media.open(), .pageSsrc = random_.next<std::uint32_t>(), .farSsrc = random_.next<std::uint32_t>()};
    farPorts_[number] = media.sockets().address(flow.farSocket).port;

    auto end = std::make_unique<PeerEnd>(peer::Config{.iceRole = peer::Role::Controlling,
                                                      .local = {random_.alphanumeric(8), random_.alphanumeric(24)},
                                                      .sockets = {{flow.pageSocket, media.sockets().address(flow.pageSocket)}},
                                                      .dtls = DtlsSetup::Active,
                                                      .context = &dtls_},
                                         media, flow.pageSocket, random_, loop::monotonicNow());
    PeerEnd& page = *end;
    flow.page = std::move(end);

    HttpClient http(http_);
    const std::string signedIn = http.get("/sign_in?anon" + crypto::toHex(randomBytes(16)));
    const std::string ssid = signedIn.substr(3, signedIn.find('\n') - 3);
    http.post("/message?from=" + ssid + "&to=" + number,
              roap::fromPage({.type = roap::MessageType::Offer,
                              .sdp = offer(page.peer()),
                              .offererSessionId = roap::SessionId::number(1),
                              .seq = 1,
                              .tiebreaker = 1}));
    http.beginGet("/wait?id=" + ssid);
    std::optional<std::string> reply;
    if (!media.runUntil(kSetupMax, [&] { return (reply = http.tryRead()).has_value(); })) throw std::runtime_error("no ANSWER came");
    const auto answer = roap::parseMessage(reply->substr(reply->find('{')));
    const auto description = answer ? sdp::parse(answer->sdp) : std::unexpected(sdp::ParseError{});
    if (!description || description->sections.empty() || !description->sections[0].ice) throw std::runtime_error("not an ANSWER: " + *reply);
    const MediaSection& section = description->sections[0];
    const TimePoint now = loop::monotonicNow();
    page.peer().setRemote(now, {.ice = *section.ice, .fingerprints = section.fingerprints, .setup = DtlsSetup::Passive});
    for (const auto& candidate : section.candidates) page.peer().addRemoteCandidate(now, candidate);
    page.drain();
    flow.farTarget = {kLoopback, gatewayPorts_.at(number)};
    pages_.push_back(&page);
    media.add(std::move(flow));
    if (!media.runUntil(kSetupMax, [&] { return page.peer().canSend(); })) throw std::runtime_error("ICE or DTLS did not connect");
  }

 private:
  ByteVector randomBytes(std::size_t count) {
    ByteVector bytes(count);
    random_.fill(bytes);
    return bytes;
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
    return sdp::write(description);
  }
  void tick(TimePoint now) {
    if (mailbox_.take(incoming_)) {
      for (auto& message : incoming_) agent_->handle(now, std::move(message));
    }
    if (const auto due = agent_->nextTimeout(); due && *due <= now) agent_->handleTimeout(now);
    while (auto output = agent_->pollOutput()) {
      if (auto* outgoing = std::get_if<sip::Outgoing>(&*output)) transport_->send(0, std::move(*outgoing));
      else if (const auto* call = std::get_if<sip::IncomingCall>(&std::get<sip::Event>(*output))) accept(now, *call);
    }
    for (std::size_t i = 0; i < pages_.size() && i < 32; ++i) {  // a share of the peers at every tick is soon enough
      pages_[nextPage_]->tick(now);
      nextPage_ = (nextPage_ + 1) % pages_.size();
    }
  }
  void accept(TimePoint now, const sip::IncomingCall& call) {
    const auto description = sdp::parse(call.sdp.value_or(""));
    if (!description || description->sections.empty()) return;
    gatewayPorts_[call.toUser] = description->sections[0].port;
    SessionDescription answer;
    answer.originAddress = kLoopback;
    answer.connection = kLoopback;
    MediaSection section;
    section.port = farPorts_.at(call.toUser);
    section.codecs = {{.payloadType = 0, .name = "PCMU", .clockRate = 8000}};
    answer.sections = {section};
    static_cast<void>(agent_->accept(now, call.call, sdp::write(answer)));
  }

  Media& media_;
  loop::SystemRandom random_;
  crypto::Certificate certificate_;
  dtls::Context dtls_;
  sip::SipThread sipThread_;
  loop::Mailbox<sip::Incoming> mailbox_;
  std::vector<sip::Incoming> incoming_;
  std::unique_ptr<sip::SipTransport> transport_;
  std::unique_ptr<sip::UserAgent> agent_;
  std::string configuration_;
  std::unique_ptr<Process> process_;
  SocketAddress http_;
  std::size_t calls_ = 0;
  std::unordered_map<std::string, std::uint16_t> farPorts_, gatewayPorts_;  // by the number called
  std::vector<PeerEnd*> pages_;
  std::size_t nextPage_ = 0;
};

}  // namespace

std::unique_ptr<Target> startGateway(const std::string& binary, int cpu, Media& media) {
  return std::make_unique<GatewayTarget>(binary, cpu, media);
}

}  // namespace crosspoint::bench
