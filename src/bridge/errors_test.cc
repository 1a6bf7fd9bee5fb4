// The rows of docs/errors.md, each by its number.
#include <gtest/gtest.h>

#include "bridge/bridge_fixture.h"
#include "core/sip/refer.h"

namespace crosspoint::bridge::test {
namespace {

using enum roap::ErrorType;

struct ErrorsTest : testing::Test, BridgeWorld {
  // The next request of that method is answered by the SIP server itself.
  void answerWith(sip::Method method, int status, std::string phrase = {}) {
    intercept = [=, this](const std::string& from, const sip::SendRequest& sent) {
      if (from != "10.0.0.2:5060" || sent.request.method != method) return false;
      respond(sent, status, phrase.empty() ? std::string(sip::standardReason(status)) : phrase);
      return true;
    };
  }
  void expectSignIn(const std::string& id, int status, const std::string& text,
                    std::optional<std::string> password = {}) {
    Page& made = page(id);
    made.signIn(std::move(password));
    run(40s);
    expectSignInReply(made, status, text);
  }
  static void expectSignInReply(const Page& page, int status, const std::string& text) {
    ASSERT_TRUE(page.signInReply) << text;
    EXPECT_EQ(page.signInReply->status, status) << text;
    EXPECT_EQ(page.signInReply->body, text);
  }
  void expectError(Page& page, roap::ErrorType type, std::optional<int> status, const std::string& sentence) {
    ASSERT_GE(page.count("SDP "), 1u) << page.list();
    const auto error = page.take(roap::MessageType::Error);
    EXPECT_EQ(error.errorType, type) << sentence;
    EXPECT_EQ(error.sipStatus, status) << sentence;
    EXPECT_EQ(error.reason, sentence);
  }
  void expectFailedCall(roap::ErrorType type, int status, const std::string& sentence, const std::string& to = "2001") {
    Page& caller = signedInAnew();
    caller.call(to);
    run(config.noAnswerMax + 40s);
    EXPECT_EQ(caller.list(), "ERROR BYE") << sentence;
    expectError(caller, type, status, sentence);
  }
  Page& signedInAnew() {
    Page& made = page("anon0123456789abcdef0123456789" + std::to_string(100'000 + ++made_));
    signIn(made);
    return made;
  }
  int made_ = 0;
};

TEST_F(ErrorsTest, E1AnIdThatCannotBeOne) {
  const std::string text = "The id to sign in with is missing, too long, or has characters that are not printable";
  expectSignIn("", 400, text);
  expectSignIn(std::string(129, '1'), 400, text);
  expectSignIn("10\n01", 400, text);
  expectSignIn("1001", 400, text, std::string(257, 'x'));
}

TEST_F(ErrorsTest, E5ToE10TheSipServerRefusesTheRegistration) {
  const std::tuple<int, int, std::string> table[] = {
      {401, 403, "The SIP server did not accept the password of 1001 (401 Unauthorized)"},
      {407, 403, "The SIP server did not accept the password of 1001 (407 Proxy Authentication Required)"},
      {403, 403, "The SIP server does not let 1001 sign in (403 Forbidden)"},
      {404, 404, "The SIP server does not know 1001 (404 Not Found)"},
      {503, 503,
       "The SIP server is overloaded or cannot be reached, so 1001 is not signed in (503 Service Unavailable)"},
      {500, 502, "The SIP server refused to register 1001 (500 Server Internal Error)"},
  };
  for (const auto& [sip, http, text] : table) {
    answerWith(sip::Method::Register, sip);
    expectSignIn("1001", http, text);
  }
  answerWith(sip::Method::Register, 403, "Not from here");
  expectSignIn("1001", 403, "The SIP server does not let 1001 sign in (403 Not from here)");
}

TEST_F(ErrorsTest, E8TheSipServerDoesNotAnswerTheRegistration) {
  intercept = [](const std::string&, const sip::SendRequest&) { return true; };
  expectSignIn("1001", 504, "The SIP server did not answer the registration of 1001 (408 Request Timeout)");
}

TEST_F(ErrorsTest, E12TooManySessions) {
  config.sessionsMax = 1;
  signedIn("1001");
  expectSignIn("1002", 503, "Too many sessions are signed in");
}

TEST_F(ErrorsTest, E13AnotherSignInTookItsPlace) {
  Page& earlier = page("1001");
  Page& later = page("1001");
  std::vector<sip::SendRequest> waiting;
  intercept = [&](const std::string&, const sip::SendRequest& sent) {
    waiting.push_back(sent);
    return true;
  };
  earlier.signIn();
  later.signIn();
  run(10ms);
  ASSERT_EQ(waiting.size(), 2u);
  respond(waiting[1], 200);
  run(10ms);
  respond(waiting[0], 200);
  run(10ms);
  expectSignInReply(earlier, 409, "A later sign-in of the DN took the place of this one");
}

TEST_F(ErrorsTest, E19TheGatewayStopsBeforeTheSipServerHasDecided) {
  Page& one = page("1001");
  intercept = [](const std::string&, const sip::SendRequest&) { return true; };
  one.signIn();
  run(10ms);
  bridge().shutdown(now());
  run(10ms);
  expectSignInReply(one, 503, "The sign-in came to nothing: the gateway stops");
}

TEST_F(ErrorsTest, E15ASessionThatHasGone) {
  Page& gone = page("1001");
  bridge();
  gone.ssid = "S00nobodyofthatnameatall0";
  gone.poll();
  run(10ms);
  ASSERT_TRUE(gone.waitReply);
  EXPECT_EQ(gone.waitReply->status, 404);
  EXPECT_EQ(gone.waitReply->body, "There is no such session: sign in again");
  gone.post("BYE", "2001");
  run(10ms);
  EXPECT_EQ(gone.postReply->status, 200);
  EXPECT_EQ(gone.postReply->body, "There is no such session");
}

TEST_F(ErrorsTest, E20NobodyIsNamed) {
  for (const char* to : {"", "null"}) expectFailedCall(NoMatch, 404, "There is nobody of that name to call", to);
}

TEST_F(ErrorsTest, E21ToE36TheSipServerRefusesTheCall) {
  expectFailedCall(Refused, 404, "There is nobody of that name to call");  // of the world's own server
  const std::tuple<int, roap::ErrorType, std::string> table[] = {
      {486, Refused, "The called party is busy"},
      {603, Refused, "The called party declined the call"},
      {480, Refused, "The called party is not available at present"},
      {408, Timeout, "The called party did not answer"},
      {403, Refused, "The SIP server does not allow this call"},
      {401, Refused, "The SIP server did not accept the name or the password for this call"},
      {407, Refused, "The SIP server did not accept the name or the password for this call"},
      {488, Failed, "The called party's phone and this page have no codec in common"},
      {606, Failed, "The called party's phone and this page have no codec in common"},
      {503, Failed, "The SIP server is overloaded or cannot be reached"},
      {500, Failed, "The SIP server failed"},
      {399, Refused, "The call was redirected to where it cannot go"},
  };
  for (const auto& [status, type, sentence] : table) {
    answerWith(sip::Method::Invite, status);
    expectFailedCall(type, status, sentence);
  }
  answerWith(sip::Method::Invite, 486, "In a meeting");
  expectFailedCall(Refused, 486, "The called party is busy: In a meeting");
}

TEST_F(ErrorsTest, E25AndE33ACauseSaysMoreThanTheStatus) {
  const std::tuple<int, std::uint32_t, roap::ErrorType, std::string> table[] = {
      {480, 19, Timeout, "The called party did not answer"},
      {480, 18, Timeout, "The called party's phone does not respond"},
      {480, 17, Refused, "The called party is busy"},
      {503, 34, Failed, "The lines to the called party are congested"},
  };
  for (const auto& [status, cause, type, sentence] : table) {
    intercept = [&, status = status, cause = cause](const std::string& from, const sip::SendRequest& sent) {
      if (from != "10.0.0.2:5060" || sent.request.method != sip::Method::Invite) return false;
      respondBecause(sent, status, {"Q.850", cause, ""});
      return true;
    };
    expectFailedCall(type, status, sentence);
  }
}

TEST_F(ErrorsTest, E26NobodyAnswers) {
  config.noAnswerMax = 20s;
  phone("2001");
  expectFailedCall(Timeout, 408, "Nobody answered");
}

TEST_F(ErrorsTest, E28TheSipServerDoesNotAnswer) {
  signedInAnew();
  intercept = [](const std::string&, const sip::SendRequest&) { return true; };
  expectFailedCall(Failed, 408, "The SIP server did not answer");
}

TEST_F(ErrorsTest, E31TheAnswerHasNoCodecInCommon) {
  Phone& callee = phone("2001");
  callee.codecs = {kG722};
  callee.onInvite = Phone::OnInvite::Answer;
  expectFailedCall(Failed, 488, "The two sides have no codec in common");
}

TEST_F(ErrorsTest, E37AndE38AnOfferThatIsOfNoUse) {
  Page& caller = signedIn("1001");
  caller.connect(true);
  caller.post(caller.offerBody("hello"), "2001");
  run(500ms);
  EXPECT_EQ(caller.list(), "ERROR BYE");
  const auto error = caller.take(roap::MessageType::Error);
  EXPECT_EQ(error.errorType, Failed);
  EXPECT_EQ(error.sipStatus, 400);
  EXPECT_TRUE(error.reason.starts_with("The offer cannot be used: ")) << error.reason;

  Page& other = signedIn("1002");
  other.codecs = {kG722};
  other.call("2001");
  run(500ms);
  expectError(other, Failed, 488, "No codec in the offer is one that this gateway passes on (Opus, PCMU, PCMA, VP8)");
}

TEST_F(ErrorsTest, E39TheAnswerCannotBeRead) {
  Page& caller = signedIn("1001");
  Phone& callee = phone("2001");
  callee.onInvite = Phone::OnInvite::Answer;
  callee.describeOtherwise = [] { return "hello"; };
  caller.call("2001");
  run(500ms);
  EXPECT_EQ(caller.list(), "ERROR BYE");
  const auto error = caller.take(roap::MessageType::Error);
  EXPECT_EQ(error.sipStatus, 500);
  EXPECT_TRUE(error.reason.starts_with("The SIP answer cannot be read: ")) << error.reason;
}

TEST_F(ErrorsTest, E40AndE41TheGatewayHasNoRoom) {
  ports.max = 0;
  config.callsMax = 1;
  expectFailedCall(Failed, 503, "The gateway has no RTP port left");
  ports.max = 10;
  Page& busy = signedIn("1001");
  Phone& callee = phone("2002");
  establish(busy, callee);
  expectFailedCall(Failed, 503, "The gateway carries as many calls as it can");
}

TEST_F(ErrorsTest, E53ThePageAnswersWithAnError) {
  const std::tuple<roap::ErrorType, int, std::string> table[] = {
      {Refused, 603, "Declined by the page"},
      {Timeout, 480, "The page did not answer"},
      {NoMatch, 480, "The page did not answer"},
      {Failed, 488, "The page could not use the offer"},
  };
  for (const auto& [type, status, sentence] : table) {
    Page& callee = signedIn("10" + std::to_string(10 + ++made_));
    Phone& caller = phone("20" + std::to_string(10 + made_));
    caller.call(callee.user);
    run(500ms);
    const auto offer = callee.take(roap::MessageType::Offer);
    callee.post(roap::fromPage({.type = roap::MessageType::Error,
                                .offererSessionId = offer.offererSessionId,
                                .seq = offer.seq,
                                .errorType = type}),
                caller.user);
    run(500ms);
    ASSERT_EQ(caller.ended.size(), 1u);
    EXPECT_EQ(caller.ended[0].status, status);
    expectError(callee, Refused, status, sentence);
  }
}

TEST_F(ErrorsTest, E60ThePagesAnswerIsOfNoUse) {
  const auto [callee, caller] = phoneCallsPage();
  callee.changeSdp = [](SessionDescription& sdp) { sdp.sections.clear(); };
  callee.answerOffer();
  run(500ms);
  ASSERT_EQ(caller.ended.size(), 1u);
  EXPECT_EQ(caller.ended[0].status, 500);
  EXPECT_TRUE(caller.ended[0].reason.starts_with("The page's answer cannot be used: ")) << caller.ended[0].reason;
}

TEST_F(ErrorsTest, E71TheFarEndsNetworkBreaks) {
  const auto [caller, callee] = pageTalksToPhone();
  callee.hangUp(sip::Reason{"Q.850", 38, "trunk down"});
  run(500ms);
  EXPECT_EQ(caller.list(), "ERROR BYE");
  expectError(caller, Failed, std::nullopt, "The call broke off: trunk down");
}

TEST_F(ErrorsTest, E72TheFarEndKnowsNothingOfTheCall) {
  const auto [caller, callee] = pageTalksToPhone();
  answerWith(sip::Method::Invite, 481);
  caller.direction = Direction::Inactive;
  caller.offer();
  run(500ms);
  expectError(caller, Failed, 481, "The other side knows nothing of the call any more");
}

TEST_F(ErrorsTest, E74ToE76SipHearsWhyTheCallEnds) {
  Page& lost = signedIn("1001");
  Page& gone = signedIn("1002");
  Page& stopped = signedIn("1003");
  Phone &first = phone("2001"), &second = phone("2002"), &third = phone("2003");
  establish(lost, first);
  establish(gone, second);
  establish(stopped, third);
  gone.signOut();
  run(500ms);
  ASSERT_EQ(second.ended.size(), 1u);
  EXPECT_EQ(second.ended[0].cause, 27u);
  EXPECT_EQ(second.ended[0].reason, "The page signed out or vanished");

  lost.rtc.reset();
  run(150s);
  ASSERT_EQ(first.ended.size(), 1u);
  EXPECT_EQ(first.ended[0].cause, 41u);
  expectError(lost, Failed, std::nullopt, "The connection to the page was lost");

  bridge().shutdown(now());
  run(500ms);
  ASSERT_EQ(third.ended.size(), 1u);
  EXPECT_EQ(third.ended[0].cause, 503u);
  EXPECT_EQ(stopped.list(), "BYE");
}

}  // namespace
}  // namespace crosspoint::bridge::test
