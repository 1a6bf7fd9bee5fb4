// Two peers find each other, agree on keys and exchange media over real UDP sockets on 127.0.0.1: plain parameters, no
// SDP, no signalling. Exit status 0 only if every packet of both arrived as it was sent and nothing else was taken for
// media.
//
// It is also the shortest complete use of crosspoint::peer.
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "core/dtls/context.h"
#include "crypto/certificate.h"
#include "io/loop/clock.h"
#include "io/loop/system_random.h"
#include "io/loop/worker_loop.h"
#include "io/udp/udp_sockets.h"
#include "peer/demultiplexer.h"
#include "peer/peer.h"

namespace crosspoint {
namespace {

constexpr std::uint16_t kPackets = 400;
constexpr std::size_t kHeaderBytes = 12, kPayloadBytes = 160;
constexpr Duration kPacketInterval = 2ms;
constexpr Duration kTimeMax = 20s;

// One of the two: a peer, its certificate, and what it has sent and received.
struct End {
  End(const char* itsName, SocketId itsSocket, const SocketAddress& address, peer::Role role, Random& random,
      TimePoint now)
      : name(itsName),
        socket(itsSocket),
        ssrc(random.next<std::uint32_t>()),
        context(crypto::Certificate::selfSigned(loop::wallNow())),
        endpoint({.iceRole = role,
                  .local = {random.alphanumeric(8), random.alphanumeric(24)},
                  .sockets = {{itsSocket, address}},
                  .dtls = role == peer::Role::Controlling ? DtlsSetup::Active : DtlsSetup::Passive,
                  .context = &context},
                 random, now) {}

  peer::RemoteParameters parameters() const {
    return {.ice = endpoint.localCredentials(), .fingerprints = {context.fingerprint()}, .setup = endpoint.dtlsSetup()};
  }

  const char* name;
  SocketId socket;
  std::uint32_t ssrc;
  dtls::Context context;
  peer::Peer endpoint;
  End* other = nullptr;
  std::uint16_t sent = 0;
  std::uint16_t arrived = 0;
  std::vector<bool> seen = std::vector<bool>(kPackets);
  bool wrong = false;
};

// What is in packet `number` of a stream, so that the receiver can tell.
void writePacket(std::uint8_t* data, std::uint32_t ssrc, std::uint16_t number) {
  data[0] = 0x80;
  data[1] = 0;
  storeBigEndian<std::uint16_t>(data + 2, number);
  storeBigEndian<std::uint32_t>(data + 4, number * 160u);
  storeBigEndian<std::uint32_t>(data + 8, ssrc);
  for (std::size_t i = 0; i < kPayloadBytes; ++i)
    data[kHeaderBytes + i] = static_cast<std::uint8_t>(number * 7u + i + ssrc);
}

class Exchange final : public loop::WorkerLoop::Client {
 public:
  Exchange(loop::WorkerLoop& loop, udp::UdpSockets& sockets, Random& random)
      : loop_(loop), sockets_(sockets), startedAt_(loop::monotonicNow()) {
    for (auto role : {peer::Role::Controlling, peer::Role::Controlled}) {
      const auto socket = sockets.open({IpAddress::v4(0x7f000001), 0}, udp::Traffic::Shared);
      if (!socket) {
        std::fprintf(stderr, "cannot open a socket: %s\n", socket.error().message().c_str());
        failed_ = true;
        return;
      }
      ends_.push_back(std::make_unique<End>(ends_.empty() ? "A" : "B", *socket, sockets.address(*socket), role, random,
                                            startedAt_));
    }
    for (peer::PeerHandle i = 0; i < 2; ++i) {
      ends_[i]->other = ends_[1 - i].get();
      demultiplexer_.addUfrag(ends_[i]->endpoint.localCredentials().ufrag, i);
      ends_[i]->endpoint.setRemote(startedAt_, ends_[1 - i]->parameters());
    }
    sockets.setHandler([this](TimePoint now, std::span<Datagram> batch) {
      for (auto& datagram : batch) handleDatagram(now, datagram);
    });
    drain(startedAt_);
  }

  void handleReady(TimePoint now, std::uint32_t key) override { sockets_.handleReady(now, SocketId{key}); }

  void handleWakeUp(TimePoint now) override {
    sockets_.deliver(now);
    for (auto& end : ends_) end->endpoint.handleTimeout(now);
    drain(now);
    if (bothConnected() && now >= nextPacketAt_) {
      nextPacketAt_ = now + kPacketInterval;
      for (auto& end : ends_) sendPacket(*end);
    }
    sockets_.flush();
    if (complete() || failed_ || now > startedAt_ + kTimeMax) loop_.stop();
  }

  std::optional<TimePoint> nextTimeout() const override {
    std::optional<TimePoint> next = startedAt_ + kTimeMax + 1ms;
    for (const auto& end : ends_) next = earlier(next, end->endpoint.nextTimeout());
    if (bothConnected() && !allSent()) next = earlier(next, nextPacketAt_);
    return next;
  }

  bool failed() const { return failed_; }

  // One line for each end; true if everything was as it must be.
  bool report() const {
    bool good = !failed_ && complete();
    for (const auto& end : ends_) {
      const auto counters = end->endpoint.counters();
      std::printf("%s: %s, %u sent, %u of %u received, %llu forged dropped, handshakes %llu\n", end->name,
                  peer::toString(end->endpoint.state()), end->sent, end->arrived, kPackets,
                  static_cast<unsigned long long>(counters.droppedNotAuthentic),
                  static_cast<unsigned long long>(counters.dtlsHandshakes));
      good = good && !end->wrong && counters.rtpReceived == kPackets && counters.droppedNotAuthentic == 1;
    }
    return good;
  }

 private:
  void handleDatagram(TimePoint now, Datagram& datagram) {
    const auto handle = demultiplexer_.find(datagram);
    if (!handle) return;
    End& end = *ends_[*handle];
    if (end.endpoint.handleDatagram(now, datagram) == peer::Received::Rtp) receivePacket(end, datagram.bytes());
  }

  void receivePacket(End& end, Bytes packet) {
    const auto number = packet.size() >= 4 ? loadBigEndian<std::uint16_t>(packet.data() + 2) : kPackets;
    std::uint8_t expected[kHeaderBytes + kPayloadBytes];
    writePacket(expected, end.other->ssrc, number);
    const bool right = number < kPackets && !end.seen[number] && packet.size() == sizeof expected &&
                       std::memcmp(packet.data(), expected, sizeof expected) == 0;
    if (!right) {
      std::fprintf(stderr, "%s: packet %u is not as it was sent\n", end.name, number);
      end.wrong = failed_ = true;
      return;
    }
    end.seen[number] = true;
    ++end.arrived;
  }

  void sendPacket(End& end) {
    if (end.sent == kPackets) return;
    std::uint8_t buffer[kDatagramCapacity];
    writePacket(buffer, end.ssrc, end.sent);
    Datagram datagram{.data = buffer, .size = kHeaderBytes + kPayloadBytes, .capacity = sizeof buffer};
    if (!end.endpoint.protectRtp(datagram)) {
      std::fprintf(stderr, "%s: cannot send packet %u\n", end.name, end.sent);
      failed_ = true;
      return;
    }
    sockets_.send(datagram.socket, datagram.remote, datagram.bytes());
    if (end.sent++ == kPackets / 2) {  // once, somebody changes a packet on its way
      buffer[2] ^= 0x40;
      sockets_.send(datagram.socket, datagram.remote, datagram.bytes());
    }
  }

  void drain(TimePoint now) {
    for (bool more = true; more;) {
      more = false;
      for (peer::PeerHandle i = 0; i < ends_.size(); ++i) {
        while (auto output = ends_[i]->endpoint.pollOutput()) {
          more = true;
          handleOutput(now, i, *output);
        }
      }
    }
  }

  void handleOutput(TimePoint now, peer::PeerHandle handle, const peer::Output& output) {
    End& end = *ends_[handle];
    if (const auto* send = std::get_if<peer::SendDatagram>(&output)) {
      sockets_.send(send->socket, send->remote, send->bytes);
    } else if (const auto* found = std::get_if<peer::CandidateFound>(&output)) {
      end.other->endpoint.addRemoteCandidate(now, found->candidate);
    } else if (std::holds_alternative<peer::GatheringDone>(output)) {
      end.other->endpoint.endOfRemoteCandidates(now);
    } else if (const auto* validated = std::get_if<peer::AddressValidated>(&output)) {
      demultiplexer_.addAddress(validated->socket, validated->remote, handle);
    } else if (const auto* changed = std::get_if<peer::StateChanged>(&output)) {
      std::printf("%s: %s\n", end.name, peer::toString(changed->state));
      if (changed->state == peer::State::Failed) failed_ = true;
    }
  }

  bool bothConnected() const {
    for (const auto& end : ends_) {
      if (end->endpoint.state() != peer::State::Connected) return false;
    }
    return !ends_.empty();
  }
  bool allSent() const { return ends_[0]->sent == kPackets && ends_[1]->sent == kPackets; }
  bool complete() const {
    for (const auto& end : ends_) {
      if (end->arrived != kPackets || end->endpoint.counters().droppedNotAuthentic == 0) return false;
    }
    return allSent();
  }

  loop::WorkerLoop& loop_;
  udp::UdpSockets& sockets_;
  TimePoint startedAt_;
  TimePoint nextPacketAt_{};
  peer::Demultiplexer demultiplexer_;
  std::vector<std::unique_ptr<End>> ends_;
  bool failed_ = false;
};

}  // namespace
}  // namespace crosspoint

int main() {
  using namespace crosspoint;
  loop::WorkerLoop loop({});
  udp::UdpSockets sockets(loop, {});
  loop::SystemRandom random;
  Exchange exchange(loop, sockets, random);
  if (!exchange.failed()) loop.run(exchange);
  const bool good = exchange.report();
  std::puts(good ? "every packet arrived, authentic" : "FAILED");
  return good ? 0 : 1;
}
