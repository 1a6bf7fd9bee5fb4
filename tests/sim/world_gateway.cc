// What is around the bridge: its RTP ports, its datagrams, its log, and the pages and phones that use it.
#include <cstdio>

#include "crypto/certificate.h"
#include "tests/sim/world.h"

namespace crosspoint::sim {
namespace {

constexpr SocketId kIceSocket{1};
const SocketAddress kIceAddress{IpAddress::v4(0x0a000002), 4000};
const WallTime kWallStart{std::chrono::hours(24 * 365 * 50)};
const std::string kGateway = "10.0.0.2:5060";

// Most phones answer, so that there are calls to try things on.
constexpr Phone::Temper kTempers[] = {
    Phone::Temper::Answers, Phone::Temper::AnswersEarly, Phone::Temper::Answers,      Phone::Temper::OffersLate,
    Phone::Temper::Answers, Phone::Temper::AnswersEarly, Phone::Temper::Answers,      Phone::Temper::OffersLate,
    Phone::Temper::Answers, Phone::Temper::Busy,         Phone::Temper::Answers,      Phone::Temper::Declines,
    Phone::Temper::Answers, Phone::Temper::NeverAnswers, Phone::Temper::AnswersEarly, Phone::Temper::SpeaksOnlyG722,
};

}  // namespace

// RTP ports of the gateway: numbers are used again, as in the world.
class World::Ports : public bridge::RtpPorts {
 public:
  Ports(World& world) : world_(world) {}
  std::optional<bridge::RtpPortPair> open() override {
    std::uint32_t index = next_;
    if (free_.empty())
      next_ += 2;
    else
      index = free_.back(), free_.pop_back();
    bridge::RtpPortPair pair{
        .rtp = SocketId{index},
        .rtcp = SocketId{index + 1},
        .rtpAddress = {IpAddress::v4(0x0a000003 + (index >> 15)), static_cast<std::uint16_t>(10000 + (index & 0x7fff))},
        .rtcpAddress = {}};
    pair.rtcpAddress = {pair.rtpAddress.ip, static_cast<std::uint16_t>(pair.rtpAddress.port + 1)};
    bind(pair.rtp, pair.rtpAddress);
    bind(pair.rtcp, pair.rtcpAddress);
    ++open_;
    return pair;
  }
  void close(const bridge::RtpPortPair& pair) override {
    for (const SocketId socket : {pair.rtp, pair.rtcp}) {
      world_.network_.unbind(addresses_.at(static_cast<std::uint32_t>(socket)));
    }
    free_.push_back(static_cast<std::uint32_t>(pair.rtp));
    --open_;
  }
  void bind(SocketId socket, const SocketAddress& address) {
    addresses_[static_cast<std::uint32_t>(socket)] = address;
    world_.network_.bind(address, [this, socket](const SocketAddress& from, Bytes bytes) {
      std::array<std::uint8_t, kDatagramCapacity> buffer;
      std::copy(bytes.begin(), bytes.end(), buffer.begin());
      Datagram datagram{socket, from, buffer.data(), static_cast<std::uint32_t>(bytes.size()), buffer.size()};
      world_.bridge_->handleDatagrams(world_.clock_.now(), {&datagram, 1});
      world_.drain();
    });
  }
  const SocketAddress& address(SocketId socket) const { return addresses_.at(static_cast<std::uint32_t>(socket)); }
  std::size_t openPairs() const { return open_; }

 private:
  World& world_;
  std::uint32_t next_ = 100;
  std::size_t open_ = 0;
  std::vector<std::uint32_t> free_;
  std::unordered_map<std::uint32_t, SocketAddress> addresses_;
};

class World::Sink : public DatagramSink {
 public:
  explicit Sink(World& world) : world_(world) {}
  void forward(const Datagram& datagram) override { send(datagram.socket, datagram.remote, datagram.bytes()); }
  void send(SocketId from, const SocketAddress& to, Bytes bytes) override {
    world_.network_.send(world_.ports_->address(from), to, bytes);
  }

 private:
  World& world_;
};

class World::Journal : public Log {
 public:
  explicit Journal(World& world) : world_(world) {}
  void write(LogLevel, std::string_view subject, std::string_view event) override {
    if (!world_.config_.trace) return;
    std::printf("%10.3f %.*s: %.*s\n", std::chrono::duration<double>(world_.clock_.now().time_since_epoch()).count(),
                static_cast<int>(subject.size()), subject.data(), static_cast<int>(event.size()), event.data());
  }

 private:
  World& world_;
};

World::World(const Config& config)
    : config_(config),
      random_(config.seed),
      bridgeRandom_(config.seed + 0x5eed),
      network_(clock_, random_, config.weather),
      sip_(clock_, network_, random_, config.sipLostPermille),
      web_(clock_, network_, random_, config.httpLostPermille,
           {.request =
                [this](bridge::PageRequest&& request) {
                  bridge_->handlePage(clock_.now(), std::move(request));
                  drain();
                },
            .closed =
                [this](bridge::RequestId request) {
                  bridge_->handlePageClosed(clock_.now(), request);
                  drain();
                },
            .delivered =
                [this](bridge::RequestId request) {
                  bridge_->handlePageDelivered(clock_.now(), request);
                  drain();
                }}),
      dtls_(std::make_unique<dtls::Context>(crypto::Certificate::selfSigned(kWallStart))),
      otherDtls_(std::make_unique<dtls::Context>(crypto::Certificate::selfSigned(kWallStart))),
      ports_(std::make_unique<Ports>(*this)),
      sink_(std::make_unique<Sink>(*this)),
      journal_(std::make_unique<Journal>(*this)) {
  bridge::Config gateway;
  gateway.iceSockets = {{kIceSocket, kIceAddress}};
  gateway.sipServer = "sip:10.0.0.1:5060";
  gateway.sipDomain = "sim";
  gateway.sipContactHost = "10.0.0.2";
  gateway.sipContactPort = 5060;
  gateway.noAnswerMax = std::chrono::seconds(30);
  gateway.earlyMedia = config.seed % 2 == 0;
  gateway.sessionExpires = std::chrono::seconds(config.seed % 3 == 0 ? 90 : config.seed % 3 == 1 ? 180 : 1800);
  gateway.sipOptionsInterval = std::chrono::seconds(config.seed % 4 == 0 ? 0 : 15);
  gateway.registerExpires = kRegisterExpires;
  bridge_ = std::make_unique<bridge::Bridge>(
      gateway, bridge::Dependencies{bridgeRandom_, *journal_, *ports_, *sink_, *dtls_}, clock_.now());
  bridgeTimer_ = std::make_unique<Timer>(clock_, [this] {
    bridge_->handleTimeout(clock_.now());
    drain();
  });
  ports_->bind(kIceSocket, kIceAddress);
  sip_.attach(kGateway, [this](sip::Incoming&& incoming) {
    bridge_->handleSip(clock_.now(), std::move(incoming));
    drain();
  });

  sip_.watch(kGateway);
  makePages();
  makePhones();
}

World::~World() = default;

// Every other page counts; of these a third has WebSockets. Every eighth page signs in with the DN of another one, and
// each takes it from the other.
void World::makePages() {
  const Page::Environment environment{
      .clock = clock_,
      .network = network_,
      .random = random_,
      .web = web_,
      .certificates = {dtls_.get(), otherDtls_.get()},
      .note = [this](const std::string& page,
                     const std::string& text) { journal_->write(LogLevel::Debug, "page " + page, text); },
  };
  for (std::size_t i = 0; i < config_.pages; ++i) {
    const std::size_t dn = i % 8 != 7 ? i : i % 16 == 7 ? i - 7 : i - 4;
    const auto kind = i % 2 != 0 ? Line::Kind::InTheField : i % 6 == 0 ? Line::Kind::Sockets : Line::Kind::Counting;
    pages_.push_back(std::make_unique<Page>(environment, std::to_string(1000 + dn), kind));
  }
}

void World::makePhones() {
  const auto address = [](std::size_t i) { return "10.2.0.1:" + std::to_string(6000 + i); };
  for (std::size_t i = 0; i < config_.phones; ++i) {
    phones_.push_back(std::make_unique<Phone>(clock_, network_, sip_, random_, std::to_string(5000 + i), address(i),
                                              kTempers[i % std::size(kTempers)]));
    sip_.manners(address(i), {.noReliable = random_.below(4) == 0,
                              .noUpdates = random_.below(4) == 0,
                              .noTimers = random_.below(3) == 0,
                              .insistsOnReliable = random_.below(6) == 0});
  }
  if (config_.phones < 16) return;
  sip_.group(kGroup, {address(0), address(1)});
  sip_.group(kBigGroup, {address(1), address(4), address(5), address(9), address(11), address(13), address(15)});
}

std::size_t World::openPortPairs() const { return ports_->openPairs(); }

void World::drain() {
  while (auto output = bridge_->pollOutput()) {
    if (auto* reply = std::get_if<bridge::PageReply>(&*output))
      web_.reply(std::move(*reply));
    else
      sip_.send(kGateway, std::move(std::get<sip::Outgoing>(*output)));
  }
  bridgeTimer_->set(bridge_->nextTimeout());
}

}  // namespace crosspoint::sim
