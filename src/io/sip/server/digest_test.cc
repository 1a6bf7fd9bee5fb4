#include "io/sip/server/digest.h"

#include <gtest/gtest.h>

namespace crosspoint::sip {
namespace {

using namespace std::chrono_literals;
using Verdict = DigestPolicy::Verdict;

constexpr TimePoint kStart{std::chrono::hours(1)};

// What a client makes of a challenge, without qop.
Authorization answer(const std::string& challenge, const std::string& user, const std::string& password) {
  const auto from = challenge.find("nonce=\"") + 7;
  const std::string nonce = challenge.substr(from, challenge.find('"', from) - from);
  const std::string response = md5Hex(md5Hex(user + ":r:" + password) + ":" + nonce + ":" + md5Hex("REGISTER:sip:h"));
  return {.proxy = false,
          .scheme = "Digest",
          .parameters = {{"username", "\"" + user + "\""},
                         {"realm", "\"r\""},
                         {"nonce", "\"" + nonce + "\""},
                         {"uri", "\"sip:h\""},
                         {"response", "\"" + response + "\""}}};
}

TEST(Digest, Md5IsMd5) { EXPECT_EQ(md5Hex("abc"), "900150983cd24fb0d6963f7d28e17f72"); }  // RFC 1321 §A.5

// RFC 2617 §3.5, the response of its example.
TEST(Digest, TheResponseIsThatOfTheRfc) {
  const std::string secret = md5Hex("Mufasa:testrealm@host.com:Circle Of Life");
  EXPECT_EQ(
      md5Hex(secret + ":dcd98b7102dd2f0e8b11d0f600bfb0c093:00000001:0a4f113b:auth:" + md5Hex("GET:/dir/index.html")),
      "6629fae49393a05397450978507c4ef1");
}

TEST(Digest, AcceptsTheAnswerToItsChallengeWhileTheNonceLives) {
  const DigestPolicy policy({.realm = "r", .sharedPassword = "p", .passwords = {}}, "secret");
  const auto good = answer(policy.challenge(kStart, false), "u", "p");
  EXPECT_EQ(policy.check(kStart, "u", "REGISTER", {good}, false), Verdict::Good);
  EXPECT_EQ(policy.check(kStart + 300s, "u", "REGISTER", {good}, false), Verdict::Good);
  EXPECT_EQ(policy.check(kStart + 301s, "u", "REGISTER", {good}, false), Verdict::Stale);
}

TEST(Digest, RefusesAnotherUserMethodPasswordOrKindOfHeader) {
  const DigestPolicy policy({.realm = "r", .sharedPassword = "p", .passwords = {{"t", "q"}}}, "secret");
  const std::string challenge = policy.challenge(kStart, false);
  const auto good = answer(challenge, "u", "p");
  EXPECT_EQ(policy.check(kStart, "v", "REGISTER", {good}, false), Verdict::Wrong);
  EXPECT_EQ(policy.check(kStart, "u", "INVITE", {good}, false), Verdict::Wrong);
  EXPECT_EQ(policy.check(kStart, "u", "REGISTER", {good}, true), Verdict::Missing);
  EXPECT_EQ(policy.check(kStart, "u", "REGISTER", {answer(challenge, "u", "x")}, false), Verdict::Wrong);
  EXPECT_EQ(policy.check(kStart, "t", "REGISTER", {answer(challenge, "t", "p")}, false), Verdict::Wrong);
  EXPECT_EQ(policy.check(kStart, "t", "REGISTER", {answer(challenge, "t", "q")}, false), Verdict::Good);
}

TEST(Digest, ANonceOfSomebodyElseIsStale) {
  const DigestPolicy policy({.realm = "r", .sharedPassword = "p", .passwords = {}}, "secret");
  const DigestPolicy other({.realm = "r", .sharedPassword = "p", .passwords = {}}, "another");
  const auto foreign = answer(other.challenge(kStart, false), "u", "p");
  EXPECT_EQ(policy.check(kStart, "u", "REGISTER", {foreign}, false), Verdict::Stale);
}

}  // namespace
}  // namespace crosspoint::sip
