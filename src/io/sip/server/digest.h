// Digest authentication as a server asks for it (RFC 2617, MD5, qop "auth"): challenges, and whether a request answers
// one.
//
// Nonces are not stored: each carries its time and a keyed checksum. A nonce may be used again while it is valid (no
// count is kept per nonce): enough against listeners on a loopback or a small network, not against replay within its
// life.
#pragma once
#include <chrono>
#include <map>
#include <string>

#include "base/time.h"
#include "core/sip/message.h"

namespace crosspoint::sip {

class DigestPolicy {
 public:
  struct Config {
    std::string realm;
    std::string sharedPassword;
    std::map<std::string, std::string> passwords;
    std::chrono::seconds nonceLife{300};
  };
  enum class Verdict : std::uint8_t { Good, Missing, Stale, Wrong };

  DigestPolicy(Config config, std::string secret);  // `secret`: random, known to this process only

  bool required() const { return !config_.sharedPassword.empty() || !config_.passwords.empty(); }
  bool hasUser(const std::string& user) const { return config_.passwords.contains(user); }
  // The value of a WWW-Authenticate or Proxy-Authenticate header.
  std::string challenge(TimePoint now, bool stale) const;
  // Whether one of `authorizations` proves that the request is `user`'s.
  Verdict check(TimePoint now, const std::string& user, const std::string& method,
                const std::vector<Authorization>& authorizations, bool proxy) const;

 private:
  std::string nonceAt(long long seconds) const;
  Verdict checkOne(TimePoint now, const std::string& user, const std::string& method,
                   const Parameters& parameters) const;
  const std::string* passwordOf(const std::string& user) const;

  Config config_;
  std::string secret_;
};

// Hexadecimal MD5, as digests and branches use it.
std::string md5Hex(std::string_view text);

}  // namespace crosspoint::sip
