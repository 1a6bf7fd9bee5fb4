// For tests: one Bridge in virtual time with pages, phones and a SIP server around it. Nothing is lost, everything
// takes 5 ms on the way. Pages and phones do what a test tells them; the SIP server registers everybody and finds them.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "bridge/bridge.h"
#include "bridge/page_fixture.h"
#include "bridge/phone_fixture.h"
#include "core/dtls/context.h"
#include "crypto/certificate.h"
#include "tests/support/seeded_random.h"

namespace crosspoint::bridge::test {

inline const WallTime kWallStart{std::chrono::hours(24 * 365 * 50)};
inline const SocketAddress kIceAddress{IpAddress::v4(0x0a000002), 4000};
inline constexpr SocketId kIceSocket{1};

class PortsFixture : public RtpPorts {
 public:
  std::optional<RtpPortPair> open() override {
    if (open_.size() >= max) return std::nullopt;
    std::uint16_t port = 10000;
    while (open_.contains(port)) port = static_cast<std::uint16_t>(port + 2);
    open_.insert(port);
    return RtpPortPair{SocketId{port}, SocketId{port + 1u}, address(port), address(port + 1)};
  }
  void close(const RtpPortPair& pair) override { EXPECT_EQ(open_.erase(pair.rtpAddress.port), 1u); }
  static SocketAddress address(int port) { return {IpAddress::v4(0x0a000003), static_cast<std::uint16_t>(port)}; }

  std::size_t max = 1000;
  std::size_t openPairs() const { return open_.size(); }

 private:
  std::set<std::uint16_t> open_;
};

struct LogFixture : Log {
  void write(LogLevel, std::string_view subject, std::string_view event) override {
    lines.push_back(std::string(subject) + ": " + std::string(event));
  }
  bool has(std::string_view text) const {
    return std::ranges::any_of(lines, [&](const auto& line) { return line.find(text) != std::string::npos; });
  }
  std::vector<std::string> lines;
};

struct BridgeWorld : DatagramSink, PageDoor, PhoneDoor {
  BridgeWorld() {
    config.iceSockets = {{kIceSocket, kIceAddress}};
    config.sipServer = "sip:10.0.0.1:5060";
    config.sipDomain = "example.test";
    config.sipContactHost = "10.0.0.2";
    config.sipContactPort = 5060;
    config.wallClock = {kStart, kWallStart};
  }

  // Made at first use, so that a test can change `config` before.
  Bridge& bridge() {
    if (!made_) made_ = std::make_unique<Bridge>(config, Dependencies{random_, log, ports, *this, gatewayDtls}, now_);
    return *made_;
  }
  Page& page(std::string user) {
    bridge();
    pages_.push_back(
        std::make_unique<Page>(*this, pageDtls, std::move(user), static_cast<std::uint16_t>(20000 + pages_.size())));
    return *pages_.back();
  }
  Page& signedIn(std::string user) {
    Page& made = page(std::move(user));
    signIn(made);
    return made;
  }
  // A page with our own client.
  Page& ourPage(std::string user) {
    Page& made = page(std::move(user));
    made.provisional = made.counts = true;
    signIn(made);
    run(10ms);
    return made;
  }
  void signIn(Page& made, std::optional<std::string> password = {}) {
    made.signIn(std::move(password));
    run(100ms);
    EXPECT_FALSE(made.ssid.empty()) << made.user;
    made.poll();
  }
  Phone& phone(std::string user) {
    bridge();
    phones_.push_back(
        std::make_unique<Phone>(*this, std::move(user), static_cast<std::uint16_t>(30000 + 10 * phones_.size())));
    return *phones_.back();
  }

  // ---- calls ----

  // The page has called the phone, which has answered; media flows.
  void establish(Page& page, Phone& phone) {
    phone.onInvite = Phone::OnInvite::Answer;
    page.call(phone.user);
    run(500ms);
    page.takeAnswer();
    expectConnected(page);
    ASSERT_TRUE(phone.established());
  }
  // The phone has called the page, which has answered; media flows.
  void establish(Phone& phone, Page& page) {
    phone.call(page.user);
    pickUp(page, phone.user);
    run(100ms);
    page.take(roap::MessageType::Ok);
    expectConnected(page);
    ASSERT_TRUE(phone.established());
  }
  // One page has called the other, through the SIP server; media flows.
  void establish(Page& caller, Page& callee) {
    caller.call(callee.user);
    pickUp(callee, caller.user);
    run(500ms);
    caller.takeAnswer();
    expectConnected(caller);
    expectConnected(callee);
  }
  void expectConnected(Page& page) {
    EXPECT_TRUE(runUntil(10s, [&] { return page.connected(); })) << page.user << ": media is not connected";
  }
  // "1001" has called "2001" so long ago, and nobody has answered.
  std::pair<Page&, Phone&> pageCallsPhone(Duration ago = 500ms) {
    Page& page = signedIn("1001");
    Phone& callee = phone("2001");
    page.call(callee.user);
    run(ago);
    return {page, callee};
  }
  // The other way round.
  std::pair<Page&, Phone&> phoneCallsPage(Duration ago = 500ms) {
    Page& page = signedIn("1001");
    Phone& caller = phone("2001");
    caller.call(page.user);
    run(ago);
    return {page, caller};
  }
  // "1001" has called "2001", which has answered; media flows.
  std::pair<Page&, Phone&> pageTalksToPhone() {
    Page& page = signedIn("1001");
    Phone& callee = phone("2001");
    establish(page, callee);
    return {page, callee};
  }
  // One packet of PCMU each way.
  void expectMediaFlows(Page& page, Phone& phone) { expectHeard(page, phone, 1); }
  void expectNoMedia(Page& page, Phone& phone) { expectHeard(page, phone, 0); }
  // Speech in frames of 20 ms, each handed to `speak`; `next` is left at the packet after it.
  template <typename Speak>
  void speech(int packets, RtpSample& next, Speak speak) {
    for (int i = 0; i < packets; ++i) {
      speak(std::as_const(next));
      ++next.sequenceNumber;
      next.timestamp += 160;
      run(20ms);
    }
  }
  // How many of three such packets arrive in `received`.
  template <typename Speak>
  std::size_t heard(const std::vector<RtpSample>& received, RtpSample& next, Speak speak) {
    const auto before = received.size();
    speech(3, next, speak);
    return received.size() - before;
  }
  // No call, no port and no SIP transaction is left after a while.
  void expectNothingLeft() {
    run(70s);
    EXPECT_EQ(bridge().counters().calls, 0u);
    EXPECT_EQ(bridge().counters().callsStarted, bridge().counters().callsEnded);
    EXPECT_EQ(ports.openPairs(), 0u);
    for (const auto& phone : phones_) EXPECT_EQ(phone->leftovers(), 0u) << phone->user;
  }

  // ---- time ----

  TimePoint now() const override { return now_; }
  Random& random() override { return random_; }
  void after(Duration delay, std::function<void()> what) override { planned_.emplace(now_ + delay, std::move(what)); }
  void run(Duration time) {
    const TimePoint end = now_ + time;
    drain();
    for (auto next = nextTime(); next && *next <= end; next = nextTime()) {
      now_ = std::max(now_, *next);
      while (!planned_.empty() && planned_.begin()->first <= now_) {
        auto what = std::move(planned_.begin()->second);
        planned_.erase(planned_.begin());
        what();
        drain();
      }
      bridge().handleTimeout(now_);
      for (auto& page : pages_) page->handleTimeout();
      for (auto& phone : phones_) phone->handleTimeout();
      drain();
      ASSERT_LT(++steps_, 2'000'000u) << "the engines do not come to rest";
    }
    now_ = end;
  }
  bool runUntil(Duration max, const std::function<bool()>& done) {
    for (const TimePoint end = now_ + max; now_ < end && !done();) run(10ms);
    return done();
  }

  // ---- the SIP server ----

  // True: the request goes no further; the test sees to it (see respond()).
  std::function<bool(const std::string& from, const sip::SendRequest&)> intercept;
  int registerStatus = 200;
  std::vector<sip::SendRequest> registers, sentByBridge;
  void respond(const sip::SendRequest& sent, int status, std::string reason = {}, std::string sdp = {},
               std::string tag = "server") {
    auto response = responseTo(sent.request, status, std::move(reason), std::move(sdp));
    if (sent.request.to.tag.empty()) response.to.tag = std::move(tag);  // a fork has its own
    deliver(kGateway, sip::ResponseReceived{sent.id, std::move(response)});
  }
  void respondBecause(const sip::SendRequest& sent, int status, sip::Reason reason) {
    auto response = responseTo(sent.request, status, std::string(sip::standardReason(status)), {});
    response.reasons.push_back(std::move(reason));
    deliver(kGateway, sip::ResponseReceived{sent.id, std::move(response)});
  }
  void fail(const sip::SendRequest& sent) { deliver(kGateway, sip::TransactionFailed{sent.id}); }
  // What the bridge sent, by method; the last one.
  const sip::Request& lastSent(sip::Method method) const {
    for (auto it = sentByBridge.rbegin(); it != sentByBridge.rend(); ++it) {
      if (it->request.method == method) return it->request;
    }
    ADD_FAILURE() << "the bridge sent no " << sip::toString(method);
    static const sip::Request kNone;
    return kNone;
  }
  std::size_t sentCount(sip::Method method) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(sentByBridge, [&](const auto& sent) { return sent.request.method == method; }));
  }

  void sendSip(const std::string& from, sip::Outgoing&& outgoing) override {
    if (auto* request = std::get_if<sip::SendRequest>(&outgoing)) return sendRequest(from, std::move(*request));
    if (auto* ack = std::get_if<sip::SendAck>(&outgoing)) {
      if (!dropAcks) deliver(route(ack->request), sip::AckReceived{ack->request});
      return;
    }
    if (auto* cancel = std::get_if<sip::CancelRequest>(&outgoing)) {
      for (auto& [number, transaction] : transactions_) {
        if (transaction.client != from || transaction.id != cancel->id || transaction.answered) continue;
        deliver(transaction.server, sip::CancelReceived{sip::ServerTransactionId{number}, cancel->reasons});
      }
      return;
    }
    auto& response = std::get<sip::SendResponse>(outgoing);
    auto& transaction = transactions_.at(static_cast<std::uint64_t>(response.id));
    EXPECT_FALSE(transaction.answered) << "a response after the final one";
    transaction.answered = response.response.status >= 200;
    responses.push_back(response.response);
    deliver(transaction.client, sip::ResponseReceived{transaction.id, std::move(response.response)});
  }
  std::vector<sip::Response> responses;  // of everybody
  bool dropAcks = false;
  // A NOTIFY in the dialog of the phone's last call to the bridge, answered or not.
  void notify(const Phone& from, std::string event) {
    const auto answer =
        std::ranges::find_if(responses.rbegin(), responses.rend(), [this](const sip::Response& response) {
          const bool ofBridge = !response.contacts.empty() && response.contacts[0].uri.host == config.sipContactHost;
          return ofBridge && response.method == sip::Method::Invite && response.status >= 180 && response.status <= 200;
        });
    ASSERT_NE(answer, responses.rend());
    sip::Request request;
    request.method = sip::Method::Notify;
    request.uri = answer->contacts.at(0).uri;
    request.from = answer->from;
    request.to = answer->to;
    request.callId = answer->callId;
    request.cseq = 500 + static_cast<std::uint32_t>(lastTransaction_);
    request.event = std::move(event);
    transactions_[++lastTransaction_] = {from.hostPort, kGateway,
                                         sip::ClientTransactionId{1'000'000 + lastTransaction_}};
    deliver(kGateway, sip::RequestReceived{sip::ServerTransactionId{lastTransaction_}, std::move(request), {}});
  }

  // ---- the network ----

  void forward(const Datagram& datagram) override { send(datagram.socket, datagram.remote, datagram.bytes()); }
  void send(SocketId from, const SocketAddress& to, Bytes bytes) override {
    const auto source = from == kIceSocket ? kIceAddress : PortsFixture::address(static_cast<int>(from));
    sendDatagram(source, to, bytes);
  }
  void sendDatagram(const SocketAddress& from, const SocketAddress& to, Bytes bytes) override {
    if (watch) watch(from, to, bytes);
    if (drops && drops(from, to)) return;
    after(5ms, [this, from, to, copy = ByteVector(bytes.begin(), bytes.end())] { carry(from, to, copy); });
  }

  std::function<void(const SocketAddress& from, const SocketAddress& to, Bytes)> watch;
  std::function<bool(const SocketAddress& from, const SocketAddress& to)> drops;

  // ---- HTTP ----

  RequestId request(PageRequest&& request) override {
    bridge().handlePage(now_, std::move(request));
    drain();
    return {};
  }
  void closed(RequestId request) override {
    bridge().handlePageClosed(now_, request);
    drain();
  }
  RequestId nextRequest() override { return RequestId{++lastRequest_}; }

  Config config;
  LogFixture log;
  PortsFixture ports;
  dtls::Context gatewayDtls{crypto::Certificate::selfSigned(kWallStart)},
      pageDtls{crypto::Certificate::selfSigned(kWallStart)}, otherPageDtls{crypto::Certificate::selfSigned(kWallStart)};

 private:
  static constexpr const char* kGateway = "10.0.0.2:5060";
  struct Transaction {
    std::string client, server;
    sip::ClientTransactionId id{};
    bool answered = false;
  };

  void pickUp(Page& callee, const std::string& caller) {
    run(500ms);
    callee.answerOffer();
    callee.peerName = caller;
  }
  // Of one packet each way, so many.
  void expectHeard(Page& page, Phone& phone, std::size_t packets) {
    const auto atPage = page.received.size(), atPhone = phone.received.size();
    page.speak({.sequenceNumber = ++lastSpoken_, .timestamp = lastSpoken_ * 160u});
    phone.speak({.sequenceNumber = lastSpoken_, .timestamp = lastSpoken_ * 160u, .ssrc = 0x77});
    run(50ms);
    EXPECT_EQ(page.received.size(), atPage + packets);
    EXPECT_EQ(phone.received.size(), atPhone + packets);
  }
  static sip::Response responseTo(const sip::Request& request, int status, std::string reason, std::string sdp) {
    sip::Response response;
    response.from = request.from;
    response.to = request.to;
    if (response.to.tag.empty()) response.to.tag = "server";
    response.callId = request.callId;
    response.cseq = request.cseq;
    response.method = request.method;
    response.status = status;
    response.reason = std::move(reason);
    if (!sdp.empty()) response.contentType = "application/sdp";
    response.body = std::move(sdp);
    response.contacts = {{.uri = *sip::Uri::parse("sip:far@10.9.9.9:5060")}};
    return response;
  }
  void sendRequest(const std::string& from, sip::SendRequest&& sent) {
    if (from == kGateway) sentByBridge.push_back(sent);
    if (intercept && intercept(from, sent)) return;
    if (sent.request.method == sip::Method::Register) return registerUser(from, sent);
    const std::string to = route(sent.request);
    if (to.empty())
      return deliver(from, sip::ResponseReceived{sent.id, responseTo(sent.request, 404, "Not Found", {})});
    transactions_[++lastTransaction_] = {from, to, sent.id};
    deliver(to, sip::RequestReceived{sip::ServerTransactionId{lastTransaction_}, std::move(sent.request), {}});
  }
  void registerUser(const std::string& from, const sip::SendRequest& sent) {
    registers.push_back(sent);
    auto response = responseTo(sent.request, registerStatus, registerStatus == 200 ? "OK" : "No", {});
    const auto expires = sip::findParameter(sent.request.contacts.at(0).parameters, "expires");
    const bool ends = (expires && *expires == "0") || sent.request.expires == 0u;
    response.contacts.clear();
    response.expires = ends ? 0 : 300;
    if (!ends) response.contacts = sent.request.contacts;
    if (registerStatus == 200 && ends) registered_.erase(sent.request.to.uri.user);
    if (registerStatus == 200 && !ends) registered_.insert(sent.request.to.uri.user);
    deliver(from, sip::ResponseReceived{sent.id, std::move(response)});
  }
  std::string route(const sip::Request& request) const {
    const std::string direct = request.uri.host + ":" + std::to_string(request.uri.port);
    if (direct == kGateway) return direct;
    for (const auto& phone : phones_) {
      if (direct == phone->hostPort || request.uri.user == phone->user) return phone->hostPort;
    }
    return registered_.contains(request.uri.user) ? kGateway : std::string();
  }
  void deliver(const std::string& to, sip::Incoming incoming) {
    after(5ms, [this, to, incoming = std::move(incoming)]() mutable {
      if (to == kGateway) return bridge().handleSip(now_, std::move(incoming));
      for (auto& phone : phones_) {
        if (phone->hostPort == to) phone->handleSip(std::move(incoming));
      }
    });
  }
  void carry(const SocketAddress& from, const SocketAddress& to, Bytes bytes) {
    for (auto& page : pages_) {
      if (page->address() == to) page->handleDatagram(from, bytes);
    }
    for (auto& phone : phones_) phone->handleDatagram(from, to, bytes);
    const bool ice = to == kIceAddress;
    if (!ice && to.ip != PortsFixture::address(0).ip) return;
    std::array<std::uint8_t, kDatagramCapacity> buffer;
    std::copy(bytes.begin(), bytes.end(), buffer.begin());
    Datagram datagram{ice ? kIceSocket : SocketId{to.port}, from, buffer.data(),
                      static_cast<std::uint32_t>(bytes.size()), buffer.size()};
    bridge().handleDatagrams(now_, {&datagram, 1});
  }
  void drain() {
    while (auto output = bridge().pollOutput()) {
      if (auto* outgoing = std::get_if<sip::Outgoing>(&*output)) {
        sendSip(kGateway, std::move(*outgoing));
        continue;
      }
      const auto reply = std::get<PageReply>(std::move(*output));
      after(5ms, [this, reply] {
        for (auto& page : pages_) {
          if (!page->owns(reply.request)) continue;
          bridge().handlePageDelivered(now_, reply.request);
          page->handleReply(reply);
        }
      });
    }
  }
  std::optional<TimePoint> nextTime() {
    auto next = bridge().nextTimeout();
    if (!planned_.empty()) next = earlier(next, planned_.begin()->first);
    for (auto& page : pages_) next = earlier(next, page->nextTimeout());
    for (auto& phone : phones_) next = earlier(next, phone->nextTimeout());
    return next;
  }

  crosspoint::test::SeededRandom random_{1};
  TimePoint now_ = kStart;
  std::unique_ptr<Bridge> made_;
  std::vector<std::unique_ptr<Page>> pages_;
  std::vector<std::unique_ptr<Phone>> phones_;
  std::multimap<TimePoint, std::function<void()>> planned_;
  std::map<std::uint64_t, Transaction> transactions_;
  std::set<std::string> registered_;
  std::uint64_t lastTransaction_ = 0, lastRequest_ = 0, steps_ = 0;
  std::uint16_t lastSpoken_ = 100;
};

}  // namespace crosspoint::bridge::test
