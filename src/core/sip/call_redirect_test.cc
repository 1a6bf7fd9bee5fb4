// An INVITE that is answered with 3xx goes on, as part of the same call (RFC 3261 §8.1.3.4).
#include <gtest/gtest.h>

#include "core/sip/agent_fixture.h"

namespace crosspoint::sip {
namespace {

using std::chrono::seconds;
using test::CallFixture;

NameAddr contact(std::string_view uri, std::string q = {}) {
  NameAddr contact = test::address(uri);
  if (!q.empty()) contact.parameters.push_back({"q", std::move(q)});
  return contact;
}

struct RedirectFixture : CallFixture {
  explicit RedirectFixture(Config config = test::defaultConfig()) : CallFixture(std::move(config)) {}

  void redirect(const SendRequest& sent, std::vector<NameAddr> contacts, int status = 302) {
    Response response = makeReply(sent, status);
    response.contacts = std::move(contacts);
    handle(ResponseReceived{sent.id, std::move(response)});
  }
  // To an address per number.
  void redirect(const SendRequest& sent, int number) {
    redirect(sent, {contact("sip:r" + std::to_string(number) + "@example.test")});
  }
};

TEST(Redirect, GoesToTheContactAsTheSameCallByWayOfTheServer) {
  RedirectFixture t;
  const auto first = t.startCall();
  t.redirect(first, {contact("sip:1099@198.51.100.99:5099?Subject=x")});
  const auto second = t.request(Method::Invite);
  EXPECT_EQ(second.request.uri.toString(), "sip:1099@198.51.100.99:5099");
  EXPECT_EQ(second.request.callId, first.request.callId);
  EXPECT_EQ(second.request.from, first.request.from);
  EXPECT_EQ(second.request.to, first.request.to);
  EXPECT_EQ(second.request.cseq, first.request.cseq + 1);
  EXPECT_EQ(second.request.body, first.request.body);
  EXPECT_EQ(second.destination, test::defaultConfig().server);
  EXPECT_TRUE(t.events.empty());
  t.respond(second, 180, "new");
  t.event<Ringing>();
  t.respond(second, 200, "new", "answer");
  EXPECT_EQ(t.event<Answered>().sdp, "answer");
  EXPECT_EQ(t.ack().request.cseq, second.request.cseq);
  EXPECT_EQ(t.agent.counters().redirects, 1u);
}

TEST(Redirect, ContactsAreTriedInTheOrderOfTheirQuality) {
  RedirectFixture t;
  t.redirect(t.startCall(),
             {contact("sip:low@example.test", "0.2"), contact("sip:none@example.test"),
              contact("sip:high@example.test", "0.75"), contact("sip:odd@example.test", "0.x")},
             300);
  for (const char* user : {"none", "odd", "high", "low"}) {
    const auto invite = t.request(Method::Invite);
    EXPECT_EQ(invite.request.uri.user, user);
    t.respond(invite, std::string(user) == "low" ? 486 : 480);
  }
  const auto ended = t.event<Ended>();
  EXPECT_EQ(ended.status, 486) << "the last one's";
  EXPECT_EQ(ended.redirectTo.size(), 4u);
  t.expectNothingLeftAfter(seconds(0));
}

TEST(Redirect, IsFollowedAFewTimesOnly) {
  RedirectFixture t;
  auto invite = t.startCall();
  for (int i = 0; i < 5; ++i) {
    t.redirect(invite, i);
    invite = t.request(Method::Invite);
  }
  t.redirect(invite, 5);
  const auto ended = t.event<Ended>();
  EXPECT_EQ(ended.status, 302);
  ASSERT_EQ(ended.redirectTo.size(), 1u);
  EXPECT_EQ(ended.redirectTo[0].uri.user, "r5");
  EXPECT_TRUE(t.requests.empty());
}

TEST(Redirect, ALoopEndsTheCall) {
  RedirectFixture t;
  t.redirect(t.startCall(), {contact("sip:1021@EXAMPLE.test"), contact("sip:1022@example.test")});
  const auto second = t.request(Method::Invite);
  EXPECT_EQ(second.request.uri.user, "1022") << "the first contact is where it came from";
  t.redirect(second, {contact("sip:1021@example.test"), contact("sip:1022@example.test")});
  EXPECT_EQ(t.event<Ended>().status, 302);
  t.expectNothingLeftAfter(seconds(0));
}

TEST(Redirect, AContactThatFailsGivesWayToTheNextExceptAfterA6xx) {
  for (const auto& [status, goesOn] : {std::pair{404, true}, {503, true}, {603, false}}) {
    RedirectFixture t;
    t.redirect(t.startCall(), {contact("sip:a@example.test"), contact("sip:b@example.test")});
    t.respond(t.request(Method::Invite), status);
    EXPECT_EQ(t.count<Ended>(), goesOn ? 0u : 1u);
    EXPECT_EQ(t.requests.size(), goesOn ? 1u : 0u);
  }
}

TEST(Redirect, AContactThatNeverAnswersGivesWayToTheNext) {
  RedirectFixture t;
  t.redirect(t.startCall(), {contact("sip:a@example.test"), contact("sip:b@example.test")});
  t.request(Method::Invite);
  t.runFor(seconds(35));
  EXPECT_EQ(t.request(Method::Invite).request.uri.user, "b");
}

TEST(Redirect, AFirstRefusalIsNoRedirection) {
  RedirectFixture t;
  t.respond(t.startCall(), 404);
  EXPECT_EQ(t.event<Ended>().status, 404);
}

TEST(Redirect, OtherKindsAreNotFollowed) {
  for (const int status : {305, 380}) {
    RedirectFixture t;
    t.redirect(t.startCall(), {contact("sip:1022@example.test")}, status);
    EXPECT_EQ(t.event<Ended>().redirectTo.size(), 1u);
    EXPECT_TRUE(t.requests.empty());
  }
}

TEST(Redirect, IsLeftToTheOwnerWhereTheConfigurationSaysSo) {
  Config config = test::defaultConfig();
  config.followRedirects = false;
  RedirectFixture t(config);
  t.redirect(t.startCall(), 1);
  EXPECT_EQ(t.event<Ended>().redirectTo.size(), 1u);
  EXPECT_TRUE(t.requests.empty());
}

TEST(Redirect, WithoutAUsableContactEndsTheCall) {
  RedirectFixture t;
  t.redirect(t.startCall(), std::vector<NameAddr>{});
  EXPECT_EQ(t.event<Ended>().status, 302);
  RedirectFixture secure;
  ASSERT_TRUE(secure.agent.invite(secure.now, {.fromUser = "1020", .to = "sips:1021@example.test", .sdp = "offer"}));
  secure.redirect(secure.request(Method::Invite), {contact("sip:1022@example.test")});
  EXPECT_EQ(secure.event<Ended>().status, 302) << "RFC 3261 §8.1.3.4: never from sips to sip";
}

TEST(Redirect, EndsWhenTheOwnerHangsUp) {
  RedirectFixture t;
  const auto first = t.startCall();
  t.respond(first, 180);
  EXPECT_TRUE(t.agent.hangUp(t.now, t.call));
  t.drain();
  EXPECT_EQ(t.cancels.size(), 1u);
  t.redirect(first, 1);
  EXPECT_TRUE(t.requests.empty());
  t.expectNothingLeftAfter(seconds(0));
}

TEST(Redirect, TheNewInviteMayBeChallengedAndCancelled) {
  RedirectFixture t;
  const auto first = t.startCall();
  t.challenge(first, 407, "n1");
  const auto second = t.request(Method::Invite);
  t.redirect(second, 1);
  const auto third = t.request(Method::Invite);
  EXPECT_EQ(third.request.cseq, second.request.cseq + 1);
  t.challenge(third, 407, "n2", true);
  const auto fourth = t.request(Method::Invite);
  EXPECT_EQ(fourth.request.uri.user, "r1");
  EXPECT_EQ(fourth.request.authorizations.size(), 1u);
  t.respond(fourth, 180);
  EXPECT_TRUE(t.agent.hangUp(t.now, t.call));
  t.drain();
  ASSERT_EQ(t.cancels.size(), 1u);
  EXPECT_EQ(t.cancels[0].id, fourth.id);
  t.respond(fourth, 487);
  t.expectNothingLeftAfter(seconds(0));
}

TEST(Redirect, EndsTheEarlyDialogsOfTheInviteBeforeIt) {
  test::UpdateFixture t;
  const auto invite = t.ringReliably();
  t.receive(t.inDialog(Method::Update, "offer"));
  const auto offer = t.event<OfferReceived>();
  Response moved = t.makeReply(invite, 302);
  moved.contacts = {contact("sip:1022@example.test")};
  t.handle(ResponseReceived{invite.id, moved});
  EXPECT_EQ(t.response().response.status, 487) << "the UPDATE that waits for the owner";
  EXPECT_EQ(t.event<OfferWithdrawn>().branch, offer.branch);
  EXPECT_EQ(t.agent.answerOffer(t.now, t.call, "answer", offer.branch).error(), CommandError::WrongState);
  const auto second = t.request(Method::Invite);
  t.respond(second, 200, "new", "answer");
  EXPECT_EQ(t.event<Answered>().sdp, "answer");
}

TEST(Redirect, InsideADialogIsAFailureOfThatRequest) {
  RedirectFixture t;
  t.establishOutgoing();
  EXPECT_TRUE(t.agent.reInvite(t.now, t.call, "new offer"));
  t.redirect(t.request(Method::Invite), 1);
  EXPECT_EQ(t.event<OfferFailed>().status, 302);
  EXPECT_TRUE(t.requests.empty());
}

}  // namespace
}  // namespace crosspoint::sip
