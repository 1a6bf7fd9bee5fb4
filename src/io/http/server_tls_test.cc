// The HTTP server over TLS: requests, WebSockets, and what a waiting client costs.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <signal.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "io/http/server_fixture.h"

namespace crosspoint::http {
namespace {

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

class TlsClient {
 public:
  explicit TlsClient(const SocketAddress& server) : client_(server), context_(SSL_CTX_new(TLS_client_method())) {
    ssl_ = SSL_new(context_);
    SSL_set_fd(ssl_, client_.fd());
    SSL_set_connect_state(ssl_);
    ::fcntl(client_.fd(), F_SETFL, O_NONBLOCK);
  }
  ~TlsClient() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
  }
  TlsClient(const TlsClient&) = delete;
  bool handshake() { return SSL_do_handshake(ssl_) == 1; }
  void send(std::string_view text) {
    EXPECT_EQ(SSL_write(ssl_, text.data(), static_cast<int>(text.size())), static_cast<int>(text.size()));
  }
  bool has(std::string_view text) {
    char buffer[16384];
    for (int count = 0; (count = SSL_read(ssl_, buffer, sizeof buffer)) > 0;) {
      received.append(buffer, static_cast<std::size_t>(count));
    }
    return received.find(text) != std::string::npos;
  }
  void close() {
    SSL_shutdown(ssl_);
    client_.close();
  }
  std::string received;

 private:
  Client client_;
  SSL_CTX* context_;
  SSL* ssl_;
};

struct TlsServer : ServerFixture {
  void SetUp() override {
    ::signal(SIGPIPE, SIG_IGN);
    start({.tls = certificate.config()});
  }
  TemporaryCertificate certificate;
};

TEST_F(TlsServer, AnswersAndNoticesAClientThatGoes) {
  TlsClient client(address);
  runUntil([&] { return client.handshake(); });
  client.send(kGet);
  runUntil([&] { return client.has("<>"); });
  EXPECT_TRUE(requests[0].secure);
  client.send(kWait);
  runUntil([&] { return kept.size() == 1; });
  client.close();
  runUntil([&] { return closed.size() == 1; });
}

TEST_F(TlsServer, OpensAWebSocketAndWritesWhatIsLong) {
  TlsClient client(address);
  runUntil([&] { return client.handshake(); });
  client.send(kUpgrade);
  runUntil([&] { return kept.size() == 1; });
  ASSERT_TRUE(server->accept(kept[0]));
  client.send(maskedFrame(Opcode::Text, "hello"));
  runUntil([&] { return messages.size() == 1; });
  EXPECT_EQ(messages[0].second, "hello");
  server->send(kept[0], std::string(300'000, 'x') + "end");
  runUntil([&] { return client.has("xend"); });
  client.close();
  runUntil([&] { return socketsClosed.size() == 1; });
}

// docs/protocols/signalling.md says what a waiting page costs over TLS.
TEST_F(TlsServer, AWaitingClientHoldsNoTlsBuffers) {
  keepRequests = false;
  constexpr std::size_t kClients = 400;
  std::vector<std::unique_ptr<TlsClient>> clients;
  const auto connect = [&] {
    clients.push_back(std::make_unique<TlsClient>(address));
    runUntil([&] { return clients.back()->handshake(); });
    clients.back()->send(kWait);
    runUntil([&] { return kept.size() == clients.size(); });
  };
  for (std::size_t i = 0; i < 100; ++i) connect();  // what the process needs once
  const auto before = residentBytes();
  while (clients.size() < 100 + kClients) connect();
  // Both ends of each connection are in this process.
  const auto each = (residentBytes() - before) / kClients;
  std::printf("%zu bytes per waiting TLS client, with the client\n", each);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LT(each, 100 * 1024U);
#endif
}

TEST_F(TlsServer, PlainHttpOnTheTlsPortIsClosed) {
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
