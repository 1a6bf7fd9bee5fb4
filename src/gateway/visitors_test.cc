// Which web pages may talk to the gateway.
#include "gateway/visitors.h"

#include <gtest/gtest.h>

namespace crosspoint::gateway {
namespace {

Configuration password() {
  Configuration configuration;
  configuration.auth.policy = AuthPolicy::Password;
  return configuration;
}
Configuration allowing(std::vector<std::string> origins) {
  Configuration configuration;
  configuration.http.allowedOrigins = std::move(origins);
  return configuration;
}
int statusOf(const Configuration& configuration, std::vector<http::Header> headers, std::string path = "/sign_in") {
  const auto refused =
      Visitors(configuration).refuse({.method = "GET", .path = std::move(path), .headers = std::move(headers)});
  return refused ? refused->status : 200;
}
int fromOrigin(const Configuration& configuration, std::string origin, std::string path = "/sign_in") {
  return statusOf(configuration, {{"Host", "127.0.0.1:8086"}, {"Origin", std::move(origin)}}, std::move(path));
}

TEST(Visitors, WithoutAPolicyPagesOfThisMachineMaySignInAndNoOthers) {
  const Configuration none;
  for (const auto* origin : {"http://127.0.0.1:8086", "http://localhost:3000", "https://app.localhost",
                             "http://[::1]:80", "http://127.1.2.3"}) {
    EXPECT_EQ(fromOrigin(none, origin), 200) << origin;
  }
  for (const auto* origin : {"https://evil.example", "http://localhost.evil.example", "http://127.0.0.1.evil.example",
                             "http://notlocalhost", "null", "file://", "http://10.0.0.1"}) {
    EXPECT_EQ(fromOrigin(none, origin), 403) << origin;
    EXPECT_EQ(fromOrigin(none, origin, "/signalling"), 403) << origin;
    EXPECT_EQ(fromOrigin(none, origin, "/index.html"), 200) << origin;
  }
}

TEST(Visitors, WithoutAPageThereIsNoOrigin) { EXPECT_EQ(statusOf({}, {{"Host", "127.0.0.1:8086"}}), 200); }

TEST(Visitors, AnImageOfAStrangersPageDoesNotSignIn) {
  EXPECT_EQ(statusOf({}, {{"Host", "127.0.0.1:8086"}, {"Sec-Fetch-Site", "cross-site"}}), 403);
  EXPECT_EQ(statusOf({}, {{"Host", "127.0.0.1:8086"}, {"Sec-Fetch-Site", "same-origin"}}), 200);
  EXPECT_EQ(statusOf(allowing({"*"}), {{"Host", "127.0.0.1:8086"}, {"Sec-Fetch-Site", "cross-site"}}), 200);
}

TEST(Visitors, AnExplicitListWins) {
  EXPECT_EQ(fromOrigin(allowing({"https://good.example/"}), "https://good.example"), 200);
  EXPECT_EQ(fromOrigin(allowing({"https://good.example"}), "http://localhost:3000"), 403);
  EXPECT_EQ(fromOrigin(allowing({"*"}), "https://any.example"), 200);
  EXPECT_EQ(fromOrigin(allowing({"null"}), "null"), 200);
}

TEST(Visitors, TheGatewaysOwnPageIsAlwaysAllowed) {
  EXPECT_EQ(fromOrigin(allowing({"https://good.example"}), "http://127.0.0.1:8086"), 200);
  auto proxied = allowing({"https://good.example"});
  proxied.http.behindProxy = true;
  EXPECT_EQ(
      statusOf(proxied,
               {{"Host", "10.0.0.7:8086"}, {"X-Forwarded-Host", "calls.example"}, {"Origin", "https://calls.example"}}),
      200);
}

TEST(Visitors, WithAPolicyEveryOriginIsAllowed) { EXPECT_EQ(fromOrigin(password(), "https://any.example"), 200); }

TEST(Visitors, ANameThatWasTurnedToUsIsNotServed) {
  for (const auto* path : {"/", "/metrics", "/sign_in", "/wait"}) {
    EXPECT_EQ(statusOf({}, {{"Host", "evil.example:8086"}, {"Origin", "http://evil.example:8086"}}, path), 421) << path;
    EXPECT_EQ(statusOf({}, {{"Host", "localhost:8086"}}, path), 200) << path;
    EXPECT_EQ(statusOf({}, {{"Host", "[::1]:8086"}}, path), 200) << path;
  }
  EXPECT_EQ(statusOf(allowing({"https://calls.example:8443"}), {{"Host", "calls.example:8443"}}), 200);
  auto proxied = password();
  proxied.http.behindProxy = true;
  EXPECT_EQ(statusOf(proxied, {{"Host", "calls.example"}}), 200);
  auto open = password();
  open.http.address = *IpAddress::parse("10.0.0.1");
  EXPECT_EQ(statusOf(open, {{"Host", "calls.example"}}), 200);
}

TEST(Visitors, MetricsAreForAddressesOnly) {
  EXPECT_TRUE(namesAddress({.headers = {{"Host", "127.0.0.1:8086"}}}));
  EXPECT_TRUE(namesAddress({.headers = {{"Host", "localhost"}}}));
  EXPECT_FALSE(namesAddress({.headers = {{"Host", "evil.example"}}}));
}

}  // namespace
}  // namespace crosspoint::gateway
