// Calls through the floor: keys and ports are told to it, nothing else is needed.
#include <cstdio>
#include <stdexcept>

#include "bench/target.h"
#include "crypto/hash.h"
#include "io/loop/system_random.h"

namespace crosspoint::bench {
namespace {

class KeysOnly final : public PageEnd {
 public:
  KeysOnly(const SrtpKey& local, const SrtpKey& remote, SocketAddress target)
      : out_(srtp::Direction::Send, local), in_(srtp::Direction::Receive, remote), target_(target) {}
  bool protect(Datagram& datagram) override {
    const auto size = out_.protect({datagram.data, datagram.capacity}, datagram.size);
    if (!size) return false;
    datagram.size = static_cast<std::uint32_t>(*size);
    datagram.remote = target_;
    return true;
  }
  bool receive(TimePoint, Datagram& datagram) override {
    const auto size = in_.unprotect(datagram.bytes());
    if (!size) return false;
    datagram.size = static_cast<std::uint32_t>(*size);
    return true;
  }

 private:
  srtp::Context out_, in_;
  SocketAddress target_;
};

class FloorTarget final : public Target {
 public:
  FloorTarget(const std::string& binary, int cpu, const char* sockets) : process_({binary, sockets}, cpu) {
    page_ = readAddress("ready %u");
  }
  Process& process() override { return process_; }
  void setUp(Media& media, std::size_t calls) override {
    for (std::size_t i = 0; i < calls; ++i) setUp(media);
    process_.writeLine("");
  }

 private:
  SocketAddress readAddress(const char* format) {
    unsigned port = 0;
    if (std::sscanf(process_.readLine().c_str(), format, &port) != 1) throw std::runtime_error("the floor is lost");
    return {IpAddress::v4(0x7f000001), static_cast<std::uint16_t>(port)};
  }
  void setUp(Media& media) {
    const SrtpKey local = makeKey(), remote = makeKey();
    Flow flow{.page = std::make_unique<KeysOnly>(local, remote, page_),
              .pageSocket = media.sockets().open(),
              .farSocket = media.sockets().open(),
              .pageSsrc = random_.next<std::uint32_t>(),
              .farSsrc = random_.next<std::uint32_t>()};
    process_.writeLine(std::to_string(media.sockets().address(flow.pageSocket).port) + " " +
                       std::to_string(media.sockets().address(flow.farSocket).port) + " " + hex(local) + " " +
                       hex(remote));
    flow.farTarget = readAddress("%u");
    media.add(std::move(flow));
  }
  SrtpKey makeKey() {
    SrtpKey key{.profile = SrtpProfile::AeadAes128Gcm, .masterKey = ByteVector(16), .masterSalt = ByteVector(12)};
    random_.fill(key.masterKey);
    random_.fill(key.masterSalt);
    return key;
  }
  static std::string hex(const SrtpKey& key) { return crypto::toHex(key.masterKey) + crypto::toHex(key.masterSalt); }

  Process process_;
  loop::SystemRandom random_;
  SocketAddress page_;
};

}  // namespace

std::unique_ptr<Target> startFloor(const std::string& binary, int cpu, bool ports) {
  return std::make_unique<FloorTarget>(binary, cpu, ports ? "ports" : "shared");
}

}  // namespace crosspoint::bench
