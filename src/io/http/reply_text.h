// A reply as the bytes that go out, with what every reply of ours carries (CORS, caching; signalling.md section 1).
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "io/http/message.h"

namespace crosspoint::http {

// Which pages, from where, may talk to us.
class AllowedOrigins {
 public:
  // "*" allows every origin, "loopback" the pages of this machine (http://localhost:8000); others are compared without
  // regard to case, a slash at the end is ignored.
  explicit AllowedOrigins(std::vector<std::string> origins);
  bool allows(std::string_view origin) const;
  bool allowsAny() const { return any_; }

 private:
  std::vector<std::string> origins_;
  bool any_ = false, loopback_ = false;
};

// "example.com:8086" → "example.com"; "[::1]:8086" → "[::1]"
std::string_view hostOf(std::string_view authority);
// "localhost" and names below it (RFC 6761 section 6.3): browsers never ask DNS for them.
bool isLocalhost(std::string_view host);

struct ReplyContext {
  std::string_view origin;  // of the request; empty: it had none
  const AllowedOrigins* allowed = nullptr;
  bool head = false;  // HEAD: length without content
  bool keepAlive = false;
  std::string_view date;  // the Date header's value
};

// Line breaks and other control characters in header values are left out.
std::string replyText(const Response& response, const ReplyContext& context);

// The answer to OPTIONS, CORS preflight or not.
Response preflightReply(const Request& request);

}  // namespace crosspoint::http
