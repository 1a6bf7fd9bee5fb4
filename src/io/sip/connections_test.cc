// TCP connections of strangers, on real loopback sockets.
#include "io/sip/connections.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include "io/sip/phone_for_test.h"

namespace crosspoint::sip {
namespace {

using test::connectTo;
using test::Phone;
using namespace std::chrono_literals;

std::ptrdiff_t descriptors() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator());
}

bool closedByPeer(const loop::FileDescriptor& socket) {
  pollfd wanted{.fd = socket.get(), .events = POLLIN, .revents = 0};
  char byte = 0;
  return ::poll(&wanted, 1, 0) == 1 && ::recv(socket.get(), &byte, 1, MSG_DONTWAIT) <= 0;
}

class StrangersConnections : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(thread.start()); }
  static SipTransport::Config quick(std::size_t max = 1000) {
    SipTransport::Config config;
    config.connectionsMax = max;
    config.connectionsLook = 20ms;
    return config;
  }
  // Asks again whenever the SIP thread has been round its loop.
  bool soon(const std::function<bool()>& holds) {
    for (const auto end = std::chrono::steady_clock::now() + test::kDeadline; std::chrono::steady_clock::now() < end;) {
      if (holds()) return true;
      thread.call([] {});
    }
    return false;
  }
  SipThread thread;
};

TEST_F(StrangersConnections, GoWhenTheFarEndClosedThemBehindWhatIsNoSip) {
  Phone phone(thread, "a", {}, "tcp", quick());
  const auto before = descriptors();
  std::vector<loop::FileDescriptor> strangers;
  for (int i = 0; i < 20; ++i) {
    strangers.push_back(connectTo(phone.sip().boundAddress()));
    ASSERT_EQ(::send(strangers.back().get(), "z\r\n\r\n", 5, MSG_NOSIGNAL), 5);
  }
  ASSERT_TRUE(soon([&] { return descriptors() == before + 40; })) << "both ends of each";
  strangers.clear();
  EXPECT_TRUE(soon([&] { return descriptors() == before; })) << descriptors() - before << " are left";
}

TEST_F(StrangersConnections, AreNeverMoreThanTheLimitAndTheSilentLose) {
  Phone phone(thread, "a", {}, "tcp", quick(10));
  const auto known = connectTo(phone.sip().boundAddress());
  const std::string keepAlive = "\r\n\r\n";  // RFC 5626 §3.5.1
  ASSERT_EQ(::send(known.get(), keepAlive.data(), keepAlive.size(), MSG_NOSIGNAL), 4);
  std::vector<loop::FileDescriptor> silent;
  for (int i = 0; i < 30; ++i) silent.push_back(connectTo(phone.sip().boundAddress()));
  EXPECT_TRUE(soon([&] { return std::ranges::count_if(silent, closedByPeer) >= 21; }));
  EXPECT_EQ(std::ranges::count_if(silent, closedByPeer), 21);
  EXPECT_FALSE(closedByPeer(known));
}

std::size_t residentBytes() {
  std::size_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * 4096;
}

// sofia-sip keeps a copy of what came behind it with each of them: without a bound to what arrives at once, 1 GB here.
TEST_F(StrangersConnections, SayManyThingsAtOnceAndMemoryDoesNotGrowWithTheSquare) {
  Phone phone(thread, "a", {}, "tcp", quick());
  const auto stranger = connectTo(phone.sip().boundAddress());
  std::string requests;
  for (int i = 0; i < 4'000; ++i) {
    const std::string number = std::to_string(i);
    requests += "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK" + number +
                ";rport\r\nFrom: <sip:c@d>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: " + number +
                "\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
  }
  [[maybe_unused]] const auto before = residentBytes();
  ASSERT_EQ(::send(stranger.get(), requests.data(), requests.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(requests.size()));
  EXPECT_TRUE(soon([&] { return phone.sip().stats().serverTransactions == 4'000; }));
#if !defined(__SANITIZE_THREAD__)  // it keeps several bytes for each one
  EXPECT_LT(residentBytes() - before, 200'000'000U);
#endif
}

}  // namespace
}  // namespace crosspoint::sip
