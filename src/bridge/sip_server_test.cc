// The SIP server as a whole: whether it answers, and what happens meanwhile (E11 of docs/errors.md).
#include <gtest/gtest.h>

#include "bridge/bridge_fixture.h"

namespace crosspoint::bridge::test {
namespace {

struct SipServerTest : testing::Test, BridgeWorld {
  bool silent = false;

  SipServerTest() {
    config.sipOptionsInterval = 10s;
    intercept = [this](const std::string&, const sip::SendRequest& sent) {
      if (silent) {
        after(32s, [this, sent] { fail(sent); });
        return true;
      }
      if (sent.request.method != sip::Method::Options) return false;
      respond(sent, 200);
      return true;
    };
  }
};

TEST_F(SipServerTest, WhileItIsSilentSignInsAreRefusedAtOnce) {
  signedIn("1001");
  silent = true;
  run(60s);
  EXPECT_EQ(bridge().counters().sipServerUnreachable, 1u);
  EXPECT_TRUE(log.has("sip-server: it cannot be reached"));
  Page& late = page("1002");
  late.signIn();
  run(50ms);
  ASSERT_TRUE(late.signInReply);
  EXPECT_EQ(late.signInReply->status, 503);
  EXPECT_EQ(late.signInReply->body, "The SIP server cannot be reached at present: try again later");
}

TEST_F(SipServerTest, AnonymousPagesSignInAllTheSame) {
  bridge();
  silent = true;
  run(60s);
  signedIn("anon0123456789abcdef0123456789abcdef");
}

TEST_F(SipServerTest, WhenItAnswersAgainPagesSignInAgain) {
  signedIn("1001");
  silent = true;
  run(60s);
  silent = false;
  run(60s);
  EXPECT_EQ(bridge().counters().sipServerUnreachable, 0u);
  EXPECT_TRUE(log.has("sip-server: it answers again"));
  signedIn("1002");
}

}  // namespace
}  // namespace crosspoint::bridge::test
