// Digest authentication, the client's side.
#include "core/sip/digest.h"

#include <algorithm>
#include <cstdio>

#include "core/params/media.h"
#include "crypto/hash.h"

namespace crosspoint::sip {
namespace {

constexpr std::size_t kClientNonceLength = 16;

std::string_view unquoted(std::string_view value) {
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') return value.substr(1, value.size() - 2);
  return value;
}

// What came between quotes goes back as it was; a quote that would end the string early cannot be in there.
std::string quotedRaw(std::string_view value) { return '"' + std::string(value) + '"'; }

std::string quotedPlain(std::string_view value) {
  std::string out = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

// Nothing that could leave its quotes or its line.
bool fitForQuotes(std::string_view value) {
  if (value.size() > kHeaderValueBytesMax || withoutControls(value).size() != value.size()) return false;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '"') return false;
    if (value[i] != '\\') continue;
    if (++i == value.size()) return false;  // it would escape the closing quote
  }
  return true;
}

bool listContains(std::string_view list, std::string_view item) {
  while (!list.empty()) {
    const auto end = std::min(list.find(','), list.size());
    std::string_view entry = list.substr(0, end);
    list.remove_prefix(std::min(end + 1, list.size()));
    while (entry.starts_with(' ') || entry.starts_with('\t')) entry.remove_prefix(1);
    while (entry.ends_with(' ') || entry.ends_with('\t')) entry.remove_suffix(1);
    if (namesEqual(entry, item)) return true;
  }
  return false;
}

std::optional<DigestAlgorithm> algorithmFromText(std::string_view name) {
  if (name.empty() || namesEqual(name, "MD5")) return DigestAlgorithm::Md5;
  if (namesEqual(name, "MD5-sess")) return DigestAlgorithm::Md5Sess;
  if (namesEqual(name, "SHA-256")) return DigestAlgorithm::Sha256;
  if (namesEqual(name, "SHA-256-sess")) return DigestAlgorithm::Sha256Sess;
  return std::nullopt;
}

std::string hash(DigestAlgorithm algorithm, std::string_view text) {
  const bool sha = algorithm == DigestAlgorithm::Sha256 || algorithm == DigestAlgorithm::Sha256Sess;
  return sha ? crypto::toHex(crypto::sha256(asBytes(text))) : crypto::toHex(crypto::md5(asBytes(text)));
}

std::string joined(std::initializer_list<std::string_view> parts) {
  std::string out;
  for (const auto part : parts) {
    if (!out.empty()) out += ':';
    out += part;
  }
  return out;
}

}  // namespace

std::string digestResponse(const DigestInput& in) {
  std::string secret =
      hash(in.algorithm, std::string(in.user) + ':' + std::string(in.realm) + ':' + std::string(in.password));
  if (in.algorithm == DigestAlgorithm::Md5Sess || in.algorithm == DigestAlgorithm::Sha256Sess) {
    secret = hash(in.algorithm, joined({secret, in.nonce, in.clientNonce}));
  }
  const std::string what = hash(in.algorithm, joined({in.method, in.uri}));
  if (in.qopAuth) return hash(in.algorithm, joined({secret, in.nonce, in.nonceCount, in.clientNonce, "auth", what}));
  return hash(in.algorithm, joined({secret, in.nonce, what}));
}

void Authenticator::setCredentials(std::string user, std::string password) {
  user_ = std::move(user);
  password_ = std::move(password);
  realms_.clear();
}

std::optional<Authenticator::Realm> Authenticator::usable(const Challenge& challenge) {
  if (!namesEqual(challenge.scheme, "Digest")) return std::nullopt;
  const auto value = [&](std::string_view name) {
    return unquoted(findParameter(challenge.parameters, name).value_or(std::string_view{}));
  };
  Realm realm{.proxy = challenge.proxy,
              .name = std::string(value("realm")),
              .nonce = std::string(value("nonce")),
              .opaque = std::string(value("opaque")),
              .algorithmName = std::string(value("algorithm")),
              .hasOpaque = findParameter(challenge.parameters, "opaque").has_value(),
              .stale = namesEqual(value("stale"), "true")};
  const auto algorithm = algorithmFromText(realm.algorithmName);
  if (!algorithm || !fitForQuotes(realm.name) || !fitForQuotes(realm.nonce) || !fitForQuotes(realm.opaque))
    return std::nullopt;
  realm.algorithm = *algorithm;
  if (!value("qop").empty()) {
    if (!listContains(value("qop"), "auth")) return std::nullopt;  // auth-int only: not supported
    realm.qopAuth = true;
  }
  return realm;
}

std::vector<std::string> Authenticator::realms() const {
  std::vector<std::string> names;
  names.reserve(realms_.size());
  for (const auto& realm : realms_) names.push_back(realm.name);
  return names;
}

bool Authenticator::handleChallenges(const std::vector<Challenge>& challenges, ChallengeHistory& history,
                                     const std::vector<std::string>* known) {
  if (user_.empty() || ++history.rounds > kChallengeRoundsMax) return false;
  std::vector<std::string>
      seen;  // of several challenges of one realm the first that we can answer counts (RFC 8760 §2.4)
  for (const auto& challenge : challenges) {
    auto realm = usable(challenge);
    if (!realm || seen.size() == kRealmsMax) continue;
    const bool foreign = known != nullptr && std::ranges::find(*known, realm->name) == known->end() &&
                         std::ranges::find(realms_, realm->name, &Realm::name) == realms_.end();
    if (foreign) continue;
    const std::string key = (realm->proxy ? "p:" : "u:") + realm->name;
    if (std::ranges::find(seen, key) != seen.end()) continue;
    seen.push_back(key);
    const bool answeredBefore = std::ranges::find(history.answeredRealms, key) != history.answeredRealms.end();
    if (answeredBefore && !realm->stale) return false;
    if (!answeredBefore) history.answeredRealms.push_back(key);
    std::erase_if(realms_, [&](const Realm& old) { return old.proxy == realm->proxy && old.name == realm->name; });
    if (realms_.size() == kRealmsMax) realms_.erase(realms_.begin());
    realms_.push_back(std::move(*realm));
  }
  return !seen.empty();
}

void Authenticator::authorize(Request& request, Random& random) {
  request.authorizations.clear();
  const std::string_view method = request.method == Method::Other ? request.methodName : toString(request.method);
  const std::string uri = request.uri.toString();
  for (auto& realm : realms_) request.authorizations.push_back(answer(realm, method, uri, random));
}

Authorization Authenticator::answer(Realm& realm, std::string_view method, std::string_view uri, Random& random) const {
  char nonceCount[9];
  std::snprintf(nonceCount, sizeof nonceCount, "%08x", ++realm.nonceCount);
  const std::string clientNonce = random.alphanumeric(kClientNonceLength);
  const std::string response = digestResponse({.algorithm = realm.algorithm,
                                               .user = user_,
                                               .password = password_,
                                               .realm = realm.name,
                                               .nonce = realm.nonce,
                                               .method = method,
                                               .uri = uri,
                                               .qopAuth = realm.qopAuth,
                                               .nonceCount = nonceCount,
                                               .clientNonce = clientNonce});
  Authorization out{.proxy = realm.proxy,
                    .parameters = {{"username", quotedPlain(withoutControls(user_))},
                                   {"realm", quotedRaw(realm.name)},
                                   {"nonce", quotedRaw(realm.nonce)},
                                   {"uri", quotedRaw(uri)},
                                   {"response", quotedRaw(response)}}};
  if (!realm.algorithmName.empty()) out.parameters.push_back({"algorithm", realm.algorithmName});
  const bool sess = realm.algorithm == DigestAlgorithm::Md5Sess || realm.algorithm == DigestAlgorithm::Sha256Sess;
  if (realm.qopAuth || sess) out.parameters.push_back({"cnonce", quotedRaw(clientNonce)});
  if (realm.qopAuth) {
    out.parameters.push_back({"qop", "auth"});
    out.parameters.push_back({"nc", nonceCount});
  }
  if (realm.hasOpaque) out.parameters.push_back({"opaque", quotedRaw(realm.opaque)});
  return out;
}

}  // namespace crosspoint::sip
