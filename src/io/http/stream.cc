#include "io/http/stream.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <cerrno>

namespace crosspoint::http {
namespace {

std::string lastTlsError() {
  char text[256] = "unknown error";
  const auto code = ERR_get_error();
  if (code != 0) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return text;
}

Stream::Outcome outcomeOfErrno(Stream::Outcome wanted) {
  return errno == EAGAIN || errno == EWOULDBLOCK ? wanted : Stream::Outcome::Closed;
}

}  // namespace

void TlsContext::Free::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

std::expected<TlsContext, std::string> TlsContext::load(const TlsConfig& config) {
  TlsContext result;
  result.context_.reset(SSL_CTX_new(TLS_server_method()));
  auto* context = result.context_.get();
  if (!context) return std::unexpected("TLS cannot be set up: " + lastTlsError());
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_mode(context,
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_options(context,
                      SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  if (SSL_CTX_use_certificate_chain_file(context, config.certificateFile.c_str()) != 1) {
    return std::unexpected("the certificate file " + config.certificateFile + " cannot be used: " + lastTlsError());
  }
  if (SSL_CTX_use_PrivateKey_file(context, config.keyFile.c_str(), SSL_FILETYPE_PEM) != 1) {
    return std::unexpected("the key file " + config.keyFile + " cannot be used: " + lastTlsError());
  }
  return result;
}

void Stream::Free::operator()(ssl_st* ssl) const { SSL_free(ssl); }

Stream::Stream(int fd, const TlsContext* tls) : fd_(fd) {
  if (!tls) return;
  ssl_.reset(SSL_new(tls->get()));
  if (ssl_) SSL_set_fd(ssl_.get(), fd);
}

Stream::Outcome Stream::outcomeOf(int result) const {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return Outcome::WantRead;
    case SSL_ERROR_WANT_WRITE:
      return Outcome::WantWrite;
    default:
      ERR_clear_error();
      return Outcome::Closed;
  }
}

Stream::Outcome Stream::handshake() {
  if (!ssl_) return Outcome::Done;
  ERR_clear_error();
  const int result = SSL_accept(ssl_.get());
  return result == 1 ? Outcome::Done : outcomeOf(result);
}

Stream::Result Stream::read(std::span<char> into) {
  if (ssl_) {
    ERR_clear_error();
    const int count = SSL_read(ssl_.get(), into.data(), static_cast<int>(into.size()));
    if (count > 0) return {.count = static_cast<std::size_t>(count)};
    return {.outcome = outcomeOf(count)};
  }
  const auto count = ::recv(fd_, into.data(), into.size(), MSG_DONTWAIT);
  if (count > 0) return {.count = static_cast<std::size_t>(count)};
  return {.outcome = count == 0 ? Outcome::Closed : outcomeOfErrno(Outcome::WantRead)};
}

Stream::Result Stream::write(std::string_view bytes) {
  if (ssl_) {
    ERR_clear_error();
    const int count = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
    if (count > 0) return {.count = static_cast<std::size_t>(count)};
    return {.outcome = outcomeOf(count)};
  }
  const auto count = ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (count > 0) return {.count = static_cast<std::size_t>(count)};
  return {.outcome = outcomeOfErrno(Outcome::WantWrite)};
}

void Stream::finish() {
  if (ssl_) {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
  }
  ::shutdown(fd_, SHUT_WR);
}

bool Stream::wasResetTooSoon() const {
  char byte = 0;
  if (::recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno == EAGAIN || errno == EWOULDBLOCK) return false;
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(fd_, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return true;
  return info.tcpi_bytes_acked < info.tcpi_bytes_sent - info.tcpi_bytes_retrans;
}

}  // namespace crosspoint::http
