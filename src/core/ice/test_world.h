// A network in virtual time for ICE tests: hosts with shared sockets, NATs, a STUN server, delay and loss from one
// seed.
#pragma once
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/check.h"
#include "core/ice/agent.h"
#include "core/stun/demultiplex.h"
#include "core/stun/message_view.h"
#include "core/stun/message_writer.h"
#include "tests/support/seeded_random.h"

namespace crosspoint::ice::test {

inline constexpr TimePoint kStart{std::chrono::hours(1)};

inline SocketAddress at(std::string_view text) { return SocketAddress::parse(text).value(); }

// Address translation with one outside port for each inside socket, open only to whom the inside has sent (RFC 4787:
// endpoint-independent mapping, address- and port-dependent filtering).
struct Nat {
  IpAddress outside;
  std::map<SocketAddress, std::uint16_t> ports;
  std::set<std::pair<std::uint16_t, SocketAddress>> open;

  SocketAddress leave(const SocketAddress& inside, const SocketAddress& to) {
    const auto port = ports.try_emplace(inside, static_cast<std::uint16_t>(40000 + ports.size())).first->second;
    open.insert({port, to});
    return {outside, port};
  }
  std::optional<SocketAddress> enter(const SocketAddress& from, std::uint16_t port) const {
    if (!open.contains({port, from})) return std::nullopt;
    for (const auto& [inside, mapped] : ports) {
      if (mapped == port) return inside;
    }
    return std::nullopt;
  }
};

// The owner of one agent: keeps what it was told, as a demultiplexer would.
struct Node {
  std::string name;
  std::unique_ptr<Agent> agent;
  std::uint32_t prefix = 0;
  std::vector<std::pair<TimePoint, State>> states;
  std::vector<std::pair<TimePoint, SelectedPair>> selections;
  std::vector<Candidate> candidates;
  std::vector<std::string> ufrags;
  std::vector<SelectedPair> validated;
  int sent = 0, wakeUps = 0;
  int dataReceived = 0, dataRefused = 0;
  bool gatheringDone = false;

  bool was(State state) const {
    return std::ranges::any_of(states, [state](const auto& entry) { return entry.second == state; });
  }
  bool owns(std::string_view ufrag) const { return std::ranges::find(ufrags, ufrag) != ufrags.end(); }
  bool trusts(const SelectedPair& from) const { return std::ranges::find(validated, from) != validated.end(); }
};

class World {
 public:
  struct NodeOptions {
    std::string name = "node";
    Role role = Role::Controlled;
    std::vector<std::string> sockets;  // a socket that exists already is shared
    Nat* nat = nullptr;
    std::vector<SocketAddress> stunServers;
    std::uint64_t tieBreaker = 0;  // 0: random
    AgentConfig::Timers timers;
  };

  explicit World(std::uint64_t seed = 1) : random_(seed) {}

  TimePoint now() const { return now_; }
  Random& random() { return random_; }
  Duration delay = std::chrono::milliseconds(20);
  Duration jitter{};  // added to `delay`, evenly spread
  double loss = 0;
  double duplication = 0;
  std::function<bool(const SocketAddress& from, const SocketAddress& to)> drops;  // as seen outside of NATs
  std::function<void(TimePoint, const SocketAddress& from, const SocketAddress& to, Bytes)> watch;

  IceCredentials credentials() { return {random_.alphanumeric(4), random_.alphanumeric(22)}; }

  Node& add(NodeOptions options) {
    auto node = std::make_unique<Node>();
    node->name = options.name;
    node->prefix = static_cast<std::uint32_t>(nodes_.size() + 1);
    AgentConfig config;
    config.role = options.role;
    config.local = credentials();
    config.tieBreaker = options.tieBreaker != 0 ? options.tieBreaker : random_.next<std::uint64_t>();
    config.transactionPrefix = node->prefix;
    config.stunServers = options.stunServers;
    config.timers = options.timers;
    for (const std::string& text : options.sockets) {
      const SocketAddress address = at(text);
      const auto id = socketOf(address, options.nat);
      sockets_[id].nodes.push_back(node.get());
      config.sockets.push_back({SocketId{id}, address});
    }
    node->ufrags.push_back(config.local.ufrag);
    node->agent = std::make_unique<Agent>(std::move(config), random_, now_);
    nodes_.push_back(std::move(node));
    drain(*nodes_.back());
    return *nodes_.back();
  }

  void addStunServer(const SocketAddress& address) { stunServers_.insert(address); }
  void addNat(Nat& nat) { nats_.push_back(&nat); }

  // What signalling does: credentials and candidates each way.
  void introduce(Node& a, Node& b) {
    tell(a, b);
    tell(b, a);
  }
  void tell(Node& to, Node& about) {
    to.agent->setRemoteCredentials(now_, about.agent->localCredentials());
    drain(to);
    about.agent->localDescriptionSent(now_);
    drain(about);
    for (const Candidate& candidate : about.agent->localCandidates()) tell(to, candidate);
  }
  void tell(Node& to, const Candidate& candidate) {
    to.agent->addRemoteCandidate(now_, candidate);
    drain(to);
  }
  void restart(Node& node) {
    node.agent->restart(now_, credentials());
    node.ufrags.push_back(node.agent->localCredentials().ufrag);
    drain(node);
  }

  void inject(SocketId socket, const SocketAddress& from, Bytes bytes) {
    deliver(sockets_[static_cast<std::uint32_t>(socket)], socket, from, bytes);
  }
  // One packet that is no STUN, over the selected pair; true if there was one.
  bool sendData(Node& node) {
    const auto pair = node.agent->selectedPair();
    if (!pair) return false;
    static constexpr std::uint8_t kData[] = {0x80, 1, 2, 3};
    send(static_cast<std::uint32_t>(pair->socket), pair->remote, kData);
    return true;
  }

  void runUntil(TimePoint end) {
    while (true) {
      std::optional<TimePoint> next;
      if (!flying_.empty()) next = flying_.begin()->first;
      for (const auto& node : nodes_) next = earlier(next, node->agent->nextTimeout());
      if (!next || *next > end) break;
      now_ = std::max(now_, *next);
      step();
    }
    now_ = std::max(now_, end);
  }
  void run(Duration duration) { runUntil(now_ + duration); }

 private:
  struct Socket {
    SocketAddress address;
    Nat* nat = nullptr;
    std::vector<Node*> nodes;
  };
  struct Packet {
    SocketAddress from, to;
    std::vector<std::uint8_t> bytes;
  };

  std::uint32_t socketOf(const SocketAddress& address, Nat* nat) {
    for (std::uint32_t i = 0; i < sockets_.size(); ++i) {
      if (sockets_[i].address == address) return i;
    }
    sockets_.push_back({address, nat, {}});
    return static_cast<std::uint32_t>(sockets_.size() - 1);
  }

  void step() {
    for (const auto& node : nodes_) {
      const auto due = node->agent->nextTimeout();
      if (!due || *due > now_) continue;
      ++node->wakeUps;
      node->agent->handleTimeout(now_);
      drain(*node);
      const auto next = node->agent->nextTimeout();
      CROSSPOINT_CHECK(!next || *next > now_);  // else its owner would spin
    }
    while (!flying_.empty() && flying_.begin()->first <= now_) {
      const Packet packet = std::move(flying_.begin()->second);
      flying_.erase(flying_.begin());
      arrive(packet);
    }
  }

  void send(std::uint32_t socket, const SocketAddress& to, Bytes bytes) {
    const Socket& own = sockets_[socket];
    const SocketAddress from = own.nat != nullptr ? own.nat->leave(own.address, to) : own.address;
    if (watch) watch(now_, from, to, bytes);
    if (drops && drops(from, to)) return;
    if (loss > 0 && chance(loss)) return;
    fly({from, to, {bytes.begin(), bytes.end()}});
    if (duplication > 0 && chance(duplication)) fly({from, to, {bytes.begin(), bytes.end()}});
  }

  bool chance(double probability) { return static_cast<double>(random_.below(10000)) < probability * 10000; }

  void fly(Packet packet) {
    const auto extra = jitter > 0s ? random_.below(static_cast<std::uint64_t>(jitter.count())) : 0;
    flying_.emplace(now_ + delay + Duration(static_cast<Duration::rep>(extra)), std::move(packet));
  }

  void arrive(const Packet& packet) {
    if (stunServers_.contains(packet.to)) return answer(packet);
    SocketAddress to = packet.to;
    for (const Nat* nat : nats_) {
      if (nat->outside != to.ip) continue;
      const auto inside = nat->enter(packet.from, to.port);
      if (!inside) return;
      to = *inside;
    }
    for (std::uint32_t i = 0; i < sockets_.size(); ++i) {
      const bool reachable = sockets_[i].nat == nullptr || to != packet.to;
      if (sockets_[i].address == to && reachable) deliver(sockets_[i], SocketId{i}, packet.from, packet.bytes);
    }
  }

  void answer(const Packet& packet) {
    const auto request = stun::MessageView::parse(packet.bytes);
    if (!request || !request->is(stun::Class::Request, stun::Method::Binding)) return;
    stun::MessageBuffer buffer;
    stun::MessageWriter writer(buffer.data, stun::Class::Success, stun::Method::Binding, request->transactionId());
    writer.addXorMappedAddress(packet.from);
    writer.addFingerprint();
    const Bytes bytes = writer.finish();
    flying_.emplace(now_ + delay, Packet{packet.to, packet.from, {bytes.begin(), bytes.end()}});
  }

  void deliver(const Socket& socket, SocketId id, const SocketAddress& from, Bytes bytes) {
    if (!stun::looksLikeStun(bytes)) {
      for (Node* node : socket.nodes) ++(node->trusts({id, from}) ? node->dataReceived : node->dataRefused);
      return;
    }
    const auto ufrag = stun::localUfragOf(bytes);
    const auto prefix = stun::transactionPrefixOf(bytes);
    for (Node* node : socket.nodes) {
      if (ufrag ? !node->owns(*ufrag) : prefix && *prefix != node->prefix) continue;
      node->agent->handleDatagram(now_, id, from, bytes);
      drain(*node);
    }
  }

  void drain(Node& node) {
    while (auto output = node.agent->pollOutput()) {
      if (auto* out = std::get_if<SendDatagram>(&*output)) {
        ++node.sent;
        send(static_cast<std::uint32_t>(out->socket), out->remote, out->bytes());
      } else if (auto* found = std::get_if<CandidateFound>(&*output)) {
        node.candidates.push_back(found->candidate);
      } else if (std::holds_alternative<GatheringDone>(*output)) {
        node.gatheringDone = true;
      } else if (auto* proven = std::get_if<PairValidated>(&*output)) {
        const SelectedPair pair{proven->socket, proven->remote};
        if (!node.trusts(pair)) node.validated.push_back(pair);
      } else if (auto* retired = std::get_if<PairRetired>(&*output)) {
        std::erase(node.validated, SelectedPair{retired->socket, retired->remote});
      } else if (auto* gone = std::get_if<UfragRetired>(&*output)) {
        std::erase(node.ufrags, gone->ufrag);
      } else if (auto* selected = std::get_if<SelectedPairChanged>(&*output)) {
        node.selections.emplace_back(now_, selected->pair);
      } else if (auto* changed = std::get_if<StateChanged>(&*output)) {
        node.states.emplace_back(now_, changed->state);
      }
    }
  }

  TimePoint now_ = kStart;
  crosspoint::test::SeededRandom random_;
  std::vector<Socket> sockets_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<Nat*> nats_;
  std::set<SocketAddress> stunServers_;
  std::multimap<TimePoint, Packet> flying_;
};

}  // namespace crosspoint::ice::test
