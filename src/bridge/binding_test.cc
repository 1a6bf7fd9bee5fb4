// A DN's binding at the registrar: it is there as long as somebody is signed in as the DN, gone when nobody is, and
// made only for those whose password was checked.
#include <gtest/gtest.h>

#include "bridge/bridge_fixture.h"

namespace crosspoint::bridge::test {
namespace {

constexpr const char* kBridge = "10.0.0.2:5060";

struct BindingTest : testing::Test, BridgeWorld {
  // From now on REGISTERs wait in `held`, for the test to pass them on.
  void hold() {
    intercept = [this](const std::string&, const sip::SendRequest& sent) {
      if (sent.request.method != sip::Method::Register) return false;
      held.push_back(sent);
      return true;
    };
  }
  void pass(std::size_t index) {
    intercept = nullptr;
    sendSip(kBridge, sip::Outgoing(held.at(index)));
    run(100ms);
  }
  // REGISTERs without credentials are asked for them.
  void challengeRegisters() {
    intercept = [this](const std::string&, const sip::SendRequest& sent) {
      if (sent.request.method != sip::Method::Register || !sent.request.authorizations.empty()) return false;
      sip::Response response;
      response.from = sent.request.from;
      response.to = sent.request.to;
      response.to.tag = "server";
      response.callId = sent.request.callId;
      response.cseq = sent.request.cseq;
      response.method = sent.request.method;
      response.status = 401;
      response.challenges = {{false, "Digest", {{"realm", "\"test\""}, {"nonce", "\"n1\""}}}};
      after(5ms, [this, id = sent.id, response] { bridge().handleSip(now(), sip::ResponseReceived{id, response}); });
      return true;
    };
  }
  // A sign-in whose REGISTER waits.
  Page& signInThatWaits(const std::string& dn = "1001", std::optional<std::string> password = {}) {
    hold();
    Page& made = page(dn);
    made.signIn(std::move(password));
    run(100ms);
    return made;
  }
  void signOut(Page& page) {
    page.polls = false;
    page.signOut();
    run(100ms);
  }
  void passAll() {
    intercept = nullptr;
    for (const auto& each : std::vector(held)) sendSip(kBridge, sip::Outgoing(each));
    run(40s);
  }
  void expectSignedIn(Page& page) {
    ASSERT_TRUE(page.signInReply);
    EXPECT_EQ(page.signInReply->status, 200);
    page.poll();
  }
  void expectCallable(Page& page) {
    Phone& caller = phone("20" + std::to_string(++callers_));
    caller.call(page.user);
    run(500ms);
    EXPECT_EQ(page.list(), "OFFER") << "the call does not reach the page";
    EXPECT_TRUE(caller.ended.empty());
  }
  // The registrar does not know the DN: it has not even asked us.
  void expectUnbound(const std::string& dn) {
    const auto answered = responses.size();
    Phone& caller = phone("20" + std::to_string(++callers_));
    caller.call(dn);
    run(500ms);
    ASSERT_EQ(caller.ended.size(), 1u);
    EXPECT_EQ(caller.ended[0].status, 404);
    EXPECT_EQ(responses.size(), answered);
  }
  std::vector<sip::SendRequest> held;

 private:
  int callers_ = 10;
};

TEST_F(BindingTest, ASignOutWhileAnotherSignInWaitsDoesNotTakeItsBindingAway) {
  Page& first = signedIn("1001");
  Page& second = signInThatWaits();
  signOut(first);
  ASSERT_EQ(held.size(), 1u) << "an un-REGISTER now could overtake the REGISTER or come after it";
  pass(0);
  expectSignedIn(second);
  run(1s);
  expectCallable(second);
}

TEST_F(BindingTest, ASignOutWhileAnotherSignInWaitsIsMadeGoodWhenThatFails) {
  Page& first = signedIn("1001");
  Page& second = signInThatWaits("1001", "wrong");
  signOut(first);
  intercept = nullptr;
  respond(held.at(0), 403, "No");
  run(1s);
  EXPECT_EQ(second.signInReply->status, 403);
  expectUnbound("1001");
  EXPECT_TRUE(bridge().idle());
}

TEST_F(BindingTest, ASignInThatIsGivenUpLeavesTheBindingOfTheOneThatIsSignedIn) {
  Page& first = signedIn("1001");
  Page& second = signInThatWaits();
  second.abortSignIn();
  run(100ms);
  EXPECT_EQ(held.size(), 1u);
  pass(0);
  expectCallable(first);
  run(400s);  // refreshes go on
  EXPECT_EQ(bridge().counters().sessions, 1u);
}

TEST_F(BindingTest, OfTwoSignInsThatWaitOneIsGivenUpAndTheOtherCanBeCalled) {
  for (const std::size_t givenUp : {0u, 1u}) {
    held.clear();
    hold();
    const std::string dn = givenUp == 0 ? "1001" : "1002";
    Page* both[] = {&page(dn), &page(dn)};
    for (Page* each : both) each->signIn();
    run(100ms);
    ASSERT_EQ(held.size(), 2u);
    both[givenUp]->abortSignIn();
    pass(1 - givenUp);
    pass(givenUp);
    Page& kept = *both[1 - givenUp];
    expectSignedIn(kept);
    run(10s);
    expectCallable(kept);
  }
}

TEST_F(BindingTest, WhenAllAreGivenUpNothingIsLeftAtTheRegistrar) {
  Page& first = signedIn("1001");
  Page& second = signInThatWaits();
  Page& third = signInThatWaits();
  first.polls = false;
  first.signOut();
  third.abortSignIn();
  second.abortSignIn();
  run(100ms);
  passAll();
  expectUnbound("1001");
  EXPECT_TRUE(bridge().idle());
}

TEST_F(BindingTest, ShutdownWhileASecondSignInWaitsLeavesNothing) {
  signedIn("1001");
  signInThatWaits();
  bridge().shutdown(now());
  run(100ms);
  passAll();
  EXPECT_TRUE(bridge().idle());
  EXPECT_EQ(lastSent(sip::Method::Register).expires, 0u);
}

TEST_F(BindingTest, E18WherePasswordsAreCheckedADnOfWhichNobodyAskedThePasswordIsRefused) {
  config.passwordsChecked = true;
  Page& made = page("1001");
  made.signIn("anything");
  run(1s);
  ASSERT_TRUE(made.signInReply);
  EXPECT_EQ(made.signInReply->status, 403);
  EXPECT_EQ(made.signInReply->body, "The SIP server did not ask for the password of 1001, so nobody checked it");
  EXPECT_EQ(bridge().counters().signInsRefused, 1u);
  EXPECT_EQ(bridge().counters().signIns, 0u);
  EXPECT_TRUE(log.has("[auth] policy"));
  expectUnbound("1001");  // what the REGISTER has made is taken back
  EXPECT_TRUE(bridge().idle());
}

TEST_F(BindingTest, WherePasswordsAreCheckedADnThatTheServerHasChallengedIsIn) {
  config.passwordsChecked = true;
  challengeRegisters();
  Page& made = page("1001");
  made.signIn("secret");
  run(100ms);
  expectSignedIn(made);
  expectCallable(made);
}

TEST_F(BindingTest, APasswordThatNobodyChecksTakesNoDnOver) {
  config.passwordsChecked = true;
  challengeRegisters();
  Page& first = page("1001");
  signIn(first, "secret");
  intercept = nullptr;  // the server has begun to trust us
  Page& second = page("1001");
  second.signIn("anything");
  run(1s);
  EXPECT_EQ(second.signInReply->status, 403);
  expectCallable(first);
}

TEST_F(BindingTest, AnAnonymousPageNeedsNoPasswordWherePasswordsAreChecked) {
  config.passwordsChecked = true;
  EXPECT_FALSE(signedIn("anon0123456789abcdef0123456789abcdef").ssid.empty());
}

}  // namespace
}  // namespace crosspoint::bridge::test
