// The whole program on ports of the system's choice, with plain HTTP and SIP sockets of the test around it.
#include "gateway/gateway.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "io/loop/file_descriptor.h"
#include "io/loop/socket_address.h"

namespace crosspoint::gateway {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// A blocking socket whose waits end after some seconds.
class TestSocket {
 public:
  explicit TestSocket(int type) : fd_(::socket(AF_INET, type | SOCK_CLOEXEC, 0)) {
    const timeval patience{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  void bind() {
    loop::KernelAddress kernel{};
    const auto size = loop::toKernel(*SocketAddress::parse("127.0.0.1:0"), kernel);
    ASSERT_EQ(::bind(fd_.get(), &kernel.any, size), 0);
  }
  void connect(const SocketAddress& to) {
    loop::KernelAddress kernel{};
    const auto size = loop::toKernel(to, kernel);
    ASSERT_EQ(::connect(fd_.get(), &kernel.any, size), 0);
  }
  void send(std::string_view text) {
    EXPECT_EQ(::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  // Empty at the end, or when nothing came.
  std::string receive() {
    std::string text(65536, '\0');
    const auto count = ::recv(fd_.get(), text.data(), text.size(), 0);
    text.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
    return text;
  }
  std::string receiveAll() {
    std::string all;
    for (std::string part = receive(); !part.empty(); part = receive()) all += part;
    return all;
  }
  SocketAddress address() const { return *loop::boundAddress(fd_.get()); }
  int fd() const { return fd_.get(); }

 private:
  loop::FileDescriptor fd_;
};

// A SIP registrar of few words: every request gets `status`.
class FakeRegistrar {
 public:
  FakeRegistrar() : socket_(SOCK_DGRAM) { socket_.bind(); }
  std::string uri() const { return "sip:" + socket_.address().toString() + ";transport=udp"; }
  // Waits for one request and answers it.
  std::string serve(const std::string& status) {
    char buffer[8192];
    loop::KernelAddress from{};
    socklen_t size = sizeof from;
    const auto count = ::recvfrom(socket_.fd(), buffer, sizeof buffer, 0, &from.any, &size);
    if (count <= 0) return {};
    const std::string request(buffer, static_cast<std::size_t>(count));
    const auto reply = answer(request, status);
    ::sendto(socket_.fd(), reply.data(), reply.size(), 0, &from.any, size);
    return request;
  }

 private:
  static std::string answer(const std::string& request, const std::string& status) {
    std::string reply = "SIP/2.0 " + status + "\r\n";
    for (std::size_t at = request.find("\r\n") + 2; at < request.size();) {
      const auto end = request.find("\r\n", at);
      const auto line = request.substr(at, end - at);
      if (line.empty()) break;
      for (const auto* name : {"Via:", "v:", "From:", "f:", "Call-ID:", "i:", "CSeq:", "Contact:", "m:", "Expires:"}) {
        if (line.starts_with(name)) reply += line + "\r\n";
      }
      if (line.starts_with("To:") || line.starts_with("t:")) reply += line + ";tag=registrar\r\n";
      at = end + 2;
    }
    return reply + "Content-Length: 0\r\n\r\n";
  }
  TestSocket socket_;
};

class GatewayFixture : public testing::Test {
 public:
  GatewayFixture() {
    configuration.rsmp.httpPort = 0;
    configuration.sipServer.port = 0;
    configuration.media.workers = 2;
    configuration.log.level = LogLevel::Error;
  }
  ~GatewayFixture() override { stop(); }
  void start() {
    gateway.emplace(configuration);
    const auto started = gateway->start();
    ASSERT_TRUE(started) << started.error();
    addresses = *started;
    thread = std::thread([this] { gateway->run(); });
  }
  void stop() {
    if (!thread.joinable()) return;
    gateway->stop();
    thread.join();
  }
  std::string ask(const std::string& method, const std::string& target, const std::string& body = {}) {
    TestSocket socket(SOCK_STREAM);
    socket.connect(addresses.http);
    socket.send(method + " " + target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n\r\n" + body);
    return socket.receiveAll();
  }
  std::string signIn(const std::string& id) {
    const auto reply = ask("GET", "/sign_in?" + id);
    const auto begin = reply.find("id=");
    EXPECT_THAT(reply, StartsWith("HTTP/1.1 200"));
    return begin == std::string::npos ? "" : reply.substr(begin + 3, reply.find('\n', begin) - begin - 3);
  }

  Configuration configuration;
  std::optional<Gateway> gateway;
  Gateway::Addresses addresses;
  std::thread thread;
};

TEST_F(GatewayFixture, APageSignsInWaitsAndSignsOut) {
  configuration.http.pollHold = std::chrono::seconds(1);
  start();
  for (const auto* id : {"1020", "1021", "1022", "anon0123456789abcdef0123456789abcdef"}) {
    const auto ssid = signIn(id);
    ASSERT_FALSE(ssid.empty());
    EXPECT_THAT(ask("GET", "/wait?id=" + ssid), StartsWith("HTTP/1.1 200")) << "nothing yet: an empty reply in the end";
    EXPECT_THAT(ask("GET", "/sign_out?id=" + ssid), StartsWith("HTTP/1.1 200"));
  }
  EXPECT_THAT(ask("GET", "/metrics"), HasSubstr("\ncrosspoint_sign_ins_total 4\n"));
}

TEST_F(GatewayFixture, AMessageOfASessionThatIsNotHereIsNotTakenAndOnlyWhoCountsHearsOfIt) {
  start();
  const std::string message = "/message?from=S00nobodyofthatnameatall&to=1021";
  EXPECT_THAT(ask("POST", message, "BYE"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(ask("POST", message + "&n=1", "BYE"), StartsWith("HTTP/1.1 404"));
}

TEST_F(GatewayFixture, APasswordThatTheSipServerDoesNotAskForSignsNobodyIn) {
  FakeRegistrar registrar;
  configuration.sip.server = registrar.uri();
  configuration.auth.policy = AuthPolicy::Password;
  start();
  std::string removal;
  std::thread server([&] {
    registrar.serve("200 OK");
    removal = registrar.serve("200 OK");
  });
  const auto reply = ask("POST", "/sign_in", "1020:anything");
  server.join();
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(reply, HasSubstr("did not ask for the password of 1020"));
  EXPECT_THAT(removal, testing::ContainsRegex("[Ee]xpires[:=] ?0\r\n"));
}

TEST_F(GatewayFixture, ARefusedRegistrationReachesThePageWithItsReason) {
  FakeRegistrar registrar;
  configuration.sip.server = registrar.uri();
  start();
  EXPECT_FALSE(addresses.sipServer);
  std::thread server([&] { EXPECT_THAT(registrar.serve("403 Not this number"), StartsWith("REGISTER ")); });
  const auto reply = ask("POST", "/sign_in", "1020:secret");
  server.join();
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(reply, HasSubstr("Not this number"));
}

TEST_F(GatewayFixture, StoppingUnregistersWhoIsSignedIn) {
  FakeRegistrar registrar;
  configuration.sip.server = registrar.uri();
  start();
  std::string first, last;
  std::thread server([&] {
    first = registrar.serve("200 OK");
    last = registrar.serve("200 OK");
  });
  EXPECT_FALSE(signIn("1020").empty());
  stop();
  server.join();
  EXPECT_THAT(first, HasSubstr("Expires: 300\r\n"));
  EXPECT_THAT(last, StartsWith("REGISTER "));
  EXPECT_THAT(last, testing::ContainsRegex("[Ee]xpires[:=] ?0\r\n"));
}

TEST_F(GatewayFixture, AWaitingPageIsReleasedByTheStop) {
  start();
  const auto ssid = signIn("1020");
  TestSocket waiting(SOCK_STREAM);
  waiting.connect(addresses.http);
  waiting.send("GET /wait?id=" + ssid + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(ask("GET", "/health"), HasSubstr("\r\n\r\nok\n"));
  stop();
  EXPECT_THAT(waiting.receiveAll(), StartsWith("HTTP/1.1 200"));
}

TEST_F(GatewayFixture, ServesThePageBesideTheSignalling) {
  std::string name = (std::filesystem::temp_directory_path() / "crosspoint-page-XXXXXX").string();
  const std::filesystem::path root = ::mkdtemp(name.data());
  std::ofstream(root / "index.html") << "<title>softphone</title>";
  configuration.http.root = root.string();
  start();
  EXPECT_THAT(ask("GET", "/"), HasSubstr("<title>softphone</title>"));
  EXPECT_THAT(ask("GET", "/../etc/passwd"), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(ask("GET", "/wait"), StartsWith("HTTP/1.1 400"));
  std::filesystem::remove_all(root);
}

TEST_F(GatewayFixture, PortsThatAreTakenAreNamed) {
  start();
  Configuration second = configuration;
  second.rsmp.httpPort = addresses.http.port;
  const auto http = Gateway(second).start();
  ASSERT_FALSE(http);
  EXPECT_EQ(http.error(), "TCP port " + std::to_string(addresses.http.port) + " of 127.0.0.1 is already taken");
  second = configuration;
  second.sipServer.port = addresses.sipServer->port;
  const auto sip = Gateway(second).start();
  ASSERT_FALSE(sip);
  EXPECT_THAT(sip.error(), HasSubstr(std::to_string(addresses.sipServer->port)));
  TestSocket taken(SOCK_DGRAM);
  taken.bind();
  second = configuration;
  second.media.icePort = taken.address().port;
  const auto media = Gateway(second).start();
  ASSERT_FALSE(media);
  EXPECT_EQ(media.error(),
            "UDP port " + std::to_string(second.media.icePort) + " of 127.0.0.1 for browsers' media: already taken");
}

TEST_F(GatewayFixture, MetricsAreNotForTheOtherSideOfAProxy) {
  start();
  TestSocket socket(SOCK_STREAM);
  socket.connect(addresses.http);
  socket.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.0.2.1\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(socket.receiveAll(), StartsWith("HTTP/1.1 403"));
}

}  // namespace
}  // namespace crosspoint::gateway
