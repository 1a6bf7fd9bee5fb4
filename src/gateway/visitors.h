// Which web pages may talk to the gateway, and by which name: a page from anywhere that runs in a browser on this
// machine reaches what listens here only, and must not sign in for that.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "gateway/configuration.h"
#include "io/http/message.h"
#include "io/http/reply_text.h"

namespace crosspoint::gateway {

// [http] allowed-origins, or what its absence means.
std::vector<std::string> allowedOrigins(const Configuration& configuration);

class Visitors {
 public:
  explicit Visitors(const Configuration& configuration);

  // The answer to a request that is not to be served: by a name that is not ours (DNS rebinding), or to the signalling
  // from a page that is not allowed.
  std::optional<http::Response> refuse(const http::Request& request) const;

 private:
  bool nameIsOurs(const http::Request& request) const;
  bool pageMaySignal(const http::Request& request) const;

  http::AllowedOrigins allowed_;
  std::vector<std::string> names_;  // hosts of the allowed origins
  bool anyName_ = false;
};

// Named by a loopback address or "localhost".
bool isLoopbackName(std::string_view host);
// The Host header names an address, or this machine: no name of a stranger's that was turned to us.
bool namesAddress(const http::Request& request);

}  // namespace crosspoint::gateway
