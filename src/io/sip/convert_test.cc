// From sofia-sip's messages to plain values and back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

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

constexpr std::string_view kHeads =
    "Via: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKx\n"
    "From: <sip:a@x>;tag=f1\n"
    "To: <sip:b@x>;tag=t1\n"
    "Call-ID: c1@x\n";

std::expected<Request, int> requestOf(const std::string& method, const std::string& headers, const std::string& body) {
  const auto message = parse(
      method + " sip:b@127.0.0.1 SIP/2.0\n" + std::string(kHeads) + "CSeq: 7 " + method + "\n" + headers +
      "Content-Length: " + std::to_string(body.size() + static_cast<std::size_t>(std::ranges::count(body, '\n'))) +
      "\n\n" + body);
  return requestFromSofia(sip_object(message.get()));
}

Response responseOf(const std::string& status, const std::string& headers) {
  const auto message = parse("SIP/2.0 " + status + "\n" + std::string(kHeads) + headers + "Content-Length: 0\n\n");
  return responseFromSofia(sip_object(message.get())).value_or(Response{});
}

TEST_F(Conversion, ReadsAReferWithEscapedHeadersAndAskedForSubscription) {
  const auto refer = requestOf("REFER",
                               "Refer-To: \"C\" <sip:c@10.0.0.9?Replaces=1%402%3Bto-tag%3Da%3Bfrom-tag%3Db>\n"
                               "Referred-By: <sip:a@x>;cid=\"2@x\"\n"
                               "Refer-Sub: false ;x=1\n",
                               "");
  ASSERT_TRUE(refer.has_value());
  EXPECT_EQ(refer->method, Method::Refer);
  ASSERT_TRUE(refer->referTo.has_value());
  EXPECT_FALSE(refer->referToUnknown);
  ASSERT_EQ(refer->referTo->uri.headers.size(), 1U);
  EXPECT_EQ(unescape(refer->referTo->uri.headers[0].value), "1@2;to-tag=a;from-tag=b");
  EXPECT_EQ(refer->referredBy->uri.user, "a");
  EXPECT_EQ(refer->referSub, false);
  EXPECT_TRUE(refer->extraHeaders.empty());
  const auto back = roundTrip(*refer);
  EXPECT_EQ(back.referTo, refer->referTo);
  EXPECT_EQ(back.referredBy, refer->referredBy);
  EXPECT_EQ(back.referSub, false);
}

TEST_F(Conversion, SaysThatAReferToIsNothingItCanHold) {
  for (const char* bad : {"Refer-To: <http://example.com/>\n", "Refer-To: <mailto:a@example.com>\n", "Refer-To: <\n"}) {
    const auto refer = requestOf("REFER", bad, "");
    ASSERT_TRUE(refer.has_value()) << bad;
    EXPECT_FALSE(refer->referTo.has_value()) << bad;
    EXPECT_TRUE(refer->referToUnknown) << bad;
  }
  EXPECT_FALSE(requestOf("REFER", "", "")->referToUnknown);
}

TEST_F(Conversion, SaysThatAReplacesIsBad) {
  const std::string good = "Replaces: 1@2;to-tag=a;from-tag=b\n";
  EXPECT_FALSE(requestOf("INVITE", good, "")->replacesBad);
  EXPECT_TRUE(requestOf("INVITE", good + good, "")->replacesBad);
  EXPECT_TRUE(requestOf("INVITE", good + "Join: 1@2;to-tag=a;from-tag=b\n", "")->replacesBad);
  EXPECT_TRUE(requestOf("INVITE", "Replaces: ;to-tag\n", "")->replacesBad);
}

TEST_F(Conversion, CarriesReliableResponsesAndTheirPrack) {
  const auto ringing = responseOf("183 Session Progress", "CSeq: 7 INVITE\nRequire: 100rel\nRSeq: 42\n");
  EXPECT_EQ(ringing.rseq, 42U);
  EXPECT_EQ(ringing.require, std::vector<std::string>{"100rel"});
  const auto prack = requestOf("PRACK", "RAck: 42 7 INVITE\n", "");
  EXPECT_EQ(prack->rack, (RAck{42, 7, Method::Invite}));
  EXPECT_EQ(roundTrip(*prack).rack, prack->rack);
}

TEST_F(Conversion, CarriesEveryReasonAndBothLists) {
  auto bye = *requestOf("BYE",
                        "Reason: SIP;cause=600;text=\"Busy \\\"all\\\" over\"\n"
                        "Reason: Q.850;cause=17\n"
                        "Allow: INVITE, PRACK, UPDATE\n"
                        "Allow-Events: talk, hold\n"
                        "Unsupported: x\n",
                        "");
  const std::vector<Reason> reasons{{"SIP", 600, "Busy \"all\" over"}, {"Q.850", 17, ""}};
  EXPECT_EQ(bye.reasons, reasons);
  EXPECT_EQ(bye.allow, (std::vector<std::string>{"INVITE", "PRACK", "UPDATE"}));
  EXPECT_EQ(bye.allowEvents, (std::vector<std::string>{"talk", "hold"}));
  const auto back = roundTrip(bye);
  EXPECT_EQ(back.reasons, reasons);
  EXPECT_EQ(back.allow, bye.allow);
}

TEST_F(Conversion, CarriesWhatResponsesAloneHave) {
  const auto moved = responseOf("302 Moved",
                                "CSeq: 7 INVITE\n"
                                "Contact: <sip:c@10.0.0.1>;q=0.9, \"D\" <sip:d@10.0.0.2;transport=tcp>;q=0.25\n"
                                "Retry-After: 17 (later);duration=9\n"
                                "Unsupported: a, b\nSession-Expires: 90;refresher=uas\nMin-SE: 95\n");
  ASSERT_EQ(moved.contacts.size(), 2U);
  EXPECT_EQ(findParameter(moved.contacts[0].parameters, "q"), "0.9");
  EXPECT_EQ(findParameter(moved.contacts[1].parameters, "q"), "0.25");
  EXPECT_EQ(moved.contacts[1].uri.transport(), "tcp");
  EXPECT_EQ(moved.retryAfter, 17U);
  EXPECT_EQ(moved.unsupported, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(moved.sessionExpires, (SessionExpires{90, SessionExpires::Refresher::Uas}));
  EXPECT_EQ(moved.minSe, 95U);
  const auto registered = responseOf("200 OK",
                                     "CSeq: 7 REGISTER\nService-Route: <sip:p1;lr>, <sip:p2;lr>\n"
                                     "Path: <sip:edge;lr>\n");
  ASSERT_EQ(registered.serviceRoutes.size(), 2U);
  EXPECT_EQ(registered.serviceRoutes[1].uri.host, "p2");
  EXPECT_EQ(registered.extraHeaders, (std::vector<Header>{{"Path", "<sip:edge;lr>"}}));
  EXPECT_EQ(responseOf("199 Early Dialog Terminated", "CSeq: 7 INVITE\n").status, 199);
}

TEST_F(Conversion, CarriesExtraHeadersInOrderWithinTheirBound) {
  std::string many;
  for (int i = 0; i < 100; ++i) many += "X-Attached-Data: k" + std::to_string(i) + "=%20v\n";
  const auto invite = requestOf("INVITE", many, "");
  ASSERT_EQ(invite->extraHeaders.size(), kExtraHeadersMax);
  for (std::size_t i = 0; i < kExtraHeadersMax; ++i) {
    EXPECT_EQ(invite->extraHeaders[i], (Header{"X-Attached-Data", "k" + std::to_string(i) + "=%20v"}));
  }
  EXPECT_EQ(roundTrip(*invite).extraHeaders, invite->extraHeaders);
}

std::string inviteWithBody(std::string_view method, std::string_view headers) {
  return std::string(method) +
         " sip:b@127.0.0.1 SIP/2.0\n"
         "v: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKx\nf: <sip:a@x>;tag=f1\nt: <sip:b@x>\ni: c1\nCSeq: 7 " +
         std::string(method) + "\nm: <sip:a@10.0.0.1>\n" + std::string(headers) + "l: 5\n\nbody!";
}

TEST_F(Conversion, ABodyInACodingOfItsOwnIsRefusedAndDoesNotStopABye) {
  const auto statusOf = [](std::string_view method, std::string_view headers) {
    const auto message = parse(inviteWithBody(method, headers));
    const auto request = requestFromSofia(sip_object(message.get()));
    return request ? 0 : request.error();
  };
  EXPECT_EQ(statusOf("INVITE", "c: application/sdp\ne: gzip\n"), 415);
  EXPECT_EQ(statusOf("INVITE", "c: application/sdp\nContent-Encoding: identity\n"), 0);
  const auto bye = parse(inviteWithBody("BYE", "c: text/plain\nContent-Encoding: gzip\n"));
  const auto request = requestFromSofia(sip_object(bye.get()));
  ASSERT_TRUE(request);
  EXPECT_EQ(request->body, "");
}

TEST_F(Conversion, ABodyThatItsSenderCanDoWithoutIsNotHandedUpInPlaceOfASessionDescription) {
  const auto bodyOf = [](std::string_view headers) {
    const auto message = parse(inviteWithBody("INVITE", headers));
    const auto request = requestFromSofia(sip_object(message.get()));
    return request ? request->contentType + ": " + request->body : "none";
  };
  EXPECT_EQ(bodyOf("c: application/isup\nContent-Disposition: signal;handling=optional\n"), ": ");
  EXPECT_EQ(bodyOf("c: application/isup\nContent-Disposition: signal;handling=required\n"), "application/isup: body!");
  EXPECT_EQ(bodyOf("c: application/sdp\nContent-Disposition: session;handling=optional\n"), "application/sdp: body!");
}

TEST_F(Conversion, TakesTheSessionDescriptionOutOfABodyOfSeveralParts) {
  const auto invite = requestOf("INVITE", "Content-Type: multipart/mixed;boundary=\"b 1\"\n",
                                "preamble\n--b 1\nContent-Type: application/isup;version=x\n\nabc\n--b 1\n"
                                "Content-Type: application/sdp\nContent-Disposition: session\n\nv=0\ns=-\n--b 1--\n");
  ASSERT_TRUE(invite.has_value());
  EXPECT_EQ(invite->contentType, "application/sdp");
  EXPECT_EQ(invite->body, "v=0\r\ns=-\r\n");
}

}  // namespace
}  // namespace crosspoint::sip
