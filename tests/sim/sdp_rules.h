// The rules of RFC 3264 for every SDP that leaves one agent: what an answer owes to its offer, and a description to the
// one before it in its dialog.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include "core/sdp/sdp.h"
#include "core/sip/message.h"

namespace crosspoint::sim {

// What one end has said in one session. §8: another description has the next version under the same id, and no fewer
// media lines; one of an earlier version is as it was, which is how a session goes on whose change was refused.
class SdpHistory {
 public:
  // What is wrong with it.
  std::optional<std::string> add(const std::string& body) {
    const auto description = sdp::parse(body);
    if (!description || description->sections.empty()) return "unreadable SDP: " + body;
    const std::uint64_t version = description->sessionVersion;
    if (const auto before = said_.find(version); before != said_.end())
      return before->second == body ? std::nullopt : std::optional("the same version again:\n" + before->second + body);
    if (!said_.empty()) {
      const auto& [latest, text] = *said_.rbegin();
      if (version != latest + 1) return "not the next version:\n" + text + body;
      if (description->sessionId != sessionId_) return "another session id:\n" + text + body;
      if (description->sections.size() < sections_) return "fewer media lines:\n" + text + body;
    }
    sessionId_ = description->sessionId;
    sections_ = description->sections.size();
    said_[version] = body;
    return std::nullopt;
  }

 private:
  std::map<std::uint64_t, std::string> said_;  // by version
  std::uint64_t sessionId_ = 0;
  std::size_t sections_ = 0;
};

// §6: a line for a line, formats of the offer, a direction that fits. What is wrong with the answer.
inline std::optional<std::string> faultOfAnswer(const std::string& offerText, const std::string& answerText) {
  const auto offer = sdp::parse(offerText);
  const auto answer = sdp::parse(answerText);
  if (!offer) return std::nullopt;
  const auto fault = [&](const std::string& what) { return what + ":\n" + offerText + answerText; };
  if (!answer || answer->sections.size() != offer->sections.size()) return fault("not a line for a line");
  for (std::size_t i = 0; i < offer->sections.size(); ++i) {
    const auto& asked = offer->sections[i];
    const auto& said = answer->sections[i];
    if (said.media != asked.media || said.protocol != asked.protocol) return fault("another line than the offer's");
    if (asked.refused() && !said.refused()) return fault("a line that the offer had given up");
    if (said.refused()) continue;
    if (said.codecs.empty()) return fault("no format");
    for (const Codec& codec : said.codecs) {
      const bool offered = std::ranges::any_of(asked.codecs, [&](const Codec& one) {
        return one.payloadType == codec.payloadType && one.clockRate == codec.clockRate;
      });
      if (!offered) return fault(codec.name + " was not offered");
    }
    if (sends(said.direction) && !receives(asked.direction)) return fault("it would send to nobody");
    if (receives(said.direction) && !sends(asked.direction)) return fault("it would hear nobody");
  }
  return std::nullopt;
}

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

  void checkSaid(const sip::Message& message, const std::string& localTag) {
    if (message.body.empty()) return;
    const auto fault = said_[message.callId + '/' + localTag].add(message.body);
    EXPECT_FALSE(fault) << fault.value_or("");
  }
  void checkAnswer(const std::string& offer, const std::string& answer) {
    ++answersChecked_;
    const auto fault = faultOfAnswer(offer, answer);
    EXPECT_FALSE(fault) << fault.value_or("");
  }

  std::map<sip::ServerTransactionId, std::string> offers_;
  std::map<std::string, SdpHistory> said_;
  std::uint64_t answersChecked_ = 0;
};

}  // namespace crosspoint::sim
