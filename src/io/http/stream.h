// Reading and writing one connection's non-blocking descriptor, with or without TLS.
#pragma once
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "io/http/server.h"

struct ssl_st;
struct ssl_ctx_st;

namespace crosspoint::http {

// The certificate and its key, and how TLS is spoken: 1.2 and 1.3, buffers given back while a connection waits.
class TlsContext {
 public:
  // One sentence if a file cannot be used.
  static std::expected<TlsContext, std::string> load(const TlsConfig& config);
  ssl_ctx_st* get() const { return context_.get(); }

 private:
  struct Free {
    void operator()(ssl_ctx_st* context) const;
  };
  std::unique_ptr<ssl_ctx_st, Free> context_;
};

class Stream {
 public:
  enum class Outcome : std::uint8_t { Done, WantRead, WantWrite, Closed };
  struct Result {
    Outcome outcome = Outcome::Done;
    std::size_t count = 0;  // bytes; more than 0 when Done
  };

  // The descriptor stays the caller's. Without a context: plain TCP.
  Stream(int fd, const TlsContext* tls);

  Outcome handshake();
  Result read(std::span<char> into);
  Result write(std::string_view bytes);
  // Nothing will be written any more.
  void finish();
  // A reset has arrived, and the client's system had not confirmed all that was written: it may not have arrived. A
  // load balancer resets the connections that it has no more use for, as soon as it has read the reply.
  bool wasResetTooSoon() const;
  bool secure() const { return ssl_ != nullptr; }

 private:
  Outcome outcomeOf(int result) const;

  struct Free {
    void operator()(ssl_st* ssl) const;
  };
  int fd_;
  std::unique_ptr<ssl_st, Free> ssl_;
};

}  // namespace crosspoint::http
