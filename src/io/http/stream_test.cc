// What a connection over TCP knows of its client's going.
#include "io/http/stream.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <utility>

namespace crosspoint::http {
namespace {

// Two ends of a TCP connection on loopback.
class StreamTest : public testing::Test {
 protected:
  void SetUp() override {
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
    ASSERT_EQ(::listen(listener, 1), 0);
    ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
    client_ = ::socket(AF_INET, SOCK_STREAM, 0);
    ASSERT_EQ(::connect(client_, reinterpret_cast<sockaddr*>(&address), size), 0);
    server_ = ::accept(listener, nullptr, nullptr);
    ASSERT_GE(server_, 0);
    ::close(listener);
  }
  void TearDown() override {
    if (client_ >= 0) ::close(client_);
    ::close(server_);
  }
  void awaitOnServer(short events) {
    pollfd waiting{.fd = server_, .events = events, .revents = 0};
    ASSERT_EQ(::poll(&waiting, 1, 10'000), 1);
  }
  void closeClient(bool reset) {
    const linger at{.l_onoff = reset, .l_linger = 0};
    ASSERT_EQ(::setsockopt(client_, SOL_SOCKET, SO_LINGER, &at, sizeof at), 0);
    ::close(std::exchange(client_, -1));
  }

  int client_ = -1, server_ = -1;
};

TEST_F(StreamTest, AResetBehindAReplyThatWasReadIsNoLoss) {
  Stream stream(server_, nullptr);
  EXPECT_EQ(stream.write("reply").count, 5u);
  std::array<char, 16> read{};
  EXPECT_EQ(::recv(client_, read.data(), read.size(), 0), 5);
  EXPECT_FALSE(stream.wasResetTooSoon());
  closeClient(true);
  awaitOnServer(POLLIN);
  EXPECT_FALSE(stream.wasResetTooSoon());
}

TEST_F(StreamTest, AResetThatIsAllThatComesBackMayHaveSwallowedTheReply) {
  const int off = 0;  // it confirms nothing at once
  ASSERT_EQ(::setsockopt(client_, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof off), 0);
  Stream stream(server_, nullptr);
  EXPECT_EQ(stream.write("reply").count, 5u);
  EXPECT_FALSE(stream.wasResetTooSoon());
  closeClient(true);
  awaitOnServer(POLLIN);
  EXPECT_TRUE(stream.wasResetTooSoon());
}

}  // namespace
}  // namespace crosspoint::http
