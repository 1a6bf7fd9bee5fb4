// UDP sockets over loopback, on ports the system chose; every wait is for a datagram or for the kernel.
#include "io/udp/udp_sockets.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <string>

#include "io/loop/clock.h"
#include "io/loop/socket_address.h"

namespace crosspoint::udp {
namespace {

const IpAddress kLoopback = *IpAddress::parse("127.0.0.1");

// A plain socket of the far end.
class FarEnd {
 public:
  explicit FarEnd(const IpAddress& ip = kLoopback) : fd_(::socket(ip.isV4() ? AF_INET : AF_INET6, SOCK_DGRAM, 0)) {
    loop::KernelAddress kernel{};
    const auto size = loop::toKernel({ip, 0}, kernel);
    EXPECT_EQ(::bind(fd_.get(), &kernel.any, size), 0);
  }
  SocketAddress address() const { return *loop::boundAddress(fd_.get()); }
  void send(const SocketAddress& to, std::string_view text) {
    loop::KernelAddress kernel{};
    const auto size = loop::toKernel(to, kernel);
    EXPECT_EQ(::sendto(fd_.get(), text.data(), text.size(), 0, &kernel.any, size), static_cast<ssize_t>(text.size()));
  }
  // Waits for it; empty after two seconds.
  std::string receive() {
    pollfd entry{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&entry, 1, 2000) != 1) return {};
    std::string text(2048, '\0');
    const auto size = ::recv(fd_.get(), text.data(), text.size(), 0);
    text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return text;
  }
  bool silent() {
    pollfd entry{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    return ::poll(&entry, 1, 0) == 0;
  }

 private:
  loop::FileDescriptor fd_;
};

struct Received {
  SocketId socket;
  SocketAddress remote;
  std::string text;
};

// One worker as the gateway wires it: each wake-up reads, delivers, flushes.
class UdpFixture : public testing::Test, public loop::WorkerLoop::Client {
 public:
  UdpFixture() : UdpFixture(UdpSockets::Config{}) {}
  explicit UdpFixture(UdpSockets::Config config) : sockets(loop, config) {
    sockets.setHandler([this](TimePoint, std::span<Datagram> batch) {
      ++batches;
      for (Datagram& datagram : batch) {
        received.push_back({datagram.socket, datagram.remote, std::string(asText(datagram.bytes()))});
        if (onDatagram) onDatagram(datagram);
      }
      if (received.size() >= expected) loop.stop();
    });
  }
  void handleReady(TimePoint now, std::uint32_t key) override { sockets.handleReady(now, SocketId{key}); }
  void handleWakeUp(TimePoint now) override { sockets.deliver(now); }
  std::optional<TimePoint> nextTimeout() const override { return std::nullopt; }
  void runUntilReceived(std::size_t count) {
    expected = count;
    loop.run(*this);
  }
  SocketId openOne(Traffic traffic = Traffic::Shared) { return *sockets.open({kLoopback, 0}, traffic); }

  loop::WorkerLoop loop{{}};
  UdpSockets sockets;
  std::vector<Received> received;
  std::size_t expected = 1, batches = 0;
  std::function<void(Datagram&)> onDatagram;
};

TEST_F(UdpFixture, ReceivesWithSocketAndSender) {
  const auto one = openOne(), two = openOne();
  FarEnd far;
  far.send(sockets.address(two), "hello");
  runUntilReceived(1);
  ASSERT_EQ(received.size(), 1U);
  EXPECT_EQ(received[0].socket, two);
  EXPECT_NE(received[0].socket, one);
  EXPECT_EQ(received[0].remote, far.address());
  EXPECT_EQ(received[0].text, "hello");
}

TEST_F(UdpFixture, ForwardsFromTheReceivedBufferThroughAnotherSocket) {
  const auto in = openOne(), out = openOne(Traffic::Call);
  FarEnd sender, target;
  onDatagram = [&](Datagram& datagram) {
    datagram.data[0] = 'J';  // changed in place
    datagram.socket = out;
    datagram.remote = target.address();
    sockets.forward(datagram);
  };
  sender.send(sockets.address(in), "Hello");
  runUntilReceived(1);
  EXPECT_EQ(target.receive(), "Jello");
  EXPECT_EQ(sockets.counters().sent.load(), 1U);
}

TEST_F(UdpFixture, ForwardingABufferOfTheCallersOwnCopiesIt) {
  const auto out = openOne();
  FarEnd target;
  {
    std::vector<std::uint8_t> own(3, 'x');
    sockets.forward({.socket = out, .remote = target.address(), .data = own.data(), .size = 3, .capacity = 3});
    std::fill(own.begin(), own.end(), 'y');
  }
  sockets.flush();
  EXPECT_EQ(target.receive(), "xxx");
}

TEST_F(UdpFixture, ManyDatagramsOfManySocketsKeepTheirOrderPerSocket) {
  constexpr int kSockets = 5, kEach = 100;  // more than one batch
  std::vector<SocketId> ids;
  std::vector<FarEnd> fars(kSockets);
  for (int i = 0; i < kSockets; ++i) ids.push_back(openOne(Traffic::Call));
  onDatagram = [&](Datagram& datagram) { sockets.forward(datagram); };  // echo
  for (int n = 0; n < kEach; ++n) {
    for (int i = 0; i < kSockets; ++i) fars[i].send(sockets.address(ids[i]), std::to_string(n));
  }
  runUntilReceived(kSockets * kEach);
  for (auto& far : fars) {
    for (int n = 0; n < kEach; ++n) ASSERT_EQ(far.receive(), std::to_string(n));
  }
  EXPECT_EQ(sockets.counters().received.load(), static_cast<std::uint64_t>(kSockets * kEach));
  EXPECT_LT(batches, static_cast<std::size_t>(kSockets * kEach) / 10);
}

TEST_F(UdpFixture, ATooLongDatagramIsDroppedAndTheOthersOfTheBatchAreWhole) {
  const auto socket = openOne();
  FarEnd far;
  far.send(sockets.address(socket), "before");
  far.send(sockets.address(socket), std::string(kDatagramBytesMax + 1, 'x'));
  far.send(sockets.address(socket), std::string(kDatagramBytesMax, 'y'));
  far.send(sockets.address(socket), "behind");
  runUntilReceived(3);
  ASSERT_EQ(received.size(), 3U);
  EXPECT_EQ(received[0].text, "before");
  EXPECT_EQ(received[1].text, std::string(kDatagramBytesMax, 'y'));
  EXPECT_EQ(received[2].text, "behind");
  EXPECT_EQ(sockets.counters().receivedTooLong.load(), 1U);
}

TEST_F(UdpFixture, AnEmptyDatagramIsADatagram) {
  const auto socket = openOne();
  FarEnd far;
  far.send(sockets.address(socket), "");
  runUntilReceived(1);
  EXPECT_EQ(received[0].text, "");
}

TEST_F(UdpFixture, WhatWasQueuedBeforeCloseIsStillSentAndNothingBehindIt) {
  const auto socket = openOne(Traffic::Call);
  FarEnd far;
  sockets.send(socket, far.address(), asBytes("bye"));
  sockets.close(socket);
  sockets.send(socket, far.address(), asBytes("too late"));
  sockets.flush();
  EXPECT_EQ(far.receive(), "bye");
  EXPECT_TRUE(far.silent());
  EXPECT_EQ(sockets.counters().outDropped.load(), 1U);
  EXPECT_EQ(sockets.address(socket), SocketAddress{});
}

TEST_F(UdpFixture, ANumberIsNotUsedAgainWhileItsBatchIsHandled) {
  const auto first = openOne(Traffic::Call);
  FarEnd far;
  std::optional<SocketId> second;
  onDatagram = [&](Datagram&) {
    sockets.close(first);
    second = openOne(Traffic::Call);
    EXPECT_NE(*second, first);
  };
  far.send(sockets.address(first), "x");
  runUntilReceived(1);
  ASSERT_TRUE(second);
  EXPECT_EQ(openOne(Traffic::Call), first);  // afterwards it is
}

TEST_F(UdpFixture, MoreThanTheOutQueueHoldsIsSentAtOnce) {
  const auto socket = openOne();
  FarEnd far;
  for (int i = 0; i < 600; ++i) sockets.send(socket, far.address(), asBytes(std::to_string(i)));
  EXPECT_EQ(sockets.counters().sent.load(), 512U);
  sockets.flush();
  for (int i = 0; i < 100; ++i) ASSERT_EQ(far.receive(), std::to_string(i));
}

TEST_F(UdpFixture, WhatTheKernelRefusesIsCountedAndTheRestGoes) {
  const auto socket = openOne();
  FarEnd far;
  sockets.send(socket, {kLoopback, 0}, asBytes("to port 0"));
  sockets.send(socket, *SocketAddress::parse("[::1]:9"), asBytes("other family"));
  sockets.send(SocketId{77}, far.address(), asBytes("no such socket"));
  sockets.send(socket, far.address(), ByteVector(kDatagramBytesMax + 1));
  sockets.send(socket, far.address(), asBytes("fine"));
  sockets.flush();
  EXPECT_EQ(far.receive(), "fine");
  EXPECT_EQ(sockets.counters().sendRefused.load(), 1U);
  EXPECT_EQ(sockets.counters().outDropped.load(), 3U);
}

TEST_F(UdpFixture, APortThatIsTakenIsAnErrorWithItsReason) {
  FarEnd far;
  const auto opened = sockets.open(far.address(), Traffic::Shared);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(), std::errc::address_in_use);
  EXPECT_EQ(sockets.openSockets(), 0U);
}

TEST_F(UdpFixture, SystemChosenPairsAreEvenAndOddNeighbours) {
  for (int i = 0; i < 50; ++i) {
    const auto pair = sockets.openPair(kLoopback, 0, 0);
    ASSERT_TRUE(pair) << pair.error().message();
    const auto port = sockets.address(pair->rtp).port;
    EXPECT_EQ(port % 2, 0);
    EXPECT_EQ(sockets.address(pair->rtcp).port, port + 1);
  }
  EXPECT_EQ(sockets.openSockets(), 100U);
}

// A range of this many pairs that is free now; the system chose where.
std::uint16_t freeRange(UdpSockets& sockets, unsigned pairs) {
  for (;;) {
    const auto socket = *sockets.open({kLoopback, 0}, Traffic::Call);
    const unsigned first = (sockets.address(socket).port + 1U) & ~1U;
    sockets.close(socket);
    sockets.flush();
    std::vector<SocketId> held;
    bool allFree = first + 2 * pairs < 65536;
    for (unsigned i = 0; allFree && i < 2 * pairs; ++i) {
      const auto opened = sockets.open({kLoopback, static_cast<std::uint16_t>(first + i)}, Traffic::Call);
      if (opened) held.push_back(*opened);
      allFree = opened.has_value();
    }
    for (const auto id : held) sockets.close(id);
    sockets.flush();
    if (allFree) return static_cast<std::uint16_t>(first);
  }
}

TEST_F(UdpFixture, PairsOfARangeRunOutAndComeBackWhenClosed) {
  const auto first = freeRange(sockets, 3);
  const auto last = static_cast<std::uint16_t>(first + 5);
  std::vector<PortPair> pairs;
  for (int i = 0; i < 3; ++i) {
    const auto pair = sockets.openPair(kLoopback, first, last);
    ASSERT_TRUE(pair);
    EXPECT_GE(sockets.address(pair->rtp).port, first);
    EXPECT_LE(sockets.address(pair->rtcp).port, last);
    EXPECT_EQ(sockets.address(pair->rtp).port % 2, 0);
    pairs.push_back(*pair);
  }
  EXPECT_FALSE(sockets.openPair(kLoopback, first, last));
  EXPECT_EQ(sockets.openSockets(), 6U);
  const auto port = sockets.address(pairs[1].rtp).port;
  sockets.close(pairs[1].rtp);
  sockets.close(pairs[1].rtcp);
  sockets.flush();
  const auto again = sockets.openPair(kLoopback, first, last);
  ASSERT_TRUE(again);
  EXPECT_EQ(sockets.address(again->rtp).port, port);
}

TEST_F(UdpFixture, ARangeWithoutAWholePairGivesNothing) {
  EXPECT_FALSE(sockets.openPair(kLoopback, 40000, 40000));
  EXPECT_FALSE(sockets.openPair(kLoopback, 40001, 40002));
}

TEST_F(UdpFixture, WorksOverIpv6) {
  const auto ip = *IpAddress::parse("::1");
  const auto socket = sockets.open({ip, 0}, Traffic::Shared);
  if (!socket && socket.error() == std::errc::address_not_available) GTEST_SKIP() << "no IPv6 on this machine";
  ASSERT_TRUE(socket);
  FarEnd far(ip);
  onDatagram = [&](Datagram& datagram) { sockets.forward(datagram); };
  far.send(sockets.address(*socket), "six");
  runUntilReceived(1);
  EXPECT_EQ(received[0].remote, far.address());
  EXPECT_EQ(far.receive(), "six");
}

TEST_F(UdpFixture, NineThousandSocketsWorkAtOnce) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < 10'000) GTEST_SKIP() << "file descriptor limit is " << limit.rlim_cur;
  std::vector<SocketId> ids;
  while (ids.size() < 9'000) {
    const auto pair = sockets.openPair(kLoopback, 0, 0);
    ASSERT_TRUE(pair) << ids.size() << ": " << pair.error().message();
    ids.push_back(pair->rtp);
    ids.push_back(pair->rtcp);
  }
  EXPECT_FALSE(sockets.open({kLoopback, 0}, Traffic::Call)) << "socketsMax";
  FarEnd far;
  for (std::size_t i = 0; i < ids.size(); i += 100) far.send(sockets.address(ids[i]), std::to_string(i));
  runUntilReceived(90);
  for (const auto& one : received) EXPECT_EQ(one.socket, ids[std::stoul(one.text)]);
}

}  // namespace
}  // namespace crosspoint::udp
