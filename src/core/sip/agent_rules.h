// For tests: the rules that every message which leaves one agent must keep, whatever its far end and its owner do.
// RFC 3261 §8.1.1.5, §9.1, §12.2.1.1, §17.2; RFC 3262 §3, §4; RFC 3264 §4 and RFC 3311 §5.1; RFC 4028 §7, §9.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "core/sip/agent_refer_rules.h"
#include "core/sip/call.h"
#include "core/sip/message.h"

namespace crosspoint::sip::test {

class RuleChecker {
 public:
  void requestReceived(const RequestReceived& received) {
    refers.requestReceived(received);
    served_.insert_or_assign(received.id, Served{.request = received.request});
    if (received.request.method == Method::Prack) markAcknowledged(received.request, true);
  }
  void responseReceived(ClientTransactionId id, const Response& response) {
    refers.responseReceived(id, response);
    auto& sent = sent_[id];
    sent.provisional |= response.status < 200;
    sent.final |= response.status >= 200;
    const bool reliable = response.status < 200 && response.rseq.has_value();
    if (reliable) heard_[keyOf(response, response.to.tag, response.cseq)].insert(*response.rseq);
    // A response before the answer settles the offer in its own dialog only if it is reliable.
    if (sent.final || (reliable && !response.body.empty())) sent.offers = false;
  }
  void failed(ClientTransactionId id) {
    refers.failed(id);
    sent_[id].final = true;
    sent_[id].offers = false;
  }

  void check(const Outgoing& outgoing) {
    std::visit([this](const auto& what) { checkOne(what); }, outgoing);
  }
  std::size_t unansweredRequests() const { return served_.size(); }

  ReferRules refers;

  std::size_t reliableSent = 0, pracksSent = 0, updatesSent = 0, refreshesSent = 0, tooSmallSent = 0;

 private:
  struct Sent {
    bool invite = false, provisional = false, final = false, cancelled = false;
    bool offers = false;  // and waits for the answer
    std::string dialog;
  };
  struct Served {
    Request request;
    std::optional<std::uint32_t> rseq;
    std::string body;  // of the last reliable provisional response
    bool unacknowledged = false;
    bool answeredEarly = false;
  };
  using Key = std::tuple<std::string, std::string, std::uint32_t>;

  static Key keyOf(const Message& message, const std::string& farTag, std::uint32_t cseq) {
    return {message.callId, farTag, cseq};
  }
  static bool negotiates(Method method) {
    return method == Method::Invite || method == Method::Update || method == Method::Prack;
  }
  static bool knows(const Request& request, std::string_view option) {
    return hasOption(request.supported, option) || hasOption(request.require, option);
  }

  // A PRACK came for what waits, or was refused for its CSeq after all.
  void markAcknowledged(const Request& prack, bool acknowledged) {
    if (!prack.rack) return;
    for (auto& [id, served] : served_) {
      const Request& invite = served.request;
      if (invite.method != Method::Invite || invite.callId != prack.callId || invite.cseq != prack.rack->cseq) continue;
      if (invite.from.tag == prack.from.tag && served.rseq == prack.rack->rseq) served.unacknowledged = !acknowledged;
    }
  }

  void checkOne(const SendRequest& sent) {
    refers.check(sent);
    const Request& request = sent.request;
    EXPECT_FALSE(sent_.contains(sent.id)) << "a client transaction twice";
    const std::string dialog = request.callId + '/' + request.from.tag + '/' + request.to.tag;
    auto& last = lastCseq_[dialog];
    EXPECT_GT(request.cseq, last) << dialog;
    last = request.cseq;
    const bool offers = !request.body.empty() && (request.method == Method::Invite || request.method == Method::Update);
    if (offers && !request.to.tag.empty()) checkOfferAllowed(request, dialog);
    sent_[sent.id] = {.invite = request.method == Method::Invite, .offers = offers, .dialog = dialog};
    if (request.method == Method::Prack) checkPrack(request);
    updatesSent += request.method == Method::Update && offers;
    refreshesSent += request.method == Method::Update && !offers;
    if (request.sessionExpires) {
      EXPECT_TRUE(request.method == Method::Invite || request.method == Method::Update);
      EXPECT_TRUE(knows(request, kTimer));
      EXPECT_GE(request.sessionExpires->seconds, request.minSe.value_or(90));
    }
  }
  // RFC 3264 §4: not while an offer is on its way in that dialog, nor while one waits for our answer.
  void checkOfferAllowed(const Request& request, const std::string& dialog) {
    for (const auto& [id, other] : sent_) EXPECT_FALSE(other.offers && other.dialog == dialog) << "two offers of ours";
    for (const auto& [id, served] : served_) {
      const Request& theirs = served.request;
      if (theirs.callId != request.callId || theirs.from.tag != request.to.tag) continue;
      EXPECT_FALSE(negotiates(theirs.method) && !theirs.body.empty() && !served.answeredEarly)
          << "an offer of ours before the answer to theirs";
    }
  }
  void checkPrack(const Request& prack) {
    ++pracksSent;
    ASSERT_TRUE(prack.rack.has_value());
    const Key key = keyOf(prack, prack.to.tag, prack.rack->cseq);
    EXPECT_TRUE(heard_[key].contains(prack.rack->rseq)) << "a PRACK for nothing";
    const auto last = pracked_.try_emplace(key, prack.rack->rseq).first;
    EXPECT_LE(prack.rack->rseq, last->second + 1) << "out of order";  // an older one: again, after a challenge
    last->second = std::max(last->second, prack.rack->rseq);
  }
  void checkOne(const CancelRequest& cancel) {
    auto& sent = sent_[cancel.id];
    EXPECT_TRUE(sent.invite && sent.provisional && !sent.final && !sent.cancelled);
    sent.cancelled = true;
  }
  void checkOne(const SendAck& ack) {
    EXPECT_EQ(ack.request.method, Method::Ack);
    EXPECT_FALSE(ack.destination.host.empty());
  }
  void checkOne(const SendResponse& sent) {
    refers.check(sent);
    const Response& response = sent.response;
    const auto found = served_.find(sent.id);
    ASSERT_NE(found, served_.end()) << "a response after the final one";
    Served& served = found->second;
    EXPECT_TRUE(response.status <= 100 || !response.to.tag.empty());
    if (response.status > 100 && response.status < 200) checkProvisional(served, response);
    checkSession(served.request, response);
    if (response.status < 200) return;
    if (served.request.method == Method::Prack && (response.status == 500 || response.status == 481))
      markAcknowledged(served.request, false);
    if (response.status < 300 && served.request.method == Method::Invite) {
      EXPECT_FALSE(served.unacknowledged && !served.body.empty()) << "RFC 3262 §3: the 2xx waits for the PRACK";
    } else if (response.status < 300 && served.request.method == Method::Update) {
      EXPECT_EQ(response.body.empty(), served.request.body.empty()) << "an offer gets its answer in the 2xx";
    }
    served_.erase(found);
  }
  void checkProvisional(Served& served, const Response& response) {
    if (!response.rseq) {
      EXPECT_FALSE(hasOption(served.request.require, kReliable)) << "the caller insists on reliable ones";
      return;
    }
    EXPECT_EQ(served.request.method, Method::Invite);
    EXPECT_TRUE(knows(served.request, kReliable)) << "the caller does not know them";
    EXPECT_TRUE(hasOption(response.require, kReliable));
    if (served.rseq == response.rseq) {
      EXPECT_TRUE(served.unacknowledged) << "repeated after its PRACK";
      EXPECT_EQ(served.body, response.body);
      return;
    }
    ++reliableSent;
    EXPECT_FALSE(served.unacknowledged) << "two at once";
    EXPECT_TRUE(!served.rseq || *response.rseq == *served.rseq + 1);
    EXPECT_TRUE(*response.rseq > 0 && *response.rseq < 0x80000000);
    served.rseq = response.rseq;
    served.body = response.body;
    served.unacknowledged = true;
    served.answeredEarly |= !response.body.empty();
  }
  void checkSession(const Request& request, const Response& response) {
    if (response.status == 422) {
      ++tooSmallSent;
      EXPECT_TRUE(response.minSe && request.sessionExpires && knows(request, kTimer));
      EXPECT_GT(response.minSe.value_or(0), request.sessionExpires->seconds);
    }
    if (!response.sessionExpires) return;
    EXPECT_TRUE(response.status / 100 == 2);
    EXPECT_TRUE(request.method == Method::Invite || request.method == Method::Update);
    EXPECT_NE(response.sessionExpires->refresher, SessionExpires::Refresher::None);
    if (request.sessionExpires) {
      EXPECT_LE(response.sessionExpires->seconds, request.sessionExpires->seconds);
    }
    EXPECT_GE(response.sessionExpires->seconds, request.minSe.value_or(90));
    if (response.sessionExpires->refresher == SessionExpires::Refresher::Uac) {
      EXPECT_TRUE(hasOption(response.require, kTimer) && knows(request, kTimer));
    }
  }

  std::map<ClientTransactionId, Sent> sent_;
  std::map<ServerTransactionId, Served> served_;
  std::map<std::string, std::uint32_t> lastCseq_;
  std::map<Key, std::set<std::uint32_t>> heard_;
  std::map<Key, std::uint32_t> pracked_;
};

}  // namespace crosspoint::sip::test
