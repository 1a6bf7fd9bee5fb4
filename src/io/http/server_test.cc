// The HTTP server against raw sockets, server and clients on one thread: every wait is for an event of the server.
#include "io/http/server.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "io/loop/file_descriptor.h"
#include "io/loop/socket_address.h"

namespace crosspoint::http {
namespace {

const std::string kGet = "GET /now HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string kWait = "GET /wait?id=1 HTTP/1.1\r\nHost: a\r\n\r\n";

class Client {
 public:
  explicit Client(const SocketAddress& server) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    loop::KernelAddress kernel{};
    const auto size = loop::toKernel(server, kernel);
    EXPECT_EQ(::connect(fd_.get(), &kernel.any, size), 0);
  }
  void send(std::string_view text) {
    EXPECT_EQ(::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  // Appends what has arrived to `received`.
  void poll() {
    char buffer[65536];
    for (;;) {
      const auto count = ::recv(fd_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
      if (count < 0) return;
      if (count == 0) {
        ended = true;
        return;
      }
      received.append(buffer, static_cast<std::size_t>(count));
    }
  }
  void abort() {  // with a reset
    const linger hard{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    fd_.reset();
  }
  void close() { fd_.reset(); }
  int fd() const { return fd_.get(); }

  std::string received;
  bool ended = false;

 private:
  loop::FileDescriptor fd_;
};

// A server whose owner answers "/now" at once with the request's body, and keeps everything else.
class ServerFixture : public testing::Test {
 public:
  void start(Config config = {}) {
    config.bind = *SocketAddress::parse("127.0.0.1:0");
    server.emplace(context, std::move(config));
    server->onRequest([this](RequestId id, Request&& request) {
      if (request.path == "/now") {
        server->respond(id, {.body = "<" + request.body + ">"});
      } else {
        kept.push_back(id);
      }
      if (keepRequests) requests.push_back(std::move(request));
    });
    server->onClosed([this](RequestId id) { closed.push_back(id); });
    server->onDelivered([this](RequestId id) { delivered.push_back(id); });
    server->onUndelivered([this](RequestId id) { undelivered.push_back(id); });
    const auto listening = server->listen();
    ASSERT_TRUE(listening) << listening.error();
    address = *listening;
  }
  void runUntil(const std::function<bool()>& reached) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!reached()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "nothing happened";
      context.restart();
      context.run_one_for(std::chrono::milliseconds(100));
    }
  }
  // Until the client has `text`, and everything before it.
  void expectReceived(Client& client, std::string_view text) {
    runUntil([&] {
      client.poll();
      return client.received.find(text) != std::string::npos;
    });
  }
  void expectEnd(Client& client) {
    runUntil([&] {
      client.poll();
      return client.ended;
    });
  }

  boost::asio::io_context context;
  std::optional<Server> server;
  SocketAddress address;
  std::vector<Request> requests;
  bool keepRequests = true;
  std::vector<RequestId> kept, closed, delivered, undelivered;
};

TEST_F(ServerFixture, AnswersAndKeepsTheConnection) {
  start();
  Client client(address);
  client.send("POST /now?q HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
  expectReceived(client, "<abc>");
  EXPECT_TRUE(client.received.starts_with("HTTP/1.1 200 OK\r\n")) << client.received;
  EXPECT_NE(client.received.find("Content-Type: text/plain; charset=utf-8\r\n"), std::string::npos);
  EXPECT_NE(client.received.find("Content-Length: 5\r\n"), std::string::npos);
  EXPECT_NE(client.received.find("Cache-Control: no-store\r\n"), std::string::npos);
  client.received.clear();
  client.send(kGet);
  expectReceived(client, "<>");
  EXPECT_EQ(requests[0].query, "q");
  EXPECT_EQ(requests[0].remote.ip, *IpAddress::parse("127.0.0.1"));
  EXPECT_EQ(delivered.size(), 2U);
  EXPECT_EQ(server->counters().accepted, 1U);
}

TEST_F(ServerFixture, ARequestThatComesByteByByteIsOneRequest) {
  start();
  Client client(address);
  for (const char c : std::string("\r\nPOST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")) {
    client.send({&c, 1});
    context.restart();
    context.poll();
  }
  expectReceived(client, "<abc>");
}

TEST_F(ServerFixture, PipelinedRequestsAreAnsweredInOrder) {
  start();
  Client client(address);
  std::string text;
  for (int i = 0; i < 200; ++i) {
    text += "POST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n" + std::to_string(100 + i);
  }
  client.send(text);
  expectReceived(client, "<299>");
  std::size_t at = 0;
  for (int i = 0; i < 200; ++i) {
    at = client.received.find("<" + std::to_string(100 + i) + ">", at);
    ASSERT_NE(at, std::string::npos);
  }
}

TEST_F(ServerFixture, WhatIsPipelinedBehindAHangingGetWaitsForItsReply) {
  start();
  Client client(address);
  client.send(kWait + kGet);
  runUntil([&] { return kept.size() == 1; });
  context.restart();
  context.poll();
  EXPECT_EQ(requests.size(), 1U);
  server->respond(kept[0], {.body = "message"});
  expectReceived(client, "<>");
  EXPECT_LT(client.received.find("message"), client.received.find("<>"));
}

TEST_F(ServerFixture, AHangingGetIsAnsweredWhenThereIsSomethingToSay) {
  start();
  Client client(address);
  client.send(kWait);
  runUntil([&] { return kept.size() == 1; });
  EXPECT_EQ(server->counters().waiting, 1U);
  server->respond(kept[0], {.body = "SDP {}", .headers = {{"Pragma", "1020"}}});
  expectReceived(client, "SDP {}");
  EXPECT_NE(client.received.find("Pragma: 1020\r\n"), std::string::npos);
  EXPECT_EQ(delivered, kept);
  EXPECT_EQ(server->counters().waiting, 0U);
  server->respond(kept[0], {.body = "twice"});  // ignored
}

TEST_F(ServerFixture, TheOwnerHearsOfAClientThatGaveUpWaiting) {
  start();
  Client orderly(address), hard(address), pipelining(address);
  orderly.send(kWait);
  hard.send(kWait);
  pipelining.send(kWait + kGet);
  runUntil([&] { return kept.size() == 3; });
  orderly.close();
  runUntil([&] { return closed.size() == 1; });
  hard.abort();
  runUntil([&] { return closed.size() == 2; });
  pipelining.close();
  runUntil([&] { return closed.size() == 3; });
  EXPECT_TRUE(delivered.empty());
  EXPECT_TRUE(undelivered.empty());
  EXPECT_EQ(server->counters().connections, 0U);
  server->respond(closed[0], {.body = "lost"});
  EXPECT_TRUE(undelivered.empty());
}

TEST_F(ServerFixture, AReplyToAClientThatHasJustGoneIsReportedAsUndelivered) {
  start();
  Client client(address);
  client.send(kWait);
  runUntil([&] { return kept.size() == 1; });
  client.close();
  server->respond(kept[0], {.body = "message"});  // before the loop could notice
  EXPECT_EQ(undelivered, kept);
  EXPECT_TRUE(delivered.empty());
  EXPECT_TRUE(closed.empty());
}

TEST_F(ServerFixture, ALargeReplyWhoseReaderGoesAwayIsReportedAsUndelivered) {
  start();
  Client client(address);
  client.send(kWait);
  runUntil([&] { return kept.size() == 1; });
  server->respond(kept[0], {.body = std::string(20'000'000, 'x')});
  EXPECT_TRUE(delivered.empty());
  client.abort();
  runUntil([&] { return undelivered.size() == 1; });
}

TEST_F(ServerFixture, ALargeReplyArrivesWhole) {
  start();
  Client client(address);
  client.send(kWait);
  runUntil([&] { return kept.size() == 1; });
  server->respond(kept[0], {.body = std::string(20'000'000, 'x') + "end"});
  expectReceived(client, "end");
  EXPECT_EQ(delivered.size(), 1U);
  EXPECT_GT(client.received.size(), 20'000'000U);
}

TEST_F(ServerFixture, BadHttpIsAnsweredAndTheConnectionEnds) {
  start();
  for (const auto& [text, status] : std::vector<std::pair<std::string, std::string>>{
           {"garbage\r\n\r\n", "400"},
           {"GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(9000, 'x'), "431"},
           {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" + std::string(100'000, 'x'), "413"}}) {
    Client client(address);
    client.send(text);
    expectEnd(client);
    EXPECT_TRUE(client.received.starts_with("HTTP/1.1 " + status)) << client.received;
    EXPECT_NE(client.received.find("Connection: close\r\n"), std::string::npos);
  }
  EXPECT_TRUE(requests.empty());
  EXPECT_EQ(server->counters().badRequests, 3U);
}

TEST_F(ServerFixture, ASlowSenderGets408AndASilentOneIsClosed) {
  start({.limits = {.requestMax = 20ms, .idleMax = 40ms}});
  Client slow(address), silent(address);
  slow.send("GET / HT");
  expectEnd(slow);
  EXPECT_TRUE(slow.received.starts_with("HTTP/1.1 408")) << slow.received;
  expectEnd(silent);
  EXPECT_EQ(silent.received, "");
}

TEST_F(ServerFixture, AWaitingClientIsNotTimedOut) {
  start({.limits = {.requestMax = 20ms, .idleMax = 20ms, .writeMax = 20ms}});
  Client waiting(address), silent(address);
  waiting.send(kWait);
  expectEnd(silent);
  EXPECT_EQ(kept.size(), 1U);
  EXPECT_TRUE(closed.empty());
}

TEST_F(ServerFixture, AClientThatDoesNotReadItsReplyIsClosed) {
  start({.limits = {.writeMax = 20ms}});
  Client client(address);
  client.send(kWait);
  runUntil([&] { return kept.size() == 1; });
  server->respond(kept[0], {.body = std::string(20'000'000, 'x')});
  runUntil([&] { return undelivered.size() == 1; });
}

TEST_F(ServerFixture, EveryReplyCarriesCorsForAnAllowedOrigin) {
  start();
  const std::vector<std::string> expected = {
      "Access-Control-Allow-Origin: https://page.example\r\n", "Access-Control-Allow-Credentials: true\r\n",
      "Access-Control-Expose-Headers: Pragma, X-Crosspoint-Sequence\r\n", "Vary: Origin\r\n"};
  for (const auto& [text, status] : std::vector<std::pair<std::string, std::string>>{
           {"GET /now HTTP/1.1\r\nHost: a\r\nOrigin: https://page.example\r\n\r\n", "200"},
           {"OPTIONS /message HTTP/1.1\r\nHost: a\r\nOrigin: https://page.example\r\n"
            "Access-Control-Request-Headers: x-test\r\n\r\n",
            "200"},
           {"POST / HTTP/1.1\r\nHost: a\r\nOrigin: https://page.example\r\nContent-Length: 300000\r\n\r\n", "413"}}) {
    Client client(address);
    client.send(text);
    expectReceived(client, "\r\n\r\n");
    EXPECT_TRUE(client.received.starts_with("HTTP/1.1 " + status)) << client.received;
    for (const auto& line : expected) EXPECT_NE(client.received.find(line), std::string::npos) << line;
  }
  EXPECT_EQ(requests.size(), 1U) << "OPTIONS is not the owner's";
}

TEST_F(ServerFixture, AnOriginThatIsNotListedGetsNoPermission) {
  start({.allowedOrigins = {"https://page.example/"}});
  Client good(address), bad(address);
  good.send("GET /now HTTP/1.1\r\nHost: a\r\nOrigin: https://page.example\r\n\r\n");
  expectReceived(good, "<>");
  EXPECT_NE(good.received.find("Access-Control-Allow-Origin: https://page.example\r\n"), std::string::npos);
  bad.send("GET /now HTTP/1.1\r\nHost: a\r\nOrigin: https://evil.example\r\n\r\n");
  expectReceived(bad, "<>");
  EXPECT_EQ(bad.received.find("Access-Control-Allow"), std::string::npos);
  EXPECT_NE(bad.received.find("Vary: Origin\r\n"), std::string::npos);
}

TEST_F(ServerFixture, HeadGivesTheLengthWithoutTheContent) {
  start();
  Client client(address);
  client.send("HEAD /now HTTP/1.1\r\nHost: a\r\n\r\n" + kGet);
  expectReceived(client, "<>");
  EXPECT_NE(client.received.find("Content-Length: 2\r\n"), std::string::npos);
  EXPECT_EQ(client.received.find("<>"), client.received.size() - 2);
}

TEST_F(ServerFixture, ALineBreakInAHeaderValueMakesNoNewHeader) {
  start();
  Client client(address);
  client.send(kWait);
  runUntil([&] { return kept.size() == 1; });
  server->respond(kept[0], {.headers = {{"Pragma", "10\r\nSet-Cookie: a=b"}}});
  expectReceived(client, "\r\n\r\n");
  EXPECT_NE(client.received.find("Pragma: 10Set-Cookie: a=b\r\n"), std::string::npos);
}

TEST_F(ServerFixture, SendsContinueToAClientThatWaitsForIt) {
  start();
  Client client(address);
  client.send("POST /now HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  expectReceived(client, "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("abc");
  expectReceived(client, "<abc>");
}

TEST_F(ServerFixture, ConnectionCloseAndHttp10AreClosedBehindTheReply) {
  start();
  for (const auto* text : {"GET /now HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "GET /now HTTP/1.0\r\n\r\n"}) {
    Client client(address);
    client.send(text);
    expectEnd(client);
    EXPECT_TRUE(client.received.ends_with("<>"));
  }
}

TEST_F(ServerFixture, ConnectionsBeyondTheLimitAreToldSo) {
  start({.limits = {.connectionsMax = 2}});
  Client one(address), two(address);
  one.send(kWait);
  two.send(kWait);
  runUntil([&] { return kept.size() == 2; });
  Client three(address);
  expectEnd(three);
  EXPECT_TRUE(three.received.starts_with("HTTP/1.1 503")) << three.received;
  one.close();
  runUntil([&] { return closed.size() == 1; });
  Client four(address);
  four.send(kGet);
  expectReceived(four, "<>");
}

TEST_F(ServerFixture, APortThatIsTakenIsAClearError) {
  start();
  Server second(context, {.bind = address});
  const auto listening = second.listen();
  ASSERT_FALSE(listening);
  EXPECT_EQ(listening.error(), "TCP port " + std::to_string(address.port) + " of 127.0.0.1 is already taken");
}

TEST_F(ServerFixture, DrainingEndsIdleConnectionsAndFinishesTheOthers) {
  start();
  Client idle(address), waiting(address);
  idle.send(kGet);
  expectReceived(idle, "<>");
  waiting.send(kWait);
  runUntil([&] { return kept.size() == 1; });
  server->drain();
  expectEnd(idle);
  server->respond(kept[0], {.body = "last"});
  expectEnd(waiting);
  EXPECT_TRUE(waiting.received.ends_with("last"));
}

TEST_F(ServerFixture, TheServerMayGoWhileClientsWait) {
  start();
  Client client(address);
  client.send(kWait);
  runUntil([&] { return kept.size() == 1; });
  server.reset();
  context.restart();
  context.run();  // what was pending finds nobody, and nothing is left
  client.poll();
  EXPECT_TRUE(client.ended);
}

// Resident memory of this process in bytes.
std::size_t residentBytes() {
  std::size_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * 4096;
}

TEST_F(ServerFixture, AWaitingClientTakesLessThan8Kilobytes) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  constexpr std::size_t kClients = 4000;
  if (limit.rlim_cur < 2 * kClients + 100) GTEST_SKIP() << "file descriptor limit is " << limit.rlim_cur;
  keepRequests = false;
  start();
  const auto before = residentBytes();
  std::vector<Client> clients;
  clients.reserve(kClients);
  const std::string request =
      "GET /wait?id=1 HTTP/1.1\r\nHost: a\r\nOrigin: https://page\r\nUser-Agent: " + std::string(300, 'x') + "\r\n\r\n";
  for (std::size_t i = 0; i < kClients; ++i) {
    clients.emplace_back(address).send(request);
    if (i % 32 == 0) runUntil([&] { return kept.size() + 16 > i; });
  }
  runUntil([&] { return kept.size() == kClients; });
  const auto each = (residentBytes() - before) / kClients;
  RecordProperty("bytesPerWaitingClient", static_cast<int>(each));
  std::printf("%zu bytes per waiting client\n", each);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LT(each, 8 * 1024U);
#endif
  for (const auto id : kept) server->respond(id, {.body = "done"});
  EXPECT_EQ(delivered.size(), kClients);
}

// ---- TLS ----

// A certificate of its own in two files.
struct TemporaryCertificate {
  TemporaryCertificate() {
    std::string name = (std::filesystem::temp_directory_path() / "crosspoint-tls-XXXXXX").string();
    folder = ::mkdtemp(name.data());
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_sign(certificate, key, EVP_sha256());
    FILE* file = std::fopen((folder / "cert.pem").c_str(), "w");
    PEM_write_X509(file, certificate);
    std::fclose(file);
    file = std::fopen((folder / "key.pem").c_str(), "w");
    PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  ~TemporaryCertificate() { std::filesystem::remove_all(folder); }
  TlsConfig config() const { return {(folder / "cert.pem").string(), (folder / "key.pem").string()}; }
  std::filesystem::path folder;
};

TEST_F(ServerFixture, SpeaksTlsAndNoticesAClientThatGoes) {
  ::signal(SIGPIPE, SIG_IGN);
  TemporaryCertificate certificate;
  start({.tls = certificate.config()});
  Client client(address);
  SSL_CTX* context_ = SSL_CTX_new(TLS_client_method());
  SSL* ssl = SSL_new(context_);
  SSL_set_fd(ssl, client.fd());
  SSL_set_connect_state(ssl);
  ::fcntl(client.fd(), F_SETFL, O_NONBLOCK);
  runUntil([&] { return SSL_do_handshake(ssl) == 1; });
  SSL_write(ssl, kGet.data(), static_cast<int>(kGet.size()));
  char buffer[4096];
  int count = 0;
  runUntil([&] { return (count = SSL_read(ssl, buffer, sizeof buffer)) > 0; });
  EXPECT_TRUE(std::string_view(buffer, static_cast<std::size_t>(count)).ends_with("<>"));
  EXPECT_TRUE(requests[0].secure);
  SSL_write(ssl, kWait.data(), static_cast<int>(kWait.size()));
  runUntil([&] { return kept.size() == 1; });
  SSL_shutdown(ssl);
  client.close();
  runUntil([&] { return closed.size() == 1; });
  SSL_free(ssl);
  SSL_CTX_free(context_);
}

TEST_F(ServerFixture, PlainHttpOnTheTlsPortIsClosed) {
  TemporaryCertificate certificate;
  start({.tls = certificate.config()});
  Client client(address);
  client.send(kGet);
  expectEnd(client);
  EXPECT_TRUE(requests.empty());
}

TEST_F(ServerFixture, ACertificateThatCannotBeReadIsAClearError) {
  Server broken(context,
                {.bind = *SocketAddress::parse("127.0.0.1:0"), .tls = TlsConfig{"/none/cert.pem", "/none/key.pem"}});
  const auto listening = broken.listen();
  ASSERT_FALSE(listening);
  EXPECT_NE(listening.error().find("/none/cert.pem"), std::string::npos);
}

}  // namespace
}  // namespace crosspoint::http
