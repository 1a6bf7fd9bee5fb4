#include "tests/sim/world.h"

#include <gtest/gtest.h>

#include <cstdio>

#include "crypto/certificate.h"

namespace crosspoint::sim {
namespace {

constexpr SocketId kIceSocket{1};
const SocketAddress kIceAddress{IpAddress::v4(0x0a000002), 4000};
const WallTime kWallStart{std::chrono::hours(24 * 365 * 50)};
const std::string kGateway = "10.0.0.2:5060";
constexpr std::string_view kGroup = "7000";  // rings at two phones

// Most phones answer, so that there are calls to try things on.
constexpr Phone::Temper kTempers[] = {
    Phone::Temper::Answers, Phone::Temper::AnswersEarly, Phone::Temper::Answers,      Phone::Temper::OffersLate,
    Phone::Temper::Answers, Phone::Temper::AnswersEarly, Phone::Temper::Answers,      Phone::Temper::OffersLate,
    Phone::Temper::Answers, Phone::Temper::Busy,         Phone::Temper::Answers,      Phone::Temper::Declines,
    Phone::Temper::Answers, Phone::Temper::NeverAnswers, Phone::Temper::AnswersEarly, Phone::Temper::SpeaksOnlyG722,
};

std::uint64_t number(bridge::RequestId request) { return static_cast<std::uint64_t>(request); }

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

  for (std::size_t i = 0; i < config.pages; ++i) {
    Page::Door door{
        .request = [this, i](bridge::PageRequest&& request) { carry(*pages_[i], std::move(request)); },
        .closed =
            [this](bridge::RequestId request) {
              clock_.after(network_.delay(), [this, request] {
                bridge_->handlePageClosed(clock_.now(), request);
                drain();
              });
            },
        .nextRequest = [this] { return bridge::RequestId{++lastRequest_}; },
        .note = [this,
                 i](const std::string& text) { journal_->write(LogLevel::Debug, "page " + pages_[i]->user(), text); },
    };
    // Every eighth page signs in with the DN of another one, and each takes it from the other.
    const std::size_t dn = i % 8 == 7 ? i - 4 : i;
    pages_.push_back(std::make_unique<Page>(clock_, network_, random_,
                                            std::vector<const dtls::Context*>{dtls_.get(), otherDtls_.get()},
                                            std::to_string(1000 + dn), i % 2 == 0, std::move(door)));
  }
  for (std::size_t i = 0; i < config.phones; ++i) {
    phones_.push_back(std::make_unique<Phone>(clock_, network_, sip_, random_, std::to_string(5000 + i),
                                              "10.2.0.1:" + std::to_string(6000 + i),
                                              kTempers[i % std::size(kTempers)]));
  }
  if (config.phones > 1) sip_.group(std::string(kGroup), {"10.2.0.1:6000", "10.2.0.1:6001"});
}

World::~World() = default;

// ---- HTTP ----

void World::carry(Page& page, bridge::PageRequest&& request) {
  std::visit(
      [&](const auto& what) {
        if constexpr (requires { what.request; }) requests_[number(what.request)] = &page;
      },
      request);
  clock_.after(network_.delay(), [this, request = std::move(request)]() mutable {
    bridge_->handlePage(clock_.now(), std::move(request));
    drain();
  });
}

void World::deliver(bridge::PageReply&& reply) {
  const auto found = requests_.find(number(reply.request));
  if (found == requests_.end()) return;
  Page& page = *found->second;
  requests_.erase(found);
  clock_.after(network_.delay(),
               [this, &page, reply = std::move(reply), lost = random_.below(1000) < config_.httpLostPermille] {
                 if (lost) {
                   bridge_->handlePageClosed(clock_.now(), reply.request);
                   page.handleLost(reply.request);
                 } else {
                   bridge_->handlePageDelivered(clock_.now(), reply.request);
                   page.handleReply(reply);
                 }
                 drain();
               });
}

void World::drain() {
  while (auto output = bridge_->pollOutput()) {
    if (auto* reply = std::get_if<bridge::PageReply>(&*output))
      deliver(std::move(*reply));
    else
      sip_.send(kGateway, std::move(std::get<sip::Outgoing>(*output)));
  }
  bridgeTimer_->set(bridge_->nextTimeout());
}

// ---- what people do ----

void World::startCall(Page& page) {
  ++started_;
  const auto choice = random_.below(10);
  if (choice < 4) {
    page.call(phones_[random_.below(phones_.size())]->user());
  } else if (choice < 6) {
    page.call(pages_[random_.below(pages_.size())]->user());
  } else if (choice < 7) {
    page.call(random_.below(3) == 0 ? "self" : random_.below(2) == 0 ? "9999" : std::string(kGroup));
  } else {
    Phone& phone = *phones_[random_.below(phones_.size())];
    if (phone.idle()) phone.call(page.user());
  }
}

void World::actInCall(Page& page) {
  Phone& phone = farEnd(page);
  switch (random_.below(40)) {
    case 0:
    case 1:
      if (page.mayOffer()) page.offerAgain(Direction::Inactive, false);
      break;
    case 2:
    case 3:
    case 4:
      if (page.mayOffer()) page.offerAgain(Direction::SendRecv, random_.below(3) == 0);
      break;
    case 5:
      if (page.mayOffer()) page.renew();
      break;
    case 6:
      phone.offerAgain(Direction::SendOnly);
      break;
    case 7:
    case 8:
    case 9:
      phone.offerAgain(Direction::SendRecv);
      break;
    case 10:
      phone.askForOffer();
      break;
    case 11:
      phone.move();
      break;
    case 12:
      page.sendInfo();
      break;
    case 13:
      phone.sendInfo();
      break;
    case 14:
      page.hangUp();
      break;
    case 15:
      phone.hangUp();
      break;
    case 16:
      page.cutPoll();
      break;
    case 17:  // both at once
      if (page.mayOffer()) page.offerAgain(Direction::SendRecv, false);
      phone.offerAgain(random_.below(2) == 0 ? Direction::SendOnly : Direction::SendRecv);
      break;
    case 18:
      phone.update(random_.below(3) == 0 ? Direction::SendOnly : Direction::SendRecv);
      break;
    case 19:
      phone.notify(random_.below(2) == 0 ? "hold" : "talk");
      break;
    case 20:
      phone.transfer(phones_[random_.below(phones_.size())]->user());
      break;
    case 21:
      phones_[random_.below(phones_.size())]->takeOver(phone);
      break;
    case 22:
      page.transfer(phones_[random_.below(phones_.size())]->user());
      break;
    default:
      break;
  }
}

// The phone that the page talks to, if it does; else any.
Phone& World::farEnd(const Page& page) {
  for (const auto& phone : phones_) {
    if (phone->user() == page.peer()) return *phone;
  }
  return *phones_[random_.below(phones_.size())];
}

void World::act(Page& page) {
  const bool leaves = random_.below(200) == 0;
  switch (page.state()) {
    case Page::State::Out:
      if (!closing_) page.signIn();
      break;
    case Page::State::SigningIn:
      break;
    case Page::State::Idle:
      if (leaves)
        page.signOut();
      else if (random_.below(30) == 0)
        page.cutPoll();
      else if (!closing_ && started_ < config_.calls && random_.below(3) == 0)
        startCall(page);
      break;
    case Page::State::Ringing:
      if (random_.below(5) == 0 || closing_)
        page.reject();
      else
        page.accept();
      break;
    case Page::State::Calling:
      if (random_.below(8) == 0 || closing_) page.hangUp();
      break;
    case Page::State::InCall:
      if (closing_)
        page.hangUp();
      else if (leaves)
        page.vanish();
      else if (leaves && random_.below(2) == 0)
        page.signOut();
      else
        actInCall(page);
      break;
  }
  clock_.after(std::chrono::milliseconds(200 + random_.below(4000)), [this, &page] { act(page); });
}

// ---- running ----

bool World::spin(Duration time) {
  const TimePoint end = clock_.now() + time;
  while (clock_.step(end)) {
    if (clock_.steps() % 1024 != 0) continue;
    for (const auto& page : pages_) {
      if (fault_.empty()) fault_ = page->fault();
      if (fault_.empty() && page->waitsForOk(std::chrono::seconds(60)))
        fault_ = page->user() + " gets no OK for its ANSWER";
    }
    if (fault_.empty()) fault_ = checkTalk();
    if (fault_.empty() && ::testing::UnitTest::GetInstance()->Failed()) fault_ = "a SIP message broke a rule";
    if (!fault_.empty()) return false;
  }
  return true;
}

bool World::talksTo(const Page& page, const std::string& user, Duration time) const {
  return page.peer() == user && page.talksSince(time);
}

std::string World::checkTalk() {
  constexpr Duration kRest = std::chrono::seconds(12);  // ICE, DTLS and a retransmission or two
  constexpr Duration kHeard = std::chrono::seconds(4);
  const auto fault = [](const std::string& who, const std::string& whom) { return who + " does not hear " + whom; };
  for (const auto& page : pages_) {
    if (!page->talksSince(kRest)) continue;
    if (page->peer() == "self" && !page->hearsWithin(kHeard)) return fault(page->user(), "itself");
    talksChecked_ += page->peer() == "self" ? 1 : 0;
    for (const auto& phone : phones_) {
      if (phone->user() != page->peer() || phone->peer() != page->user() || !phone->talksSince(kRest)) continue;
      ++talksChecked_;
      if (!page->hearsWithin(kHeard)) return fault(page->user(), phone->user());
      if (!phone->hearsWithin(kHeard)) return fault(phone->user(), page->user());
    }
    for (const auto& other : pages_) {
      if (other->user() != page->peer() || !talksTo(*other, page->user(), kRest)) continue;
      ++talksChecked_;
      if (!page->hearsWithin(kHeard)) return fault(page->user(), other->user());
    }
  }
  return {};
}

std::string World::checkLeftovers() {
  const auto counters = bridge_->counters();
  if (counters.calls != 0) return std::to_string(counters.calls) + " calls are left";
  if (counters.sessions != 0) return std::to_string(counters.sessions) + " sessions are left";
  if (ports_->openPairs() != 0) return std::to_string(ports_->openPairs()) + " RTP port pairs are left open";
  if (!bridge_->idle()) return "the SIP user agent still holds calls or registrations";
  if (counters.callsStarted != counters.callsEnded) return "not every call has ended";
  for (const auto& phone : phones_) {
    if (!phone->idle() || phone->leftovers() != 0) return "phone " + phone->user() + " still has a call";
  }
  for (const auto& page : pages_) {
    if (page->state() != Page::State::Out && page->state() != Page::State::Idle)
      return "page " + page->user() + " is stuck in a call";
  }
  return {};
}

World::Result World::run() {
  for (const auto& page : pages_) {
    clock_.after(std::chrono::milliseconds(random_.below(5000)), [this, &page = *page] { act(page); });
  }
  bool well = true;
  while (well && started_ < config_.calls) well = spin(std::chrono::seconds(10));
  if (well) well = spin(std::chrono::seconds(20));
  closing_ = true;
  for (int i = 0; well && i < 20; ++i) {
    for (const auto& phone : phones_) phone->hangUp();
    well = spin(std::chrono::seconds(10));
  }
  std::string fault;
  if (well) {
    for (const auto& page : pages_) {
      if (page->state() == Page::State::Ringing || page->state() == Page::State::InCall)
        fault = "page " + page->user() + " is stuck in a call";
      if (page->state() != Page::State::Out) page->signOut();
    }
    well = spin(std::chrono::seconds(300));
  }
  if (fault.empty() && well) fault = checkLeftovers();
  if (fault.empty()) fault = fault_;
  Result result{.fault = fault,
                .step = clock_.steps(),
                .time = clock_.now().time_since_epoch(),
                .callsStarted = started_,
                .counters = bridge_->counters()};
  for (const auto& page : pages_) {
    if (result.fault.empty()) result.fault = page->fault();
    result.packetsAtPages += page->packetsReceived();
    result.infos += page->infosReceived();
  }
  for (const auto& phone : phones_) {
    result.packetsAtPhones += phone->packetsReceived();
    result.infos += phone->infosReceived();
  }
  result.talksChecked = talksChecked_;
  return result;
}

}  // namespace crosspoint::sim
