#include "core/roap/message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace crosspoint::roap {
namespace {

using testing::HasSubstr;
using testing::Not;

Message parsed(const std::string& json) {
  auto message = parseMessage(json);
  EXPECT_TRUE(message) << message.error().message;
  return message.value_or(Message{});
}

std::string errorOf(const std::string& json) {
  const auto message = parseMessage(json);
  EXPECT_FALSE(message) << json;
  return message ? "" : message.error().message;
}

TEST(ParsePageBody, KnowsEveryBodyThatAPageSends) {
  EXPECT_TRUE(std::holds_alternative<Message>(parsePageBody(R"(RSMP {"messageType":"OK","seq":1})").value()));
  EXPECT_TRUE(std::holds_alternative<Bye>(parsePageBody("BYE").value()));
  EXPECT_TRUE(std::holds_alternative<GetStats>(parsePageBody("GET-STATS\r\n").value()));
  EXPECT_EQ(parsePageBody("INFO-MAP a=1&b=%20 x").value(), PageBody(InfoMap{"a=1&b=%20 x"}));
  EXPECT_EQ(parsePageBody("INFO-PEER a=1").value(), PageBody(InfoPeer{"a=1"}));
  EXPECT_EQ(parsePageBody(R"(TRANSFER {"to":"1022"})").value(), PageBody(Transfer{"1022", ""}));
  EXPECT_EQ(parsePageBody(R"(TRANSFER {"to":1022,"replaces":null})").value(), PageBody(Transfer{"1022", ""}));
  EXPECT_EQ(parsePageBody(R"(TRANSFER {"to":"1022","replaces":"a@b;to-tag=c;from-tag=d"})").value(),
            PageBody(Transfer{"1022", "a@b;to-tag=c;from-tag=d"}));
}

TEST(ParsePageBody, SaysWhatIsWrongWithAnythingElse) {
  for (const char* body : {"", "HELLO", "rsmp {}", "BYEBYE", "INFO-MAP"}) EXPECT_FALSE(parsePageBody(body)) << body;
  EXPECT_EQ(parsePageBody("RSMP nonsense").error().message, "the message is not well-formed JSON");
  EXPECT_FALSE(parsePageBody("INFO-PEER " + std::string(kInfoBytesMax + 1, 'x')));
  EXPECT_EQ(parsePageBody("TRANSFER {}").error().message, "a transfer needs a target");
  EXPECT_FALSE(parsePageBody(R"(TRANSFER {"to":[]})"));
  EXPECT_FALSE(parsePageBody(R"(TRANSFER {"to":")" + std::string(kIdBytesMax + 1, '1') + R"("})"));
  EXPECT_FALSE(parsePageBody(R"(TRANSFER {"to":"1","replaces":")" + std::string(kDialogBytesMax + 1, '1') + R"("})"));
  EXPECT_FALSE(parsePageBody("RSMP " + std::string(kBodyBytesMax, ' ')));
}

TEST(ParseMessage, NamesTheFieldThatIsWrong) {
  EXPECT_EQ(errorOf("[]"), "the message is no JSON object");
  EXPECT_EQ(errorOf("{}"), "messageType is none of OFFER, ANSWER, OK, ERROR and SHUTDOWN");
  EXPECT_THAT(errorOf(R"({"messageType":7})"), HasSubstr("messageType"));
  EXPECT_THAT(errorOf(R"({"messageType":"OFFER","sdp":7})"), HasSubstr("sdp"));
  EXPECT_THAT(errorOf(R"({"messageType":"OFFER","seq":-1})"), HasSubstr("seq"));
  EXPECT_THAT(errorOf(R"({"messageType":"OFFER","seq":1.5})"), HasSubstr("seq"));
  EXPECT_THAT(errorOf(R"({"messageType":"OFFER","tiebreaker":4294967296})"), HasSubstr("tiebreaker"));
  EXPECT_THAT(errorOf(R"({"messageType":"OFFER","Candidates":{}})"), HasSubstr("Candidates"));
  EXPECT_THAT(errorOf(R"({"messageType":"OFFER","Candidates":[7]})"), HasSubstr("Candidates"));
  EXPECT_THAT(errorOf(R"({"messageType":"OFFER","attacheddata":[{"key":[]}]})"), HasSubstr("attacheddata"));
  EXPECT_THAT(errorOf(R"({"messageType":"OFFER","offererSessionId":{}})"), HasSubstr("offererSessionId"));
  EXPECT_THAT(errorOf(R"({"messageType":"OK","x":[[[[[[[[[[]]]]]]]]]]})"), HasSubstr("deep"));
}

TEST(ParseMessage, EveryLimitIsAnError) {
  auto repeated = [](const std::string& head, const std::string& element, std::size_t count) {
    std::string json = head;
    for (std::size_t i = 0; i < count; ++i) json += (i ? "," : "") + element;
    return json + "]}";
  };
  EXPECT_THAT(errorOf(R"({"messageType":"OFFER","sdp":")" + std::string(kSdpBytesMax + 1, 'x') + "\"}"),
              HasSubstr("sdp"));
  EXPECT_THAT(errorOf(repeated(R"({"messageType":"OFFER","Candidates":[)", "{}", kCandidatesMax + 1)),
              HasSubstr("candidates"));
  EXPECT_THAT(errorOf(repeated(R"({"messageType":"OFFER","attacheddata":[)", "{}", kAttachedItemsMax + 1)),
              HasSubstr("attacheddata"));
  EXPECT_THAT(
      errorOf(R"({"messageType":"OFFER","attacheddata":[{"key":")" + std::string(kAttachedBytesMax + 1, 'x') + "\"}]}"),
      HasSubstr("attacheddata"));
  EXPECT_THAT(errorOf(R"({"messageType":"OFFER","offererSessionId":9)" + std::string(kIdBytesMax, '9') + "E99999999}"),
              HasSubstr("offererSessionId"));
  EXPECT_THAT(errorOf(R"({"messageType":"OFFER","offererSessionId":")" + std::string(kIdBytesMax + 1, 'x') + "\"}"),
              HasSubstr("offererSessionId"));
  EXPECT_THAT(errorOf(R"({"messageType":"OFFER","Candidates":[{"candidate":")" +
                      std::string(kCandidateBytesMax + 1, 'x') + "\"}]}"),
              HasSubstr("candidate"));
}

TEST(ParseMessage, IdsAreEchoedAsTheyCame) {
  for (const char* id : {"7", "0.5", "-3", "\"7\"", "\"a-b\"", "null"}) {
    const auto message = parsed(std::string(R"({"messageType":"OK","offererSessionId":)") + id + "}");
    EXPECT_THAT(toJson(message), HasSubstr(std::string("\"offererSessionId\":") + id));
  }
  EXPECT_TRUE(SessionId::number(7).matches(SessionId::text("7")));
  EXPECT_FALSE(SessionId::number(7).matches(SessionId()));
}

TEST(ParseMessage, TakesBothFormsOfCandidates) {
  const auto message = parsed(
      R"({"messageType":"OFFER","sdp":"v=0","Candidates":[
        {"candidate":"candidate:1","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"u"},
        {"sdpMLineIndex":1,"sdpMid":"audio","candidate":"a=candidate:2"},
        {"candidate":"","sdpMLineIndex":0}]})");
  ASSERT_EQ(message.candidates.size(), 2u);
  EXPECT_EQ(message.candidates[0], (CandidateEntry{"candidate:1", 0, "0", "u"}));
  EXPECT_EQ(message.candidates[1], (CandidateEntry{"a=candidate:2", 1, "audio", ""}));
}

TEST(ParseMessage, EmptyStringsAndNullsAreTheSameAsNothing) {
  const auto message =
      parsed(R"({"messageType":"OFFER","sdp":"v=0","seq":"","tiebreaker":null,"attacheddata":"","Candidates":""})");
  EXPECT_FALSE(message.seq);
  EXPECT_FALSE(message.tiebreaker);
  EXPECT_TRUE(message.attachedData.empty());
}

TEST(ParseMessage, NumbersMayComeAsText) {
  const auto message = parsed(R"({"messageType":"OFFER","sdp":"v=0","seq":"12","tiebreaker":429496723.0})");
  EXPECT_EQ(message.seq, 12u);
  EXPECT_EQ(message.tiebreaker, 429496723u);
}

TEST(ParseMessage, AnUnknownErrorTypeCountsAsFailed) {
  EXPECT_EQ(parsed(R"({"messageType":"ERROR","errorType":"SOMETHING"})").errorType, ErrorType::Failed);
  EXPECT_EQ(parsed(R"({"messageType":"ERROR","errorType":"NOMATCH"})").errorType, ErrorType::NoMatch);
}

TEST(ToPage, AnAnswerNeverLooksLikeAnOfferOrAnError) {
  Message answer{.type = MessageType::Answer, .sdp = "v=0\r\ns=OFFER ERROR\r\n"};
  answer.attachedData = {{"SPECIALOFFER", "ERROR errorType"}};
  answer.reason = "OFFEROFFER";
  answer.offererSessionId = SessionId::text("OFFER");
  const auto text = toPage(answer);
  EXPECT_THAT(text, Not(HasSubstr("OFFER")));
  EXPECT_THAT(text, Not(HasSubstr("ERROR")));
  EXPECT_EQ(parsed(text.substr(4)), answer);
}

TEST(ToPage, AnOfferNeverLooksLikeAnError) {
  Message offer{.type = MessageType::Offer, .sdp = "v=0"};
  offer.attachedData = {{"errorType", "ERROR"}};
  const auto text = toPage(offer);
  EXPECT_THAT(text, HasSubstr("OFFER"));
  EXPECT_THAT(text, Not(HasSubstr("ERROR")));
  EXPECT_EQ(parsed(text.substr(4)), offer);
}

TEST(ToPage, AnErrorIsRecognisedByItsTwoWords) {
  Message error{.type = MessageType::Error, .errorType = ErrorType::Refused, .sipStatus = 486, .reason = "Busy Here"};
  EXPECT_EQ(toPage(error),
            R"(SDP {"messageType":"ERROR","offererSessionId":null,"answererSessionId":null,"errorType":"REFUSED",)"
            R"("sipStatus":486,"reason":"Busy Here"})");
}

TEST(ToPage, CandidatesAreAlwaysAnArrayAndAnEntryAlwaysHasAnIndexOrAMid) {
  Message answer{.type = MessageType::Answer, .sdp = "v=0"};
  EXPECT_THAT(toPage(answer), HasSubstr(R"("Candidates":[])"));
  answer.candidates = {{.candidate = "candidate:1"}};
  EXPECT_THAT(toPage(answer), HasSubstr(R"({"candidate":"candidate:1","sdpMLineIndex":0})"));
}

}  // namespace
}  // namespace crosspoint::roap
