// TLS between two transports on loopback: whose certificate is taken, and what is said of the others.
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <filesystem>
#include <fstream>

#include "io/dns/name_server_for_test.h"
#include "io/sip/phone_for_test.h"

namespace crosspoint::sip {
namespace {

using test::Phone;
using namespace std::chrono_literals;

// An authority of a test, and certificates that it has signed.
class Authority {
 public:
  explicit Authority(std::filesystem::path folder) : folder_(std::move(folder)), key_(EVP_EC_gen("P-256")) {
    certificate_ = make("authority", "", key_, nullptr, 24h);
    write("ca.pem", certificate_, nullptr);
  }
  ~Authority() {
    X509_free(certificate_);
    EVP_PKEY_free(key_);
  }
  std::string file() const { return (folder_ / "ca.pem").string(); }
  // Certificate and key in one file.
  std::string issue(const std::string& name, std::chrono::hours lifetime = 24h) {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* leaf = make("server", "DNS:" + name, key, certificate_, lifetime);
    const std::string file = std::to_string(++count_) + ".pem";
    write(file, leaf, key);
    X509_free(leaf);
    EVP_PKEY_free(key);
    return (folder_ / file).string();
  }

 private:
  X509* make(const char* commonName, const std::string& alternative, EVP_PKEY* key, X509* issuer,
             std::chrono::hours lifetime) {
    X509* certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial_);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -std::chrono::seconds(48h).count());
    X509_gmtime_adj(X509_getm_notAfter(certificate), std::chrono::seconds(lifetime).count());
    X509_set_pubkey(certificate, key);
    X509_NAME* subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(commonName), -1, -1,
                               0);
    X509_set_issuer_name(certificate, issuer ? X509_get_subject_name(issuer) : subject);
    const auto extend = [&](int kind, const char* value) {
      X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value);
      X509_add_ext(certificate, extension, -1);
      X509_EXTENSION_free(extension);
    };
    if (!issuer) extend(NID_basic_constraints, "critical,CA:TRUE");
    if (!alternative.empty()) extend(NID_subject_alt_name, alternative.c_str());
    X509_sign(certificate, key_, EVP_sha256());
    return certificate;
  }
  void write(const std::string& name, X509* certificate, EVP_PKEY* key) const {
    FILE* out = std::fopen((folder_ / name).c_str(), "w");
    PEM_write_X509(out, certificate);
    if (key) PEM_write_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(out);
  }

  std::filesystem::path folder_;
  EVP_PKEY* key_;
  X509* certificate_ = nullptr;
  long serial_ = 0;
  int count_ = 0;
};

class Tls : public testing::Test {
 protected:
  static std::filesystem::path makeFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "crosspoint-test-XXXXXX").string();
    return ::mkdtemp(name.data());
  }
  Tls() : folder(makeFolder()), authority(folder) {}
  ~Tls() override { std::filesystem::remove_all(folder); }
  void SetUp() override {
    ASSERT_TRUE(thread.start());
    dns.setAddress("pbx.test", *IpAddress::parse("127.0.0.1"));
  }
  SipTransport::Config server(const std::string& certificate) const {
    SipTransport::Config config;
    config.tls = TlsConfig{.authorities = authority.file(), .certificate = certificate, .key = {}, .verify = true};
    return config;
  }
  SipTransport::Config client(bool verify = true) const {
    SipTransport::Config config;
    config.tls = TlsConfig{.authorities = authority.file(), .certificate = {}, .key = {}, .verify = verify};
    config.server = Uri::parse("sip:pbx.test;transport=tls");
    config.dnsServers = {dns.address()};
    return config;
  }
  static Uri uriOf(const std::string& host, Phone& phone) {
    return *Uri::parse("sip:" + host + ":" + std::to_string(phone.sip().tlsAddress().port) + ";transport=tls");
  }
  static ClientTransactionId sendTo(Phone& phone, Phone& pbx, const std::string& host) {
    const ClientTransactionId id{1};
    EXPECT_TRUE(phone.sip().send(0, SendRequest{id, phone.request(Method::Options, "b"), uriOf(host, pbx)}));
    return id;
  }
  // Whether an OPTIONS from `phone` arrives at `pbx`, and its answer back.
  static void expectReached(Phone& phone, Phone& pbx, const std::string& host) {
    const auto id = sendTo(phone, pbx, host);
    pbx.respond(pbx.received(Method::Options), 200);
    EXPECT_EQ(phone.final(id).status, 200);
  }
  // Why it does not arrive.
  static std::string reasonOfFailure(Phone& phone, Phone& pbx, const std::string& host) {
    const auto id = sendTo(phone, pbx, host);
    const auto failed = phone.next<TransactionFailed>([&](const auto& failure) { return failure.id == id; });
    EXPECT_EQ(failed.cause, TransactionFailed::Cause::Transport);
    EXPECT_EQ(pbx.heard<RequestReceived>(), 0U);
    return failed.reason;
  }

  std::filesystem::path folder;
  Authority authority;
  SipThread thread;
  dns::test::NameServer dns;
};

TEST_F(Tls, AServerWithTheRightCertificateIsSpokenTo) {
  Phone pbx(thread, "s", {}, "tls", server(authority.issue("pbx.test")));
  Phone phone(thread, "p", {}, "tls", client());
  expectReached(phone, pbx, "pbx.test");
}

TEST_F(Tls, AServerWhoseCertificateIsForAnotherNameIsRefusedWithASentence) {
  Phone pbx(thread, "s", {}, "tls", server(authority.issue("other.test")));
  Phone phone(thread, "p", {}, "tls", client());
  EXPECT_EQ(reasonOfFailure(phone, pbx, "pbx.test"),
            "the server's certificate is not accepted: it is not for pbx.test");
}

TEST_F(Tls, AServerWhoseCertificateIsOfAnUnknownAuthorityIsRefused) {
  const auto elsewhere = makeFolder();
  {
    Authority other(elsewhere);
    Phone pbx(thread, "s", {}, "tls", server(other.issue("pbx.test")));
    Phone phone(thread, "p", {}, "tls", client());
    const auto reason = reasonOfFailure(phone, pbx, "pbx.test");
    EXPECT_TRUE(reason.starts_with("the server's certificate is not accepted: ")) << reason;
  }
  std::filesystem::remove_all(elsewhere);
}

TEST_F(Tls, AnExpiredCertificateIsRefused) {
  Phone pbx(thread, "s", {}, "tls", server(authority.issue("pbx.test", -1h)));
  Phone phone(thread, "p", {}, "tls", client());
  EXPECT_EQ(reasonOfFailure(phone, pbx, "pbx.test"),
            "the server's certificate is not accepted: certificate has expired");
}

TEST_F(Tls, WithoutVerificationAnyCertificateWillDo) {
  Phone pbx(thread, "s", {}, "tls", server(""));  // a self-signed one
  Phone phone(thread, "p", {}, "tls", client(false));
  expectReached(phone, pbx, "pbx.test");
}

TEST_F(Tls, AServerThatIsConfiguredByItsAddressIsCheckedForTheNameThatWasGiven) {
  Phone right(thread, "s", {}, "tls", server(authority.issue("pbx.test")));
  Phone wrong(thread, "w", {}, "tls", server(authority.issue("other.test")));
  auto config = client();
  config.server = Uri::parse("sip:127.0.0.1;transport=tls");
  config.certificateName = "pbx.test";
  Phone phone(thread, "p", {}, "tls", config);
  expectReached(phone, right, "127.0.0.1");
  Phone second(thread, "q", {}, "tls", config);
  EXPECT_EQ(reasonOfFailure(second, wrong, "127.0.0.1"),
            "the server's certificate is not accepted: it is not for pbx.test");
}

TEST_F(Tls, FilesThatAreNoCertificatesAreNamedAtTheStart) {
  const auto error = [&](const TlsConfig& tls) {
    SipTransport::Config config;
    config.tls = tls;
    SipTransport transport(thread, config, [](const Request&) { return 0U; }, [](unsigned, Incoming&&) {});
    const auto started = transport.start();
    return started ? std::string("started") : started.error();
  };
  const std::string junk = (folder / "junk.pem").string();
  std::ofstream(junk) << "junk\n";
  const std::string good = authority.issue("a"), other = authority.issue("b");
  EXPECT_EQ(error({.authorities = junk}), "TLS: " + junk + ": holds no certificate of an authority");
  EXPECT_EQ(error({.authorities = authority.file(), .certificate = junk}), "TLS: " + junk + ": holds no certificate");
  EXPECT_EQ(error({.authorities = authority.file(), .certificate = authority.file()}),
            "TLS: " + authority.file() + ": holds no key without password");
  EXPECT_EQ(error({.authorities = authority.file(), .certificate = "/none"}), "TLS: /none: the file cannot be read");
  EXPECT_EQ(error({.authorities = authority.file(), .certificate = authority.file(), .key = other}),
            "TLS: " + other + ": is not the certificate's key");
  EXPECT_EQ(error({.authorities = authority.file(), .certificate = good}), "started");
}

}  // namespace
}  // namespace crosspoint::sip
