// Data that travels with a call: attached to it, and in the middle of it.
#include <gtest/gtest.h>

#include "bridge/attached_data.h"
#include "bridge/bridge_fixture.h"

namespace crosspoint::bridge::test {
namespace {

using Items = std::vector<roap::AttachedItem>;

struct CallDataTest : testing::Test, BridgeWorld {
  static std::string headerOf(const Phone& phone, std::string_view name = "X-Attached-Data") {
    for (const auto& header : phone.headersReceived) {
      if (header.name == name) return header.value;
    }
    return "none";
  }
  // Of the data that has come to the phone in INFO.
  static std::vector<std::string> infosOf(const Phone& phone) {
    std::vector<std::string> bodies;
    for (const auto& info : phone.infos) bodies.push_back(info.body);
    return bodies;
  }
  static void expectError(Page& page, int status, std::string_view reason) {
    ASSERT_EQ(page.list(), "ERROR");
    const auto error = page.take(roap::MessageType::Error);
    EXPECT_EQ(error.errorType, roap::ErrorType::Failed);
    EXPECT_EQ(error.sipStatus, status);
    EXPECT_EQ(error.reason, reason);
  }
};

const Items kHard{{"name", "J\xc3\xbcrgen & Co = 1+1"},
                  {"OFFER", "ERROR {errorType}"},
                  {"lines", "a\r\nVia: evil\r\n\r\nb"},
                  {"", ""}};

TEST_F(CallDataTest, APagesDataGoesIntoTheInviteAndThe200sIntoTheAnswer) {
  Page& caller = signedIn("1001");
  Phone& callee = phone("2001");
  caller.attached = {{"account", "4711"}, {"name", "A & B"}};
  callee.headers = {{"X-Attached-Data", "agent=Maria%20P"}, {"X-Other", "x=y"}};
  callee.onInvite = Phone::OnInvite::Answer;
  caller.call("2001");
  run(500ms);
  EXPECT_EQ(headerOf(callee), "account=4711&name=A%20%26%20B");
  EXPECT_EQ(caller.takeAnswer().attachedData, (Items{{"agent", "Maria P"}}));
}

TEST_F(CallDataTest, AnInvitesDataGoesIntoTheOfferAndThePagesIntoThe200) {
  Page& callee = signedIn("1001");
  Phone& caller = phone("2001");
  caller.headers = {{"x-attached-data", "a=1"}, {"X-Attached-Data", "b=%32"}};
  callee.attached = {{"agent", "Maria"}};
  caller.call("1001");
  run(500ms);
  EXPECT_EQ(callee.answerOffer().attachedData, (Items{{"a", "1"}, {"b", "2"}}));
  run(500ms);
  ASSERT_TRUE(caller.established());
  EXPECT_EQ(headerOf(caller), "agent=Maria");
}

TEST_F(CallDataTest, AnInviteWithoutOfferCarriesDataAllTheSame) {
  Page& callee = signedIn("1001");
  Phone& caller = phone("2001");
  caller.headers = {{"X-Attached-Data", "a=1"}};
  callee.attached = {{"agent", "Maria"}};
  caller.call("1001", false);
  run(500ms);
  callee.call("2001");
  run(500ms);
  EXPECT_EQ(headerOf(caller), "agent=Maria");
  EXPECT_EQ(callee.takeAnswer().attachedData, (Items{{"a", "1"}}));
}

TEST_F(CallDataTest, FromPageToPageItArrivesWholeAndBreaksNothing) {
  Page& caller = signedIn("1001");
  Page& callee = signedIn("1002");
  caller.attached = kHard;
  callee.attached = {{"reply", "\xf0\x9f\x98\x80 OFFER"}};
  caller.call("1002");
  run(500ms);
  EXPECT_EQ(callee.answerOffer().attachedData, kHard);
  run(500ms);
  ASSERT_EQ(caller.list(), "ANSWER");
  EXPECT_EQ(caller.messages.back().body.find("OFFER"), std::string::npos);
  EXPECT_EQ(caller.takeAnswer().attachedData, callee.attached);
  for (const auto& header : lastSent(sip::Method::Invite).extraHeaders)
    EXPECT_EQ(header.value.find_first_of("\r\n "), std::string::npos) << header.value;
}

TEST_F(CallDataTest, TooMuchStaysBehindAndTheCallGoesOn) {
  Page& caller = signedIn("1001");
  Phone& callee = phone("2001");
  caller.attached = {{"k", std::string(kAttachedHeaderBytesMax, 'x')}};
  callee.headers = {{"X-Attached-Data", std::string(kAttachedHeaderBytesMax + 1, 'y')}};
  establish(caller, callee);
  EXPECT_EQ(headerOf(callee), "none");
  EXPECT_EQ(bridge().counters().limitsReached, 2u);
  EXPECT_TRUE(log.has("attached data is too large"));
  expectMediaFlows(caller, callee);
}

TEST_F(CallDataTest, TheHeadersNameIsTheConfiguredOne) {
  config.attachedDataHeader = "X-Customer";
  Page& caller = signedIn("1001");
  Phone& callee = phone("2001");
  caller.attached = {{"a", "1"}};
  callee.headers = {{"X-Attached-Data", "no=1"}, {"X-CUSTOMER", "yes=1"}};
  callee.onInvite = Phone::OnInvite::Answer;
  caller.call("2001");
  run(500ms);
  EXPECT_EQ(headerOf(callee, "X-Customer"), "a=1");
  EXPECT_EQ(headerOf(callee), "none");
  EXPECT_EQ(caller.takeAnswer().attachedData, (Items{{"yes", "1"}}));
}

TEST_F(CallDataTest, ItIsNotRepeatedInLaterOffers) {
  Page& callee = signedIn("1001");
  Phone& caller = phone("2001");
  caller.headers = {{"X-Attached-Data", "a=1"}};
  establish(caller, callee);
  caller.reInvite(Direction::SendOnly);
  run(500ms);
  EXPECT_EQ(callee.answerOffer().attachedData, Items{});
}

TEST_F(CallDataTest, OnlyDataIsShownAsData) {
  const auto [page_, far] = pageTalksToPhone();
  far.info("application/dtmf-relay", "Signal=5\r\nDuration=160");
  far.info("application/media_control+xml", "<x/>");
  far.info("text/plain", "hello");
  far.info("APPLICATION/octet-stream ;charset=x", "a=1");
  far.info("application/x-www-form-urlencoded", "b=2&c=\xff");
  run(500ms);
  EXPECT_EQ(page_.list(), "INFO-PEER INFO-PEER");
  EXPECT_EQ(page_.take("INFO-PEER"), "INFO-PEER a=1");
  EXPECT_EQ(page_.take("INFO-PEER"), "INFO-PEER b=2&c=\xef\xbf\xbd");
}

TEST_F(CallDataTest, DataOfThePageWaitsForTheAnswerInOrder) {
  const auto [caller, callee] = pageCallsPhone();
  caller.post("INFO-PEER first=1");
  caller.post("INFO-MAP second=2");
  run(500ms);
  EXPECT_EQ(callee.infos.size(), 0u);
  callee.answer();
  run(500ms);
  EXPECT_EQ(infosOf(callee), (std::vector<std::string>{"first=1", "second=2"}));
}

TEST_F(CallDataTest, DataOfACalledPageWaitsForItsOwnAnswer) {
  const auto [callee, caller] = phoneCallsPage();
  callee.post("INFO-PEER early=1", "2001");
  run(500ms);
  EXPECT_EQ(caller.infos.size(), 0u);
  callee.answerOffer();
  run(500ms);
  EXPECT_EQ(infosOf(caller), std::vector<std::string>{"early=1"});
}

TEST_F(CallDataTest, WhatIsTooMuchToWaitIsRefusedAndThePageIsTold) {
  const auto [caller, callee] = pageCallsPhone();
  for (int i = 0; i < 17; ++i) caller.post("INFO-PEER n=" + std::to_string(i));
  run(500ms);
  expectError(caller, 503, "The data was not sent: too much of it waits for the answer");
  callee.answer();
  run(500ms);
  EXPECT_EQ(callee.infos.size(), 16u);
}

TEST_F(CallDataTest, WhatIsTooMuchToWaitForItsTurnIsRefusedAndThePageIsTold) {
  const auto [caller, callee] = pageTalksToPhone();
  intercept = [](const std::string&, const sip::SendRequest& sent) { return sent.request.method == sip::Method::Info; };
  for (int i = 0; i < 66; ++i) caller.post("INFO-PEER n=" + std::to_string(i));  // one is on its way, 64 wait
  run(500ms);
  expectError(caller, 503, "The data was not sent: too much of it is on its way");
  expectMediaFlows(caller, callee);
}

TEST_F(CallDataTest, DataThatTheOtherSideRefusesIsReportedAndTheCallGoesOn) {
  const auto [caller, callee] = pageTalksToPhone();
  intercept = [&](const std::string&, const sip::SendRequest& sent) {
    if (sent.request.method != sip::Method::Info) return false;
    respond(sent, 415);
    return true;
  };
  caller.post("INFO-PEER a=1");
  run(500ms);
  expectError(caller, 415, "The other side did not take the data");
  expectMediaFlows(caller, callee);
}

}  // namespace
}  // namespace crosspoint::bridge::test
