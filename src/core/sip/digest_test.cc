// Digest: the vectors of RFC 2617 and RFC 7616, and what is done with good and bad challenges.
#include "core/sip/digest.h"

#include <gtest/gtest.h>

#include "tests/support/seeded_random.h"

namespace crosspoint::sip {
namespace {

struct DigestFixture {
  crosspoint::test::SeededRandom random{7};
  Authenticator authenticator{"alice", "secret"};
  ChallengeHistory history;

  static Challenge challenge(std::string nonce, Parameters more = {{"qop", "\"auth,auth-int\""}},
                             std::string realm = "r") {
    Challenge c{.scheme = "Digest", .parameters = {{"realm", '"' + realm + '"'}, {"nonce", '"' + nonce + '"'}}};
    c.parameters.insert(c.parameters.end(), more.begin(), more.end());
    return c;
  }
  Request authorized() {
    Request request;
    request.method = Method::Register;
    request.uri = *Uri::parse("sip:example.test");
    authenticator.authorize(request, random);
    return request;
  }
  static std::string value(const Authorization& a, std::string_view name) {
    return std::string(findParameter(a.parameters, name).value_or("(none)"));
  }
};

TEST(Digest, GivesTheResponseOfRfc2617Section35) {
  EXPECT_EQ(digestResponse({.user = "Mufasa",
                            .password = "Circle Of Life",
                            .realm = "testrealm@host.com",
                            .nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093",
                            .method = "GET",
                            .uri = "/dir/index.html",
                            .qopAuth = true,
                            .nonceCount = "00000001",
                            .clientNonce = "0a4f113b"}),
            "6629fae49393a05397450978507c4ef1");
}

TEST(Digest, GivesTheResponsesOfRfc7616Section391) {
  DigestInput input{.user = "Mufasa",
                    .password = "Circle of Life",
                    .realm = "http-auth@example.org",
                    .nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
                    .method = "GET",
                    .uri = "/dir/index.html",
                    .qopAuth = true,
                    .nonceCount = "00000001",
                    .clientNonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"};
  EXPECT_EQ(digestResponse(input), "8ca523f5e9506fed4657c9700eebdbec");
  input.algorithm = DigestAlgorithm::Sha256;
  EXPECT_EQ(digestResponse(input), "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
}

TEST(Digest, GivesTheResponseOfRfc2617WithoutQop) {
  // RFC 2069 §2.4 as corrected by its errata.
  EXPECT_EQ(digestResponse({.user = "Mufasa",
                            .password = "CircleOfLife",
                            .realm = "testrealm@host.com",
                            .nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093",
                            .method = "GET",
                            .uri = "/dir/index.html"}),
            "1949323746fe6a43ef61f9606e7febea");
}

TEST(Authenticator, SaysNothingBeforeAChallenge) {
  DigestFixture t;
  EXPECT_TRUE(t.authorized().authorizations.empty());
}

TEST(Authenticator, CountsTheUsesOfANonceAndStartsAgainWithANewOne) {
  DigestFixture t;
  ASSERT_TRUE(t.authenticator.handleChallenges({t.challenge("n1")}, t.history));
  EXPECT_EQ(t.value(t.authorized().authorizations.at(0), "nc"), "00000001");
  const auto second = t.authorized().authorizations.at(0);
  EXPECT_EQ(t.value(second, "nc"), "00000002");
  EXPECT_EQ(t.value(second, "qop"), "auth");
  EXPECT_EQ(t.value(second, "username"), "\"alice\"");
  EXPECT_EQ(t.value(second, "uri"), "\"sip:example.test\"");
  EXPECT_EQ(t.value(second, "algorithm"), "(none)");
  ChallengeHistory next;
  ASSERT_TRUE(t.authenticator.handleChallenges({t.challenge("n2")}, next));
  const auto third = t.authorized().authorizations;
  ASSERT_EQ(third.size(), 1u);
  EXPECT_EQ(t.value(third[0], "nonce"), "\"n2\"");
  EXPECT_EQ(t.value(third[0], "nc"), "00000001");
}

TEST(Authenticator, TakesTheFirstChallengeOfARealmThatItCanAnswer) {
  DigestFixture t;
  ASSERT_TRUE(t.authenticator.handleChallenges(
      {t.challenge("a", {{"algorithm", "SHA-512-256"}}),
       t.challenge("b", {{"algorithm", "SHA-256"}, {"qop", "\"auth\""}, {"opaque", "\"\""}}),
       t.challenge("c", {{"algorithm", "MD5"}})},
      t.history));
  const auto answers = t.authorized().authorizations;
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(t.value(answers[0], "nonce"), "\"b\"");
  EXPECT_EQ(t.value(answers[0], "algorithm"), "SHA-256");
  EXPECT_EQ(t.value(answers[0], "opaque"), "\"\"");
  EXPECT_EQ(t.value(answers[0], "response").size(), 66u);
}

TEST(Authenticator, AnEmptyListOfQopsIsNone) {
  DigestFixture t;
  ASSERT_TRUE(t.authenticator.handleChallenges({t.challenge("n", {{"qop", "\"\""}})}, t.history));
  const auto answers = t.authorized().authorizations;
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(t.value(answers[0], "qop"), "(none)");
  EXPECT_EQ(t.value(answers[0], "nc"), "(none)");
}

TEST(Authenticator, AnswersServerAndProxySideBySide) {
  DigestFixture t;
  auto proxy = t.challenge("p");
  proxy.proxy = true;
  ASSERT_TRUE(t.authenticator.handleChallenges({t.challenge("u"), proxy}, t.history));
  const auto answers = t.authorized().authorizations;
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_FALSE(answers[0].proxy);
  EXPECT_TRUE(answers[1].proxy);
}

TEST(Authenticator, GivesUpAWrongPasswordButNotAStaleNonce) {
  DigestFixture t;
  EXPECT_TRUE(t.authenticator.handleChallenges({t.challenge("n1")}, t.history));
  EXPECT_TRUE(t.authenticator.handleChallenges({t.challenge("n2", {{"stale", "true"}})}, t.history));
  EXPECT_FALSE(t.authenticator.handleChallenges({t.challenge("n3")}, t.history));
}

TEST(Authenticator, DoesNotGoRoundForeverWithStaleNonces) {
  DigestFixture t;
  int rounds = 0;
  while (rounds < 100 && t.authenticator.handleChallenges({t.challenge("n", {{"stale", "true"}})}, t.history)) ++rounds;
  EXPECT_EQ(rounds, kChallengeRoundsMax);
}

TEST(Authenticator, LeavesUnansweredWhatItCannotAnswerOrWhatWouldBreakALine) {
  DigestFixture t;
  const std::vector<Challenge> bad = {
      {.scheme = "Basic", .parameters = {{"realm", "\"r\""}}},
      t.challenge("n", {{"qop", "\"auth-int\""}}),
      t.challenge("n", {{"algorithm", "MD6"}}),
      t.challenge("n\r\nVia: x"),
      t.challenge("n\"; x=\"y"),
      t.challenge("n\\"),
      t.challenge(std::string(kHeaderValueBytesMax + 1, 'n')),
  };
  for (const auto& challenge : bad) EXPECT_FALSE(t.authenticator.handleChallenges({challenge}, t.history));
  t.history = {};
  EXPECT_FALSE(t.authenticator.handleChallenges({}, t.history));
  EXPECT_TRUE(t.authorized().authorizations.empty());
}

TEST(Authenticator, RemembersABoundedNumberOfRealms) {
  DigestFixture t;
  for (int i = 0; i < 50; ++i) {
    ChallengeHistory history;
    EXPECT_TRUE(t.authenticator.handleChallenges({t.challenge("n", {}, "realm" + std::to_string(i))}, history));
  }
  EXPECT_EQ(t.authorized().authorizations.size(), kRealmsMax);
}

TEST(Authenticator, WithoutCredentialsAnswersNothing) {
  Authenticator nobody;
  ChallengeHistory history;
  EXPECT_FALSE(nobody.handleChallenges({DigestFixture::challenge("n")}, history));
}

}  // namespace
}  // namespace crosspoint::sip
