#include "io/sip/server/digest.h"

#include <sofia-sip/su_md5.h>

#include <charconv>

#include "core/params/media.h"

namespace crosspoint::sip {
namespace {

std::string unquoted(std::string_view value) {
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
  return std::string(value);
}

std::string parameter(const Parameters& parameters, std::string_view name) {
  return unquoted(findParameter(parameters, name).value_or(""));
}

// In a time that does not tell where the difference is.
bool sameText(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned>(a[i] ^ b[i]);
  return difference == 0;
}

long long secondsOf(TimePoint now) {
  return std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
}

}  // namespace

std::string md5Hex(std::string_view text) {
  su_md5_t md5[1];
  char hex[SU_MD5_DIGEST_SIZE * 2 + 1];
  su_md5_init(md5);
  su_md5_update(md5, text.data(), text.size());
  su_md5_hexdigest(md5, hex);
  su_md5_deinit(md5);
  return std::string(hex, SU_MD5_DIGEST_SIZE * 2);
}

DigestPolicy::DigestPolicy(Config config, std::string secret)
    : config_(std::move(config)), secret_(std::move(secret)) {}

std::string DigestPolicy::nonceAt(long long seconds) const {
  const std::string time = std::to_string(seconds);
  return time + "." + md5Hex(time + ":" + config_.realm + ":" + secret_);
}

std::string DigestPolicy::challenge(TimePoint now, bool stale) const {
  return "Digest realm=\"" + config_.realm + "\", nonce=\"" + nonceAt(secondsOf(now)) +
         "\", algorithm=MD5, qop=\"auth\"" + (stale ? ", stale=true" : "");
}

const std::string* DigestPolicy::passwordOf(const std::string& user) const {
  if (const auto found = config_.passwords.find(user); found != config_.passwords.end()) return &found->second;
  return config_.sharedPassword.empty() ? nullptr : &config_.sharedPassword;
}

DigestPolicy::Verdict DigestPolicy::check(TimePoint now, const std::string& user, const std::string& method,
                                          const std::vector<Authorization>& authorizations, bool proxy) const {
  Verdict verdict = Verdict::Missing;
  for (const auto& authorization : authorizations) {
    if (authorization.proxy != proxy || !namesEqual(authorization.scheme, "Digest")) continue;
    if (parameter(authorization.parameters, "realm") != config_.realm) continue;
    verdict = checkOne(now, user, method, authorization.parameters);
    if (verdict == Verdict::Good) break;
  }
  return verdict;
}

DigestPolicy::Verdict DigestPolicy::checkOne(TimePoint now, const std::string& user, const std::string& method,
                                             const Parameters& parameters) const {
  const std::string nonce = parameter(parameters, "nonce");
  long long seconds = 0;
  std::from_chars(nonce.data(), nonce.data() + nonce.size(), seconds);
  const std::string* password = passwordOf(user);
  if (!password || parameter(parameters, "username") != user) return Verdict::Wrong;
  if (!sameText(nonce, nonceAt(seconds))) return Verdict::Stale;  // of an earlier life of this process
  const long long age = secondsOf(now) - seconds;
  if (age < 0 || age > config_.nonceLife.count()) return Verdict::Stale;

  const std::string secret = md5Hex(user + ":" + config_.realm + ":" + *password);
  const std::string subject = md5Hex(method + ":" + parameter(parameters, "uri"));
  const std::string qop = parameter(parameters, "qop");
  std::string middle = nonce;
  if (!qop.empty()) middle += ":" + parameter(parameters, "nc") + ":" + parameter(parameters, "cnonce") + ":" + qop;
  const std::string expected = md5Hex(secret + ":" + middle + ":" + subject);  // RFC 2617 §3.2.2.1
  return sameText(expected, parameter(parameters, "response")) ? Verdict::Good : Verdict::Wrong;
}

}  // namespace crosspoint::sip
