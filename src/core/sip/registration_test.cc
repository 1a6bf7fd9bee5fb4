// REGISTER: digest, refresh, refusal, recovery, removal.
#include "core/sip/registration.h"

#include <gtest/gtest.h>

#include "core/sip/agent_fixture.h"

namespace crosspoint::sip {
namespace {

using std::chrono::seconds;
using test::AgentFixture;
using test::kStart;

struct RegistrationFixture : AgentFixture {
  RegistrationId id{};
  SendRequest start(seconds expires = seconds(600)) {
    id = agent.registerUser(now, "1020", "auth1020", "secret", expires).value_or(RegistrationId{});
    return request(Method::Register);
  }
  static Response granted(const SendRequest& sent, int expires) {
    Response response = makeReply(sent, 200);
    response.contacts = {sent.request.contacts.front()};
    setParameter(response.contacts[0].parameters, "expires", std::to_string(expires));
    return response;
  }
  void grant(const SendRequest& sent, int expires) { handle(ResponseReceived{sent.id, granted(sent, expires)}); }
  void establish(int expires = 600) {
    grant(start(), expires);
    event<RegistrationSucceeded>();
  }
};

TEST(Registration, SaysWhoAndWhereWeAre) {
  RegistrationFixture t;
  const auto sent = t.start();
  EXPECT_EQ(sent.request.uri.toString(), "sip:example.test");
  EXPECT_EQ(sent.destination.toString(), "sip:192.0.2.9:5060");
  EXPECT_EQ(sent.request.to.uri.toString(), "sip:1020@example.test");
  EXPECT_EQ(sent.request.from.uri, sent.request.to.uri);
  EXPECT_TRUE(sent.request.to.tag.empty());
  EXPECT_TRUE(sent.request.from.tag.starts_with("w1"));
  EXPECT_TRUE(sent.request.callId.starts_with("w1"));
  ASSERT_EQ(sent.request.contacts.size(), 1u);
  EXPECT_EQ(sent.request.contacts[0].uri.toString(), "sip:1020@192.0.2.1:5070");
  EXPECT_EQ(sent.request.expires, 600u);
  EXPECT_EQ(sent.request.userAgent, "Crosspoint");
  t.grant(sent, 300);
  const auto succeeded = t.event<RegistrationSucceeded>();
  EXPECT_EQ(succeeded.expires, seconds(300));
  EXPECT_FALSE(succeeded.challenged) << "nobody has asked for the password";
}

TEST(Registration, AnswersAChallengeWithTheNextCSeqAndKeepsAnsweringIt) {
  RegistrationFixture t;
  const auto first = t.start();
  t.challenge(first, 401, "n1");
  const auto second = t.request(Method::Register);
  EXPECT_EQ(second.request.cseq, first.request.cseq + 1);
  EXPECT_EQ(second.request.callId, first.request.callId);
  ASSERT_EQ(second.request.authorizations.size(), 1u);
  EXPECT_EQ(test::parameterOf(second.request.authorizations[0], "username"), "\"auth1020\"");
  t.grant(second, 600);
  EXPECT_TRUE(t.event<RegistrationSucceeded>().challenged);
  t.runFor(seconds(600));
  const auto refresh = t.request(Method::Register);
  ASSERT_EQ(refresh.request.authorizations.size(), 1u);
  EXPECT_EQ(test::parameterOf(refresh.request.authorizations[0], "nc"), "00000002");
}

TEST(Registration, FailsWithTheServersWordsOn403) {
  RegistrationFixture t;
  Response refusal = t.makeReply(t.start(), 403);
  refusal.reason = "No such\r\n\xfc subscriber";
  t.handle(ResponseReceived{ClientTransactionId{1}, refusal});
  const auto failed = t.event<RegistrationFailed>();
  EXPECT_EQ(failed.id, t.id);
  EXPECT_EQ(failed.status, 403);
  EXPECT_EQ(failed.reason, "No such\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd subscriber")
      << "nothing that a log could not show";
  EXPECT_EQ(t.agent.registrationCount(), 0u);
  EXPECT_EQ(t.agent.unregister(t.now, t.id), std::unexpected(CommandError::UnknownRegistration));
}

TEST(Registration, FailsOnAWrongPasswordAfterOneAnswer) {
  RegistrationFixture t;
  t.challenge(t.start(), 401, "n1");
  t.challenge(t.request(Method::Register), 401, "n2");
  EXPECT_EQ(t.event<RegistrationFailed>().status, 401);
  EXPECT_TRUE(t.silent());
}

TEST(Registration, FailsWhenNobodyAnswersEvenIfTheTransportForgetsToSay) {
  RegistrationFixture t;
  t.start();
  t.runFor(seconds(60));
  EXPECT_EQ(t.event<RegistrationFailed>().status, 408);
  EXPECT_FALSE(t.agent.nextTimeout());
}

TEST(Registration, FailsAtOnceWhenTheServerCannotBeReached) {
  RegistrationFixture t;
  const auto sent = t.start();
  t.handle(TransactionFailed{sent.id, TransactionFailed::Cause::Transport});
  EXPECT_EQ(t.event<RegistrationFailed>().status, 503);
}

TEST(Registration, IsRefreshedInTimeForOneFailedAttempt) {
  RegistrationFixture t;
  t.establish(600);
  while (t.requests.empty() && t.now < kStart + seconds(600)) t.runFor(seconds(1));
  EXPECT_GE(kStart + seconds(600) - t.now, seconds(40));
  EXPECT_LE(kStart + seconds(600) - t.now, seconds(120));
  const auto refresh = t.request(Method::Register);
  EXPECT_EQ(refresh.request.cseq, 2u);
  t.grant(refresh, 600);
  EXPECT_TRUE(t.silent()) << "a plain refresh is silent";
}

TEST(Registration, DoesNotHammerAServerThatGrantsNothing) {
  for (const int expires : {0, 1}) {
    RegistrationFixture t;
    t.establish(expires);
    t.runFor(seconds(5) - 1us);
    EXPECT_TRUE(t.requests.empty());
    t.runFor(1us);
    EXPECT_EQ(t.requests.size(), 1u);
  }
}

TEST(Registration, RaisesTheIntervalOn423) {
  RegistrationFixture t;
  const auto first = t.start(seconds(30));
  Response brief = t.makeReply(first, 423);
  brief.minExpires = 120;
  t.handle(ResponseReceived{first.id, brief});
  const auto second = t.request(Method::Register);
  EXPECT_EQ(second.request.expires, 120u);
  brief.minExpires = 240;
  t.handle(ResponseReceived{second.id, brief});
  const auto third = t.request(Method::Register);
  brief.minExpires = 480;
  t.handle(ResponseReceived{third.id, brief});
  EXPECT_EQ(t.event<RegistrationFailed>().status, 423) << "not for ever";
}

TEST(Registration, ComesBackAfterTheServerWasAway) {
  RegistrationFixture t;
  t.establish(100);
  t.runFor(seconds(60));
  t.handle(TransactionFailed{t.request(Method::Register).id, TransactionFailed::Cause::Transport});
  const auto lost = t.event<RegistrationLost>();
  EXPECT_EQ(lost.id, t.id);
  EXPECT_EQ(lost.status, 503);
  int attempts = 0;
  for (const TimePoint end = t.now + std::chrono::minutes(10); t.now < end; t.runFor(seconds(1))) {
    if (t.requests.empty()) continue;
    ++attempts;
    t.handle(TransactionFailed{t.request(Method::Register).id, TransactionFailed::Cause::Transport});
  }
  EXPECT_GE(attempts, 5);
  EXPECT_LE(attempts, 9) << "ever more slowly";
  EXPECT_EQ(t.count<RegistrationLost>(), 0u) << "said once";
  while (t.requests.empty()) t.runFor(seconds(1));
  t.grant(t.request(Method::Register), 100);
  EXPECT_EQ(t.event<RegistrationSucceeded>().id, t.id);
}

// A SIP server that is started again: silent for minutes, then new and empty, with another realm, and with its
// database of users not yet there.
TEST(Registration, RecoversWhenTheServerIsStartedAgain) {
  RegistrationFixture t;
  const auto first = t.start(seconds(120));
  t.challenge(first, 401, "old");
  t.grant(t.request(Method::Register), 120);
  t.event<RegistrationSucceeded>();
  const auto next = [&] {
    for (int i = 0; i < 1000 && t.requests.empty(); ++i) t.runFor(seconds(1));
    return t.request(Method::Register);
  };
  for (int i = 0; i < 4; ++i) {
    const auto silent = next();
    t.runFor(seconds(32));
    t.handle(TransactionFailed{silent.id, TransactionFailed::Cause::Timeout});
  }
  EXPECT_EQ(t.event<RegistrationLost>().status, 408);

  const auto unknown = next();
  EXPECT_EQ(unknown.request.authorizations.size(), 1u) << "with what the old server had asked for";
  Response challenge = t.makeReply(unknown, 401);
  challenge.challenges = {t.digestChallenge("new")};
  setParameter(challenge.challenges[0].parameters, "realm", "\"other.test\"");
  t.handle(ResponseReceived{unknown.id, challenge});
  const auto answer = t.request(Method::Register);
  bool found = false;
  for (const auto& authorization : answer.request.authorizations) {
    if (test::parameterOf(authorization, "realm") != "\"other.test\"") continue;
    found = true;
    EXPECT_EQ(test::parameterOf(authorization, "nonce"), "\"new\"");
  }
  EXPECT_TRUE(found) << "the new realm is answered";
  t.respond(answer, 403);
  EXPECT_TRUE(t.events.empty()) << "still lost, said once";
  t.respond(next(), 403);
  t.grant(next(), 120);
  EXPECT_EQ(t.event<RegistrationSucceeded>().id, t.id);

  ASSERT_TRUE(t.agent.unregister(t.now, t.id));
  t.grant(t.request(Method::Register), 0);
  t.event<RegistrationEnded>();
  EXPECT_EQ(t.agent.registrationCount(), 0u);
  EXPECT_FALSE(t.agent.nextTimeout().has_value());
}

TEST(Registration, RemovedWhileItIsLostLeavesNothing) {
  RegistrationFixture t;
  t.establish(100);
  t.runFor(seconds(60));
  t.handle(TransactionFailed{t.request(Method::Register).id, TransactionFailed::Cause::Transport});
  t.event<RegistrationLost>();
  ASSERT_TRUE(t.agent.unregister(t.now, t.id));
  const auto removal = t.request(Method::Register);
  EXPECT_EQ(removal.request.expires, 0u) << "the server may have kept the binding";
  t.handle(TransactionFailed{removal.id, TransactionFailed::Cause::Transport});
  t.event<RegistrationEnded>();
  EXPECT_FALSE(t.agent.nextTimeout().has_value());
}

TEST(Registration, ManyThatWereLostTogetherDoNotReturnTogether) {
  RegistrationFixture t;
  constexpr int kCount = 1000;
  for (int i = 0; i < kCount; ++i) {
    ASSERT_TRUE(t.agent.registerUser(t.now, "u" + std::to_string(i), {}, "secret", seconds(100)));
    t.grant(t.request(Method::Register), 100);
  }
  const auto failAll = [&] {
    t.drain();
    std::size_t failed = 0;
    for (; !t.requests.empty(); ++failed) {
      const auto id = t.requests.front().id;
      t.requests.pop_front();
      t.handle(TransactionFailed{id, TransactionFailed::Cause::Transport});
    }
    return failed;
  };
  std::size_t most = 0;
  for (int i = 0; i < 600; ++i) {
    t.runFor(seconds(1));
    const std::size_t now = failAll();
    if (i > 300) most = std::max(most, now);
  }
  EXPECT_GT(most, 0u);
  EXPECT_LE(most, std::size_t{kCount / 20}) << "in one second";
}

TEST(Registration, WaitsAsLongAsRetryAfterSaysWithinReason) {
  RegistrationFixture t;
  t.establish(100);
  t.runFor(seconds(60));
  const auto refresh = t.request(Method::Register);
  Response busy = t.makeReply(refresh, 503);
  busy.retryAfter = 120;
  t.handle(ResponseReceived{refresh.id, busy});
  t.runFor(seconds(119));
  EXPECT_TRUE(t.requests.empty());
  t.runFor(seconds(2));
  Response absurd = t.makeReply(t.request(Method::Register), 503);
  absurd.retryAfter = 4000000000u;
  t.handle(ResponseReceived{ClientTransactionId{3}, absurd});
  t.runFor(std::chrono::hours(1));
  t.request(Method::Register);
}

TEST(Registration, IsRemovedWithExpiresZero) {
  RegistrationFixture t;
  t.establish();
  ASSERT_TRUE(t.agent.unregister(t.now, t.id));
  const auto bye = t.request(Method::Register);
  EXPECT_EQ(bye.request.expires, 0u);
  EXPECT_EQ(test::parameterOf({.parameters = bye.request.contacts[0].parameters}, "expires"), "0");
  t.challenge(bye, 401, "n9");
  t.respond(t.request(Method::Register), 200);
  EXPECT_EQ(t.event<RegistrationEnded>().id, t.id);
  EXPECT_EQ(t.agent.registrationCount(), 0u);
}

TEST(Registration, EndsThoughTheServerNeverAnswersTheRemoval) {
  RegistrationFixture t;
  t.establish();
  ASSERT_TRUE(t.agent.unregister(t.now, t.id));
  t.runFor(seconds(40));
  t.event<RegistrationEnded>();
  EXPECT_FALSE(t.agent.nextTimeout());
}

TEST(Registration, RemovedWhileAskingWaitsForTheAnswerFirst) {
  RegistrationFixture t;
  const auto first = t.start();
  ASSERT_TRUE(t.agent.unregister(t.now, t.id));
  EXPECT_TRUE(t.silent());
  t.grant(first, 600);
  EXPECT_EQ(t.count<RegistrationSucceeded>(), 0u);
  t.respond(t.request(Method::Register), 200);
  t.event<RegistrationEnded>();
}

TEST(Registration, RemovedWhileAskingAndRefusedJustEnds) {
  RegistrationFixture t;
  const auto first = t.start();
  ASSERT_TRUE(t.agent.unregister(t.now, t.id));
  t.respond(first, 403);
  t.event<RegistrationEnded>();
  EXPECT_EQ(t.count<RegistrationFailed>(), 0u);
  EXPECT_EQ(t.agent.registrationCount(), 0u);
}

TEST(Registration, SigningInAgainContinuesTheSequenceOfTheRemoval) {
  RegistrationFixture t;
  t.establish();
  ASSERT_TRUE(t.agent.unregister(t.now, t.id));
  const auto removal = t.request(Method::Register);
  const auto old = t.id;
  const auto again = t.start();
  EXPECT_EQ(t.event<RegistrationEnded>().id, old);
  EXPECT_EQ(again.request.callId, removal.request.callId);
  EXPECT_GT(again.request.cseq, removal.request.cseq);
  t.respond(removal, 200);
  EXPECT_TRUE(t.silent()) << "the answer to the removal is nobody's any more";
}

TEST(Registration, ForgottenIsSilentForEver) {
  RegistrationFixture t;
  t.establish();
  ASSERT_TRUE(t.agent.forget(t.id));
  t.runFor(std::chrono::hours(2));
  EXPECT_TRUE(t.silent());
  EXPECT_EQ(t.agent.registrationCount(), 0u);
}

TEST(Registration, OfManyUsersAreRefreshedSpreadOut) {
  RegistrationFixture t;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(t.agent.registerUser(t.now, std::to_string(i), {}, {}, seconds(3600)));
    t.grant(t.request(Method::Register), 3600);
  }
  t.runFor(seconds(3000));
  const auto early = t.requests.size();
  EXPECT_GT(early, 10u);
  EXPECT_LT(early, 90u);
  t.runFor(seconds(560));
  EXPECT_GE(t.requests.size(), 100u);
}

TEST(Registration, OneTooManyIsRefusedAndCounted) {
  Config config = test::defaultConfig();
  config.limits.registrations = 1;
  AgentFixture t(config);
  ASSERT_TRUE(t.agent.registerUser(t.now, "1", {}, {}, seconds(60)));
  EXPECT_EQ(t.agent.registerUser(t.now, "2", {}, {}, seconds(60)).error(), CommandError::TooMany);
  EXPECT_EQ(t.agent.counters().registrationsRefusedByLimit, 1u);
  EXPECT_EQ(t.agent.registerUser(t.now, "", {}, {}, seconds(60)).error(), CommandError::BadParameter);
  EXPECT_EQ(t.agent.registerUser(t.now, std::string(300, 'x'), {}, {}, seconds(60)).error(),
            CommandError::BadParameter);
}

}  // namespace
}  // namespace crosspoint::sip
