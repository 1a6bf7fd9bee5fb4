// The rules of RFC 3264 for every SDP that leaves one agent: what an answer owes to its offer, and a description to the
// one before it in its dialog.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "core/sdp/sdp.h"
#include "core/sip/message.h"

namespace crosspoint::sim {

class SdpRules {
 public:
  void received(const sip::RequestReceived& received) {
    if (!received.request.body.empty() && negotiates(received.request.method))
      offers_[received.id] = received.request.body;
  }
  void check(const sip::Outgoing& outgoing) {
    std::visit([this](const auto& what) { checkOne(what); }, outgoing);
  }
  std::uint64_t answersChecked() const { return answersChecked_; }

 private:
  struct Said {
    std::string body;
    SessionDescription description;
  };
  static bool negotiates(sip::Method method) {
    return method == sip::Method::Invite || method == sip::Method::Update || method == sip::Method::Prack;
  }

  void checkOne(const sip::SendRequest& sent) {
    if (negotiates(sent.request.method)) checkSaid(sent.request, sent.request.from.tag);
  }
  void checkOne(const sip::SendAck& sent) { checkSaid(sent.request, sent.request.from.tag); }
  void checkOne(const sip::CancelRequest&) {}
  void checkOne(const sip::SendResponse& sent) {
    const auto offer = offers_.find(sent.id);
    if (negotiates(sent.response.method) && !sent.response.body.empty()) {
      checkSaid(sent.response, sent.response.to.tag);
      if (offer != offers_.end()) checkAnswer(offer->second, sent.response.body);
    }
    if (offer != offers_.end() && sent.response.status >= 200) offers_.erase(offer);
  }

  // §8: another description has the next version under the same id, and no fewer media lines.
  void checkSaid(const sip::Message& message, const std::string& localTag) {
    if (message.body.empty()) return;
    const auto description = sdp::parse(message.body);
    ASSERT_TRUE(description && !description->sections.empty()) << message.body;
    auto& said = said_[message.callId + '/' + localTag];
    if (!said.body.empty() && said.body != message.body) {
      EXPECT_EQ(description->sessionId, said.description.sessionId) << message.body;
      EXPECT_EQ(description->sessionVersion, said.description.sessionVersion + 1) << said.body << message.body;
      EXPECT_GE(description->sections.size(), said.description.sections.size()) << message.body;
    }
    said = {message.body, *description};
  }

  // §6: a line for a line, formats of the offer, a direction that fits.
  void checkAnswer(const std::string& offerText, const std::string& answerText) {
    const auto offer = sdp::parse(offerText);
    const auto answer = sdp::parse(answerText);
    if (!offer) return;
    ++answersChecked_;
    ASSERT_TRUE(answer);
    ASSERT_EQ(answer->sections.size(), offer->sections.size()) << offerText << answerText;
    for (std::size_t i = 0; i < offer->sections.size(); ++i) {
      const auto& asked = offer->sections[i];
      const auto& said = answer->sections[i];
      EXPECT_EQ(said.media, asked.media);
      EXPECT_EQ(said.protocol, asked.protocol);
      if (asked.refused()) {
        EXPECT_TRUE(said.refused());
      }
      if (said.refused()) continue;
      EXPECT_FALSE(said.codecs.empty()) << answerText;
      for (const Codec& codec : said.codecs) {
        EXPECT_TRUE(std::ranges::any_of(
            asked.codecs,
            [&](const Codec& one) { return one.payloadType == codec.payloadType && one.clockRate == codec.clockRate; }))
            << codec.name << " was not offered\n"
            << offerText << answerText;
      }
      EXPECT_TRUE(!sends(said.direction) || receives(asked.direction)) << offerText << answerText;
      EXPECT_TRUE(!receives(said.direction) || sends(asked.direction)) << offerText << answerText;
    }
  }

  std::map<sip::ServerTransactionId, std::string> offers_;
  std::map<std::string, Said> said_;
  std::uint64_t answersChecked_ = 0;
};

}  // namespace crosspoint::sim
