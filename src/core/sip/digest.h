// Answers to digest challenges (RFC 3261 §22, RFC 7616, RFC 8760): MD5 and SHA-256, and their -sess forms, with
// qop=auth or none.
//
// One Authenticator holds the credentials of one user and the last challenge of each realm. Once a realm has
// challenged, later requests carry its answer from the start, with a growing nonce count, until it gives a new nonce.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "core/sip/message.h"

namespace crosspoint::sip {

inline constexpr std::size_t kRealmsMax = 4;
inline constexpr int kChallengeRoundsMax = 4;  // of one request, stale nonces included

enum class DigestAlgorithm : std::uint8_t { Md5, Md5Sess, Sha256, Sha256Sess };

struct DigestInput {
  DigestAlgorithm algorithm = DigestAlgorithm::Md5;
  std::string_view user, password, realm, nonce, method, uri;
  bool qopAuth = false;
  std::string_view nonceCount, clientNonce;  // with qop, and the client nonce with -sess
};
// The "response" value in lower-case hexadecimal (RFC 7616 §3.4.1).
std::string digestResponse(const DigestInput& input);

// How often one request has been challenged: kept with the request, so that a wrong password ends instead of going
// round.
struct ChallengeHistory {
  int rounds = 0;
  std::vector<std::string> answeredRealms;
};

class Authenticator {
 public:
  Authenticator() = default;
  Authenticator(std::string user, std::string password) : user_(std::move(user)), password_(std::move(password)) {}
  // Forgets what realms have said.
  void setCredentials(std::string user, std::string password);

  // After a 401 or 407. False if another attempt is pointless: no credentials, no challenge that we can answer, or the
  // realm has refused an answer to its own fresh nonce. `known`: only realms among these count, and those that were
  // answered before; a far end must not get the password's digest for a realm and a nonce of its own choice.
  bool handleChallenges(const std::vector<Challenge>& challenges, ChallengeHistory& history,
                        const std::vector<std::string>* known = nullptr);
  const std::string& user() const { return user_; }
  std::vector<std::string> realms() const;  // answered so far
  // Puts an answer for every realm that has challenged into `request`, in place of any that it has. Call after the
  // method, the Request-URI and the body are final, each time the request is sent anew.
  void authorize(Request& request, Random& random);

 private:
  struct Realm {
    bool proxy = false;
    std::string name, nonce, opaque;  // between the quotes, as received
    DigestAlgorithm algorithm = DigestAlgorithm::Md5;
    std::string algorithmName;  // empty: the challenge named none
    bool hasOpaque = false;
    bool qopAuth = false;
    bool stale = false;
    std::uint32_t nonceCount = 0;
  };
  static std::optional<Realm> usable(const Challenge& challenge);
  Authorization answer(Realm& realm, std::string_view method, std::string_view uri, Random& random) const;

  std::string user_, password_;
  std::vector<Realm> realms_;
};

}  // namespace crosspoint::sip
