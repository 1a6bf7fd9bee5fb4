#include "io/sip/tls_files.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <utility>

#include "crypto/certificate.h"
#include "io/loop/file_descriptor.h"

namespace crosspoint::sip {
namespace {

constexpr const char* kSystemAuthorities = "/etc/ssl/certs/ca-certificates.crt";  // Debian's ca-certificates
constexpr auto kOwnLifetime = std::chrono::hours(24 * 365 * 5);                   // of a certificate that nobody checks

std::expected<std::string, std::string> contentOf(const std::string& file) {
  std::ifstream stream(file);
  std::stringstream content;
  if (!stream || !(content << stream.rdbuf())) return std::unexpected(file + ": the file cannot be read");
  return content.str();
}

bool writeForUs(const std::string& file, const std::string& content) {
  const loop::FileDescriptor out(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  return out.get() >= 0 && ::write(out.get(), content.data(), content.size()) == static_cast<ssize_t>(content.size());
}

std::string selfSignedPem(WallTime now) {
  const auto own = crypto::Certificate::selfSigned(now, kOwnLifetime);
  const std::unique_ptr<BIO, void (*)(BIO*)> memory(BIO_new(BIO_s_mem()), [](BIO* bio) { BIO_free(bio); });
  if (!memory || PEM_write_bio_X509(memory.get(), own.x509()) != 1 ||
      PEM_write_bio_PrivateKey(memory.get(), own.key(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return {};
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

// sofia-sip goes on without a certificate that it cannot read: what is wrong is found here.
std::string problemWith(const std::string& pem, const TlsConfig& config) {
  const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  const auto read = [](const std::string& text) {
    return std::unique_ptr<BIO, void (*)(BIO*)>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())),
                                                [](BIO* bio) { BIO_free(bio); });
  };
  const auto first = read(pem);
  const std::unique_ptr<X509, void (*)(X509*)> certificate(PEM_read_bio_X509(first.get(), nullptr, nullptr, nullptr),
                                                           X509_free);
  if (!certificate) return config.certificate + ": holds no certificate";
  const auto second = read(pem);
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(
      PEM_read_bio_PrivateKey(second.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  const std::string& keyFile = config.key.empty() ? config.certificate : config.key;
  if (!key) return keyFile + ": holds no key without password";
  return X509_check_private_key(certificate.get(), key.get()) == 1 ? "" : keyFile + ": is not the certificate's key";
}

std::expected<std::string, std::string> ownPem(const TlsConfig& config, WallTime now) {
  if (config.certificate.empty()) return selfSignedPem(now);
  auto pem = contentOf(config.certificate);
  if (!pem) return pem;
  if (!config.key.empty()) {
    const auto key = contentOf(config.key);
    if (!key) return key;
    *pem += "\n" + *key;
  }
  if (const auto problem = problemWith(*pem, config); !problem.empty()) return std::unexpected(problem);
  return pem;
}

bool holdsCertificates(const std::string& file) {
  const std::unique_ptr<X509_STORE, void (*)(X509_STORE*)> store(X509_STORE_new(), X509_STORE_free);
  return store && X509_STORE_load_file(store.get(), file.c_str()) == 1;
}

}  // namespace

std::expected<TlsFiles, std::string> TlsFiles::make(const TlsConfig& config, WallTime now) {
  const std::string authorities = config.authorities.empty() ? kSystemAuthorities : config.authorities;
  if (config.verify && !holdsCertificates(authorities)) {
    return std::unexpected(authorities + ": holds no certificate of an authority");
  }
  const auto pem = ownPem(config, now);
  if (!pem) return std::unexpected(pem.error());
  TlsFiles files;
  std::string name = (std::filesystem::temp_directory_path() / "crosspoint-tls-XXXXXX").string();
  if (!::mkdtemp(name.data())) return std::unexpected(name + ": the folder cannot be made");
  files.folder_ = name;
  std::error_code failed;
  if (holdsCertificates(authorities)) {
    std::filesystem::create_symlink(std::filesystem::absolute(authorities), name + "/cafile.pem", failed);
  }
  if (failed || !writeForUs(name + "/agent.pem", *pem)) return std::unexpected(name + ": cannot be written to");
  return files;
}

TlsFiles::TlsFiles(TlsFiles&& other) noexcept : folder_(std::exchange(other.folder_, {})) {}

TlsFiles::~TlsFiles() {
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

}  // namespace crosspoint::sip
