// The floor: the least work that relaying a call can be. One thread, one socket towards the pages and one towards SIP;
// it receives in batches, decrypts or encrypts, and sends in batches. No ICE, no RTCP, no rewriting, no statistics.
// What the gateway costs is measured against this, in the same run.
//
// With the argument `ports` it has a socket for each call towards SIP, as a gateway must have.
//
// Started by the load program. Its first output line says "ready <page port>". A line of input is one call: "<page's
// port> <far end's port> <key of the page> <key of the floor>" (16-byte key and 12-byte salt in hexadecimal), and is
// answered with the port towards SIP. An empty line starts the relay.
#include <cstdio>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/srtp/context.h"
#include "crypto/hash.h"
#include "io/loop/worker_loop.h"
#include "io/udp/udp_sockets.h"

namespace {

using namespace crosspoint;

const IpAddress kLoopback = IpAddress::v4(0x7f000001);

SrtpKey keyOf(const std::string& hex) {
  SrtpKey key{.profile = SrtpProfile::AeadAes128Gcm};
  const auto bytes = crypto::fromHex(hex).value();
  key.masterKey.assign(bytes.begin(), bytes.begin() + 16);
  key.masterSalt.assign(bytes.begin() + 16, bytes.end());
  return key;
}

struct Flow {
  SocketAddress page, farEnd;
  SocketId sip;
  srtp::Context fromPage, toPage;
};

class Floor final : public loop::WorkerLoop::Client {
 public:
  explicit Floor(bool ports) : loop_({}), sockets_(loop_, {}), ports_(ports) {
    page_ = sockets_.open({kLoopback, 0}, udp::Traffic::Shared).value();
    sip_ = sockets_.open({kLoopback, 0}, udp::Traffic::Shared).value();
    sockets_.setHandler([this](TimePoint, std::span<Datagram> batch) {
      for (Datagram& datagram : batch) relay(datagram);
    });
  }
  void run() {
    say("ready ", page_);
    for (std::string line; std::getline(std::cin, line) && !line.empty();) add(line);
    loop_.run(*this);
  }

 private:
  void say(const char* what, SocketId socket) {
    std::printf("%s%u\n", what, sockets_.address(socket).port);
    std::fflush(stdout);
  }
  void add(const std::string& line) {
    std::istringstream in(line);
    std::uint16_t page = 0, farEnd = 0;
    std::string fromPage, toPage;
    in >> page >> farEnd >> fromPage >> toPage;
    flows_.push_back(
        std::make_unique<Flow>(Flow{{kLoopback, page},
                                    {kLoopback, farEnd},
                                    ports_ ? sockets_.open({kLoopback, 0}, udp::Traffic::Call).value() : sip_,
                                    srtp::Context(srtp::Direction::Receive, keyOf(fromPage)),
                                    srtp::Context(srtp::Direction::Send, keyOf(toPage))}));
    byPort_[page] = byPort_[farEnd] = flows_.back().get();
    say("", flows_.back()->sip);
  }
  void relay(Datagram& datagram) {
    const auto found = byPort_.find(datagram.remote.port);
    if (found == byPort_.end()) return;
    Flow& flow = *found->second;
    if (datagram.socket == page_) {
      const auto size = flow.fromPage.unprotect(datagram.bytes());
      if (!size) return;
      datagram.size = static_cast<std::uint32_t>(*size);
      datagram.socket = flow.sip;
      datagram.remote = flow.farEnd;
    } else {
      const auto size = flow.toPage.protect({datagram.data, datagram.capacity}, datagram.size);
      if (!size) return;
      datagram.size = static_cast<std::uint32_t>(*size);
      datagram.socket = page_;
      datagram.remote = flow.page;
    }
    sockets_.forward(datagram);
  }
  void handleReady(TimePoint now, std::uint32_t key) override { sockets_.handleReady(now, SocketId{key}); }
  void handleWakeUp(TimePoint now) override { sockets_.deliver(now); }
  std::optional<TimePoint> nextTimeout() const override { return std::nullopt; }

  loop::WorkerLoop loop_;
  udp::UdpSockets sockets_;
  const bool ports_;
  SocketId page_, sip_;
  std::vector<std::unique_ptr<Flow>> flows_;
  std::unordered_map<std::uint16_t, Flow*> byPort_;
};

}  // namespace

int main(int argc, char** argv) {
  Floor(argc > 1 && std::string_view(argv[1]) == "ports").run();
  return 0;
}
