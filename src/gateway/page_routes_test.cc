// HTTP requests of pages as the bridge sees them, and its replies as HTTP.
#include "gateway/page_routes.h"

#include <gtest/gtest.h>

#include "bridge/bridge.h"
#include "gateway/event_log.h"
#include "gateway/gateway.h"
#include "gateway/metrics.h"

namespace crosspoint::gateway {
namespace {

using testing::HasSubstr;

constexpr bridge::RequestId kId{7};
const std::string kAnonymous = "anon0123456789abcdef0123456789ABCDEF";

http::Request get(std::string path, std::string query = {}) {
  return {.method = "GET", .path = std::move(path), .query = std::move(query)};
}
http::Request post(std::string path, std::string query, std::string body) {
  return {.method = "POST", .path = std::move(path), .query = std::move(query), .body = std::move(body)};
}
template <typename T>
T page(const http::Request& request, const Configuration::Auth& auth = {}) {
  auto routed = routePage(request, kId, auth);
  const auto* found = std::get_if<bridge::PageRequest>(&routed);
  EXPECT_TRUE(found);
  return found ? std::get<T>(*found) : T{};
}
int statusOf(const http::Request& request, const Configuration::Auth& auth = {}) {
  auto routed = routePage(request, kId, auth);
  const auto* answer = std::get_if<http::Response>(&routed);
  return answer ? answer->status : 0;
}

TEST(PageRoutes, SignInTakesTheBareId) {
  const auto signIn = page<bridge::SignIn>(get("/sign_in", "1020"));
  EXPECT_EQ(signIn.request, kId);
  EXPECT_EQ(signIn.id, "1020");
  EXPECT_FALSE(signIn.password);
  EXPECT_EQ(page<bridge::SignIn>(get("/sign_in", "a%2Bb+c&_=1")).id, "a+b+c");
  EXPECT_EQ(page<bridge::SignIn>(get("/sign_in")).id, "") << "the bridge says what is wrong";
}

TEST(PageRoutes, APostedSignInIsSplitAtTheFirstColonAndNotDecoded) {
  const auto signIn = page<bridge::SignIn>(post("/sign_in", "", "1020:pa:ss%20+="));
  EXPECT_EQ(signIn.id, "1020");
  EXPECT_EQ(signIn.password, "pa:ss%20+=");
  EXPECT_FALSE(page<bridge::SignIn>(post("/sign_in", "", "1020:undefined")).password);
  EXPECT_FALSE(page<bridge::SignIn>(post("/sign_in", "", "1020")).password);
}

TEST(PageRoutes, APostedSignInSaysWhatItUnderstandsAndWhatItWantsToResume) {
  const auto signIn = page<bridge::SignIn>(post("/sign_in", "features=ack,progress&resume=S00abc", "1020:undefined"));
  EXPECT_EQ(signIn.features, "ack,progress");
  EXPECT_EQ(signIn.resume, "S00abc");
  const auto plain = page<bridge::SignIn>(get("/sign_in", "features=ack"));
  EXPECT_EQ(plain.id, "features=ack") << "a GET has nothing but its id";
  EXPECT_EQ(plain.features, "");
}

TEST(PageRoutes, AMessageMayBeNumbered) {
  EXPECT_FALSE(page<bridge::PageMessage>(post("/message", "from=S00abc&to=1", "BYE")).number);
  EXPECT_EQ(page<bridge::PageMessage>(post("/message", "from=S00abc&to=1&n=7", "BYE")).number, 7U);
  EXPECT_EQ(statusOf(post("/message", "from=S00abc&to=1&n=", "BYE")), 400);
  EXPECT_EQ(statusOf(post("/message", "from=S00abc&to=1&n=-1", "BYE")), 400);
}

TEST(PageRoutes, WaitTakesAcknowledgementAndFeatures) {
  const auto plain = page<bridge::Wait>(get("/wait", "id=S00abc"));
  EXPECT_EQ(plain.ssid, "S00abc");
  EXPECT_FALSE(plain.acknowledged);
  const auto counting = page<bridge::Wait>(get("/wait", "id=S00abc&ack=12&features=ack,progress"));
  EXPECT_EQ(counting.acknowledged, 12U);
  EXPECT_EQ(counting.features, "ack,progress");
}

TEST(PageRoutes, MessagesKeepTheirBodyAsItIs) {
  const auto message = page<bridge::PageMessage>(post("/message", "from=S00abc&to=10+20", "INFO-PEER a=%20&b=+/="));
  EXPECT_EQ(message.ssid, "S00abc");
  EXPECT_EQ(message.to, "10+20");
  EXPECT_EQ(message.body, "INFO-PEER a=%20&b=+/=");
  EXPECT_EQ(page<bridge::SignOut>(get("/sign_out", "id=S00abc")).ssid, "S00abc");
}

TEST(PageRoutes, MalformedRequestsAreRefusedAndOthersAreNotOurs) {
  EXPECT_EQ(statusOf(get("/sign_in", "%zz")), 400);
  EXPECT_EQ(statusOf(get("/wait")), 400);
  EXPECT_EQ(statusOf(get("/wait", "id=S00abc&ack=x")), 400);
  EXPECT_EQ(statusOf(post("/message", "from=S00abc", "BYE")), 400);
  EXPECT_EQ(statusOf(get("/sign_out")), 400);
  EXPECT_EQ(statusOf(get("/message", "from=S00abc&to=1")), 405);
  EXPECT_EQ(statusOf(post("/wait", "id=S00abc", "")), 405);
  EXPECT_TRUE(std::holds_alternative<std::monostate>(routePage(get("/index.html"), kId, {})));
}

TEST(PageRoutes, ThePolicyDecidesWhoMaySignIn) {
  EXPECT_EQ(statusOf(get("/sign_in", kAnonymous), {.anonymous = false}), 403);
  EXPECT_EQ(statusOf(get("/sign_in", kAnonymous), {.policy = AuthPolicy::Password}), 0);
  EXPECT_EQ(statusOf(get("/sign_in", "1020"), {.policy = AuthPolicy::Password}), 403);
  EXPECT_EQ(statusOf(post("/sign_in", "", "1020:undefined"), {.policy = AuthPolicy::Password}), 403);
  EXPECT_EQ(statusOf(post("/sign_in", "", "1020:"), {.policy = AuthPolicy::Password}), 403);
  EXPECT_EQ(statusOf(post("/sign_in", "", "1020:secret"), {.policy = AuthPolicy::Password}), 0);
}

// docs/errors.md, E2 to E4 and E14.
TEST(PageRoutes, ARefusedSignInSaysWhyInASentence) {
  const auto textOf = [](const http::Request& request, const Configuration::Auth& auth) {
    auto routed = routePage(request, kId, auth);
    const auto* answer = std::get_if<http::Response>(&routed);
    return answer ? std::to_string(answer->status) + " " + answer->body : "none";
  };
  EXPECT_EQ(textOf(get("/sign_in", "10%2"), {}), "400 the id's percent escapes are broken\n");
  EXPECT_EQ(textOf(get("/sign_in", kAnonymous), {.anonymous = false}),
            "403 signing in without a DN is not allowed here\n");
  EXPECT_EQ(textOf(get("/sign_in", "1020"), {.policy = AuthPolicy::Password}),
            "403 a DN signs in with a password here\n");
  const auto busy = overloaded(get("/sign_in", "1020"));
  EXPECT_EQ(busy.status, 503);
  EXPECT_EQ(busy.body, "the gateway is busy\n");
}

TEST(PageRoutes, ASessionStaysWithItsWorker) {
  const unsigned workers = 4;
  EXPECT_EQ(workerOf(bridge::SignIn{.id = "1020"}, workers), bridge::workerOfUser("1020", workers));
  const std::string ssid = "S03" + std::string(22, 'x');
  EXPECT_EQ(workerOf(bridge::Wait{.ssid = ssid}, workers), 3U);
  EXPECT_EQ(workerOf(bridge::PageMessage{.ssid = ssid}, workers), 3U);
  EXPECT_EQ(workerOf(bridge::SignOut{.ssid = "S09" + std::string(22, 'x')}, workers), 0U)
      << "of no worker that there is";
  EXPECT_EQ(workerOf(bridge::Wait{.ssid = "nonsense"}, workers), 0U);
}

TEST(PageRoutes, SipRequestsFindTheirWorkerByTagOrUser) {
  EXPECT_EQ(workerOfSipRequest("w2xabc", "1020", 4), 2U);
  const auto byUser = bridge::workerOfUser("1020", 4);
  for (const auto* tag : {"", "w4xabc", "w2", "w2y", "wx", "2x", "w99999999999999999999x"}) {
    EXPECT_EQ(workerOfSipRequest(tag, "1020", 4), byUser) << tag;
  }
}

TEST(PageRoutes, AnInviteThatReplacesACallFindsThatCallsWorker) {
  sip::Request invite;
  invite.uri = {.user = "10%320", .host = "example.test"};
  EXPECT_EQ(workerOfSipRequest(invite, 4), bridge::workerOfUser("1020", 4));
  invite.replaces = sip::Replaces{.callId = "w1xcall", .toTag = "w3xours", .fromTag = "w2xfar"};
  EXPECT_EQ(workerOfSipRequest(invite, 4), 3U);
  invite.replaces->toTag = "somebody's";
  EXPECT_EQ(workerOfSipRequest(invite, 4), bridge::workerOfUser("1020", 4)) << "which answers 481";
  invite.to.tag = "w2xours";
  EXPECT_EQ(workerOfSipRequest(invite, 4), 2U);
}

TEST(PageRoutes, RepliesCarryPeerAndSequence) {
  const auto response = toHttp({.request = kId, .status = 200, .body = "SDP {}", .peer = "1020", .sequence = 5});
  EXPECT_EQ(response.body, "SDP {}");
  ASSERT_EQ(response.headers.size(), 2U);
  EXPECT_EQ(response.headers[0].name, "Pragma");
  EXPECT_EQ(response.headers[1].value, "5");
  EXPECT_TRUE(toHttp({.request = kId}).headers.empty());
}

TEST(PageRoutes, ABusyGatewayNeverEndsAPoll) {
  EXPECT_EQ(overloaded(get("/wait", "id=1")).status, 200);
  EXPECT_EQ(overloaded(post("/message", "", "")).status, 503);
}

TEST(ReadyLine, NamesEveryAddress) {
  Gateway::Addresses addresses{.http = *SocketAddress::parse("127.0.0.1:8086"),
                               .sip = *SocketAddress::parse("127.0.0.1:40123")};
  EXPECT_EQ(readyLine(addresses, 5), "ready http=127.0.0.1:8086 sip=127.0.0.1:40123 sip-server=- pid=5");
  addresses.sipServer = *SocketAddress::parse("[::1]:5060");
  EXPECT_THAT(readyLine(addresses, 5), HasSubstr("sip-server=[::1]:5060 "));
}

TEST(EventLog, AStrangersTextCannotForgeALine) {
  EXPECT_EQ(logLine("call=7f dn=1020", "refused: \"403\nlevel=info event\""),
            "call=7f dn=1020 event=\"refused: '403?level=info event'\"");
  EXPECT_EQ(logLine("", "started"), "event=\"started\"");
}

TEST(Metrics, AreSummedAndNamed) {
  Totals totals{.workers = 2};
  add(totals.bridge, {.sessions = 1, .callsStarted = 5});
  add(totals.bridge, {.sessions = 2, .callsStarted = 6});
  const auto text = metricsText(totals);
  EXPECT_THAT(text, HasSubstr("# TYPE crosspoint_sessions gauge\ncrosspoint_sessions 3\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE crosspoint_calls_started_total counter\ncrosspoint_calls_started_total 11\n"));
}

}  // namespace
}  // namespace crosspoint::gateway
