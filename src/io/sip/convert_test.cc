// From sofia-sip's messages to plain values and back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/sip/from_sofia.h"
#include "io/sip/to_sofia.h"

namespace crosspoint::sip {
namespace {

MessagePointer parse(std::string_view text) {
  std::string wire;
  for (char c : text) wire += c == '\n' ? std::string("\r\n") : std::string(1, c);
  return MessagePointer(msg_make(sip_default_mclass(), 0, wire.data(), static_cast<ssize_t>(wire.size())));
}

class Conversion : public testing::Test {
 protected:
  void SetUp() override {
    su_init();
    root = su_root_create(nullptr);
    su_root_threading(root, 0);
    agent = nta_agent_create(root, reinterpret_cast<url_string_t*>(-1), nullptr, nullptr, NTATAG_UA(1), TAG_END());
    ASSERT_NE(agent, nullptr);
  }
  void TearDown() override {
    nta_agent_destroy(agent);
    su_root_destroy(root);
  }
  Request roundTrip(const Request& request) {
    const auto message = requestToSofia(agent, request, "");
    EXPECT_NE(message, nullptr);
    sip_t* sip = message ? sip_object(message.get()) : nullptr;
    EXPECT_EQ(msg_serialize(message.get(), reinterpret_cast<msg_pub_t*>(sip)), 0);
    const auto back = requestFromSofia(sip);
    EXPECT_TRUE(back.has_value());
    return back.value_or(Request{});
  }
  su_root_t* root = nullptr;
  nta_agent_t* agent = nullptr;
};

constexpr std::string_view kInvite =
    "INVITE sip:b@127.0.0.1:5060;transport=tcp SIP/2.0\n"
    "Via: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKx\n"
    "From: \"Ann \\\"A\\\" B\" <sip:a@x;user=phone>;tag=f1\n"
    "To: <tel:+49123>\n"
    "Call-ID: c1@x\n"
    "CSeq: 7 INVITE\n"
    "Contact: <sip:a@10.0.0.1:5062>;expires=3;q=0.5\n"
    "Record-Route: <sip:p1;lr>, <sip:p2;lr>\n"
    "Supported: 100rel, timer\n"
    "Session-Expires: 1800;refresher=uac\n"
    "Min-SE: 90\n"
    "Reason: SIP;cause=200;text=\"done, elsewhere\"\n"
    "Replaces: 1@2;to-tag=a;from-tag=b;early-only\n"
    "Proxy-Authorization: Digest username=\"u\", realm=\"r\", nc=00000001\n"
    "X-Any: thing\n"
    "Subject: hello\n"
    "Content-Type: application/sdp\n"
    "Content-Length: 5\n\n"
    "v=0\n";

TEST_F(Conversion, ReadsEveryFieldOfARequest) {
  const auto message = parse(kInvite);
  const auto request = requestFromSofia(sip_object(message.get()));
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->method, Method::Invite);
  EXPECT_EQ(request->uri.toString(), "sip:b@127.0.0.1:5060;transport=tcp");
  EXPECT_EQ(request->from.display, "Ann \"A\" B");
  EXPECT_EQ(request->from.tag, "f1");
  EXPECT_TRUE(request->from.parameters.empty());
  EXPECT_EQ(request->to.uri.scheme, "tel");
  EXPECT_EQ(request->callId, "c1@x");
  EXPECT_EQ(request->cseq, 7U);
  ASSERT_EQ(request->contacts.size(), 1U);
  EXPECT_EQ(findParameter(request->contacts[0].parameters, "q"), "0.5");
  ASSERT_EQ(request->recordRoutes.size(), 2U);
  EXPECT_EQ(request->recordRoutes[0].uri.host, "p1");
  EXPECT_EQ(request->supported, (std::vector<std::string>{"100rel", "timer"}));
  EXPECT_EQ(request->sessionExpires, (SessionExpires{1800, SessionExpires::Refresher::Uac}));
  EXPECT_EQ(request->minSe, 90U);
  EXPECT_EQ(request->reasons, (std::vector<Reason>{{"SIP", 200, "done, elsewhere"}}));
  EXPECT_EQ(request->replaces, (Replaces{"1@2", "a", "b", true}));
  ASSERT_EQ(request->authorizations.size(), 1U);
  EXPECT_TRUE(request->authorizations[0].proxy);
  EXPECT_EQ(findParameter(request->authorizations[0].parameters, "username"), "\"u\"");
  EXPECT_EQ(request->extraHeaders, (std::vector<Header>{{"X-Any", "thing"}, {"Subject", "hello"}}));
  EXPECT_EQ(request->contentType, "application/sdp");
  EXPECT_EQ(request->body, "v=0\r\n");
}

TEST_F(Conversion, ARequestComesBackAsItWas) {
  const auto message = parse(kInvite);
  auto request = requestFromSofia(sip_object(message.get()));
  ASSERT_TRUE(request.has_value());
  request->routes = {NameAddr{.uri = *Uri::parse("sip:r1;lr")}, NameAddr{.uri = *Uri::parse("sip:r2;lr")}};
  request->rack = RAck{1, 7, Method::Invite};
  request->event = "refer;id=2";
  request->subscriptionState = "active;expires=60";
  request->referTo = NameAddr{.uri = *Uri::parse("sip:z@y?Replaces=1%3Bto-tag%3D2")};
  const Request back = roundTrip(*request);
  EXPECT_EQ(back.uri, request->uri);
  EXPECT_EQ(back.from, request->from);
  EXPECT_EQ(back.to, request->to);
  EXPECT_EQ(back.contacts, request->contacts);
  EXPECT_EQ(back.recordRoutes, request->recordRoutes);
  EXPECT_EQ(back.routes, request->routes);
  EXPECT_EQ(back.authorizations, request->authorizations);
  EXPECT_EQ(back.rack, request->rack);
  EXPECT_EQ(back.event, request->event);
  EXPECT_EQ(back.subscriptionState, request->subscriptionState);
  EXPECT_EQ(back.referTo, request->referTo);
  EXPECT_EQ(back.replaces, request->replaces);
  EXPECT_EQ(back.reasons, request->reasons);
  EXPECT_EQ(back.sessionExpires, request->sessionExpires);
  EXPECT_THAT(back.extraHeaders, testing::UnorderedElementsAreArray(request->extraHeaders));
  EXPECT_EQ(back.body, request->body);
}

TEST_F(Conversion, ReadsAChallenge) {
  const auto message = parse(
      "SIP/2.0 401 No\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\nFrom: <sip:a@x>;tag=1\nTo: <sip:a@x>;tag=2\n"
      "Call-ID: c\nCSeq: 2 REGISTER\nMin-Expires: 60\nRSeq: 17\nRetry-After: 5\nContact: *\n"
      "WWW-Authenticate: Digest realm=\"r, s\", nonce=\"n\", qop=\"auth\"\nContent-Length: 0\n\n");
  const auto response = responseFromSofia(sip_object(message.get()));
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->status, 401);
  EXPECT_EQ(response->reason, "No");
  EXPECT_EQ(response->method, Method::Register);
  EXPECT_EQ(response->minExpires, 60U);
  EXPECT_EQ(response->rseq, 17U);
  EXPECT_EQ(response->retryAfter, 5U);
  EXPECT_TRUE(response->contactStar);
  ASSERT_EQ(response->challenges.size(), 1U);
  EXPECT_FALSE(response->challenges[0].proxy);
  EXPECT_EQ(findParameter(response->challenges[0].parameters, "realm"), "\"r, s\"");
}

TEST_F(Conversion, AMethodOfItsOwnKeepsItsName) {
  Request request;
  request.method = Method::Other;
  request.methodName = "FROBNICATE";
  request.uri = *Uri::parse("sip:b@127.0.0.1");
  request.from = NameAddr{.uri = *Uri::parse("sip:a@x"), .tag = "1"};
  request.to = NameAddr{.uri = *Uri::parse("sip:b@x")};
  request.callId = "c";
  request.cseq = 1;
  EXPECT_EQ(roundTrip(request).methodName, "FROBNICATE");
}

TEST_F(Conversion, RefusesWhatCannotBeSent) {
  Request request;
  request.method = Method::Options;
  request.from = NameAddr{.uri = *Uri::parse("sip:a@x"), .tag = "1"};
  request.to = request.from;
  request.callId = "c";
  request.uri = *Uri::parse("sip:b@127.0.0.1");
  EXPECT_NE(requestToSofia(agent, request, ""), nullptr);
  request.extraHeaders = {{"No Token", "x"}};
  EXPECT_EQ(requestToSofia(agent, request, ""), nullptr);
  request.extraHeaders.clear();
  request.method = Method::Other;
  request.methodName = "TWO WORDS";
  EXPECT_EQ(requestToSofia(agent, request, ""), nullptr);
}

TEST_F(Conversion, ARequestUriOfAnotherSchemeIsRefusedWith416) {
  const auto message = parse(
      "OPTIONS urn:service:sos SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\nFrom: <sip:a@x>;tag=1\n"
      "To: <sip:a@x>\nCall-ID: c\nCSeq: 2 OPTIONS\nContent-Length: 0\n\n");
  EXPECT_EQ(requestFromSofia(sip_object(message.get())).error(), 416);
}

TEST_F(Conversion, ListsKeepTheirBounds) {
  std::string text =
      "OPTIONS sip:b@x SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\nFrom: <sip:a@x>;tag=1\nTo: <sip:a@x>\nCall-ID: c\n"
      "CSeq: 2 OPTIONS\n";
  for (int i = 0; i < 200; ++i) text += "X-" + std::to_string(i) + ": v\nContact: <sip:" + std::to_string(i) + "@h>\n";
  const auto message = parse(text + "Content-Length: 0\n\n");
  const auto request = requestFromSofia(sip_object(message.get()));
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->extraHeaders.size(), kExtraHeadersMax);
  EXPECT_EQ(request->contacts.size(), kContactsMax);
}

TEST_F(Conversion, ARouteSetThatIsTooLongIsRefusedRatherThanCut) {
  std::string text =
      "OPTIONS sip:b@x SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\nFrom: <sip:a@x>;tag=1\nTo: <sip:a@x>\nCall-ID: c\n"
      "CSeq: 2 OPTIONS\n";
  for (std::size_t i = 0; i <= kRoutesMax; ++i) text += "Record-Route: <sip:p" + std::to_string(i) + ";lr>\n";
  const auto message = parse(text + "Content-Length: 0\n\n");
  EXPECT_EQ(requestFromSofia(sip_object(message.get())).error(), 400);
}

}  // namespace
}  // namespace crosspoint::sip
