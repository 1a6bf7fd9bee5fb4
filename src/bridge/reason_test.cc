// Why a call ended, in every direction. The rows are those of docs/errors.md.
#include "bridge/reason.h"

#include <gtest/gtest.h>

namespace crosspoint::bridge {
namespace {

using call::Cause;
using Phase = sip::CallPhase;

sip::Ended ended(int status, std::string reason = {}, std::uint32_t cause = 0, Phase phase = Phase::Ringing) {
  return {.status = status, .reason = std::move(reason), .cause = cause, .byRemote = true, .phase = phase};
}

struct Expected {
  int status;
  std::uint32_t cause;  // of a Reason header
  roap::ErrorType error;
  std::string sentence;
};

TEST(Reason, EveryRefusalOfACallHasItsTypeItsStatusAndItsSentence) {
  using enum roap::ErrorType;
  const Expected table[] = {
      {302, 0, Refused, "The call was redirected to where it cannot go"},
      {400, 0, Failed, "The SIP server did not understand the call"},
      {401, 0, Refused, "The SIP server did not accept the name or the password for this call"},
      {403, 0, Refused, "The SIP server does not allow this call"},
      {404, 0, Refused, "There is nobody of that name to call"},
      {404, 1, Refused, "There is nobody of that number"},
      {407, 0, Refused, "The SIP server did not accept the name or the password for this call"},
      {408, 0, Timeout, "The called party did not answer"},
      {410, 0, Refused, "The called party is not there any more"},
      {415, 0, Failed, "The called party does not understand the call's description"},
      {480, 0, Refused, "The called party is not available at present"},
      {480, 18, Timeout, "The called party's phone does not respond"},
      {480, 19, Timeout, "The called party did not answer"},
      {480, 20, Refused, "The called party cannot be reached at present"},
      {480, 16, Refused, "The called party is not available at present"},
      {480, 31, Refused, "The called party is not available at present"},
      {482, 0, Failed, "The call went in circles between SIP servers"},
      {484, 0, Refused, "That number is incomplete"},
      {484, 28, Refused, "That number is incomplete or not valid"},
      {486, 0, Refused, "The called party is busy"},
      {480, 17, Refused, "The called party is busy"},
      {487, 0, Refused, "The call was ended before it was answered"},
      {488, 0, Failed, "The called party's phone and this page have no codec in common"},
      {500, 0, Failed, "The SIP server failed"},
      {503, 0, Failed, "The SIP server is overloaded or cannot be reached"},
      {503, 34, Failed, "The lines to the called party are congested"},
      {503, 41, Failed, "The network of the called party failed; a later call may succeed"},
      {502, 27, Failed, "The called party's line is out of order"},
      {504, 0, Failed, "The SIP server had no answer from the next one"},
      {600, 0, Refused, "The called party is busy everywhere"},
      {603, 0, Refused, "The called party declined the call"},
      {603, 21, Refused, "The called party declined the call"},
      {604, 0, Refused, "The called party exists nowhere"},
      {606, 0, Failed, "The called party's phone and this page have no codec in common"},
      {399, 0, Refused, "The call was redirected to where it cannot go"},
      {499, 0, Refused, "The call was refused"},
      {599, 0, Failed, "The SIP server failed"},
      {699, 0, Refused, "The called party refused the call"},
      {486, 999, Refused, "The called party is busy"},
  };
  for (const auto& row : table) {
    const auto reason = reasonFromSip(ended(row.status, std::string(sip::standardReason(row.status)), row.cause), true);
    const auto message = errorMessage(reason);
    EXPECT_EQ(message.errorType, row.error) << row.status << "/" << row.cause;
    EXPECT_EQ(message.sipStatus, row.status) << row.status << "/" << row.cause;
    EXPECT_EQ(message.reason, row.sentence) << row.status << "/" << row.cause;
    EXPECT_FALSE(isPlainEnd(reason));
  }
}

TEST(Reason, TheFarEndsOwnWordsFollowTheSentence) {
  EXPECT_EQ(reasonFromSip(ended(486, "In a meeting"), true).text, "The called party is busy: In a meeting");
  EXPECT_EQ(reasonFromSip(ended(486, "Busy Here"), true).text, "The called party is busy");
  EXPECT_EQ(reasonFromSip(ended(486, ""), true).text, "The called party is busy");
  EXPECT_EQ(reasonFromSip(ended(486, "M\xfcller"), true).text, "The called party is busy: M\xef\xbf\xbdller");
  const auto long_ = reasonFromSip(ended(486, "x" + std::string(300, '\xc3')), true).text;
  EXPECT_EQ(long_.size(), std::string("The called party is busy: ").size() + 1 + 66 * 3);  // whole characters only
}

TEST(Reason, ASilentServerIsNotASilentUser) {
  auto silent = ended(408, "", 0, Phase::Setup);
  silent.byRemote = false;
  const auto reason = reasonFromSip(silent, true);
  EXPECT_EQ(errorMessage(reason).errorType, roap::ErrorType::Failed);
  EXPECT_EQ(reason.text, "The SIP server did not answer");
}

TEST(Reason, AHangUpIsNoErrorAndABreakdownIs) {
  for (const std::uint32_t cause : {0u, 16u, 31u, 17u, 200u, 486u}) {
    EXPECT_TRUE(isPlainEnd(reasonFromSip(ended(0, "", cause, Phase::Established), true))) << cause;
    EXPECT_TRUE(isPlainEnd(reasonFromSip(ended(0, "", cause, Phase::Established), false))) << cause;
  }
  for (const std::uint32_t cause : {27u, 34u, 38u, 41u, 102u, 408u, 503u}) {
    const auto reason = reasonFromSip(ended(0, "trunk down", cause, Phase::Established), true);
    EXPECT_EQ(errorMessage(reason).errorType, roap::ErrorType::Failed) << cause;
    EXPECT_EQ(reason.text, "The call broke off: trunk down");
  }
  EXPECT_EQ(reasonFromSip(ended(481, "", 0, Phase::Established), true).text,
            "The other side knows nothing of the call any more");
  EXPECT_EQ(reasonFromSip(ended(408, "", 0, Phase::Established), true).text, "The other side does not answer any more");
  EXPECT_EQ(reasonFromSip(ended(500, "no ACK", 0, Phase::Established), true).text, "The call broke off: no ACK");
}

TEST(Reason, ACallerThatGivesUpIsNoErrorHoweverItSaysSo) {
  EXPECT_EQ(reasonFromSip(ended(487), false).text, "Cancelled by the caller");
  EXPECT_EQ(reasonFromSip(ended(487, "Call completed elsewhere", 200), false).text, "Answered elsewhere");
  EXPECT_TRUE(isPlainEnd(reasonFromSip(ended(487, "", 200), false)));
}

TEST(Reason, APageThatRefusesIsSaidToSipAsWhatItMeans) {
  EXPECT_EQ(statusToSip(reasonFromPage(roap::ErrorType::Refused)), 603);
  EXPECT_EQ(statusToSip(reasonFromPage(roap::ErrorType::Timeout)), 480);
  EXPECT_EQ(statusToSip(reasonFromPage(roap::ErrorType::NoMatch)), 480);
  EXPECT_EQ(statusToSip(reasonFromPage(roap::ErrorType::Failed)), 488);
}

TEST(Reason, SipHearsAStatusAndWhereItHelpsAReason) {
  EXPECT_EQ(statusToSip({Cause::NoAnswer, 408, "Nobody answered"}), 480);
  EXPECT_EQ(statusToSip({Cause::Refused, 486, "The page is in another call"}), 486);
  EXPECT_EQ(statusToSip({Cause::MediaLost, 0, "The connection to the page was lost"}), 480);
  EXPECT_EQ(phraseToSip({Cause::Refused, 486, "The page is in another call"}), "");
  EXPECT_EQ(phraseToSip({Cause::NoCommonCodec, 488, "No codec"}), "No codec");

  EXPECT_FALSE(reasonToSip({Cause::HungUp, 0, "The page hung up"}));
  EXPECT_FALSE(reasonToSip({Cause::Cancelled, 487, "The page cancelled"}));
  const std::pair<call::Reason, sip::Reason> table[] = {
      {{Cause::NoAnswer, 408, "Nobody answered"}, {"Q.850", 19, "Nobody answered"}},
      {{Cause::MediaLost, 0, "lost"}, {"Q.850", 41, "lost"}},
      {{Cause::SessionGone, 480, "gone"}, {"Q.850", 27, "gone"}},
      {{Cause::Limit, 503, "full"}, {"Q.850", 47, "full"}},
      {{Cause::NoCommonCodec, 488, "none"}, {"SIP", 488, "none"}},
      {{Cause::Failed, 0, "?"}, {"SIP", 500, "?"}},
      {{Cause::HungUp, 503, "The gateway is shutting down"}, {"SIP", 503, "The gateway is shutting down"}},
  };
  for (const auto& [reason, header] : table) EXPECT_EQ(reasonToSip(reason), header) << toText(reason);
}

TEST(Reason, TheLogSaysItInOneLine) {
  EXPECT_EQ(toText(reasonFromSip(ended(486), true)), "refused 486: The called party is busy");
  EXPECT_EQ(toText({Cause::HungUp, 0, ""}), "hung up");
}

}  // namespace
}  // namespace crosspoint::bridge
