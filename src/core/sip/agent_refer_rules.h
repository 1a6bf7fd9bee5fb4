// For tests: what one agent must keep in the transfers that its far ends ask for and in those that it asks for itself.
// RFC 3515 §2.4, RFC 4488 §4, RFC 6665 §4.2.
#pragma once
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "core/sip/message.h"
#include "core/sip/refer.h"

namespace crosspoint::sip::test {

class ReferRules {
 public:
  void requestReceived(const RequestReceived& received) {
    if (received.request.method == Method::Refer) pending_[received.id] = received.request;
  }
  void responseReceived(ClientTransactionId id, const Response& response) {
    const auto sent = notifies_.find(id);
    if (sent == notifies_.end() || response.status < 300 || response.status == 500) return;
    auto& usage = usages_[sent->second];
    usage.mayBeOver = true;
    usage.repeats += response.status == 401 || response.status == 407;
  }
  void failed(ClientTransactionId id) {
    if (const auto sent = notifies_.find(id); sent != notifies_.end()) usages_[sent->second].mayBeOver = true;
  }

  void check(const SendResponse& sent) {
    const auto found = pending_.find(sent.id);
    if (found == pending_.end() || sent.response.status < 200) return;
    const Request refer = std::move(found->second);
    pending_.erase(found);
    if (sent.response.status >= 300) return;
    ++accepted;
    EXPECT_EQ(sent.response.status, 202);
    EXPECT_EQ(sent.response.contacts.size(), 1u) << "RFC 3515 §2.2";
    auto& usage = usages_[dialogOf(refer.callId, refer.to.tag, refer.from.tag)];
    EXPECT_TRUE(!usage.open || usage.mayBeOver) << "two transfers at once";
    usage = {.open = refer.referSub != false, .numbered = usage.seen, .seen = true, .cseq = refer.cseq};
  }
  void check(const SendRequest& sent) {
    const Request& request = sent.request;
    if (request.method == Method::Refer) checkRefer(request);
    if (request.method == Method::Notify && eventName(request.event) == kReferEvent) checkNotify(sent.id, request);
  }

  std::size_t accepted = 0, refersSent = 0, finalsSent = 0;

 private:
  struct Usage {
    bool open = false, numbered = false, seen = false;
    bool mayBeOver = false;  // a NOTIFY came to nothing: the owner may go on, or not
    int repeats = 0;         // with credentials, still to come
    std::uint32_t cseq = 0;
  };
  static std::string dialogOf(const std::string& callId, const std::string& ours, const std::string& theirs) {
    return callId + '/' + ours + '/' + theirs;
  }
  void checkRefer(const Request& refer) {
    ++refersSent;
    EXPECT_TRUE(refer.referTo && !refer.to.tag.empty());
    EXPECT_EQ(refer.contacts.size(), 1u) << "RFC 3515 §2.2";
    EXPECT_TRUE(referTargetOf(refer).has_value());
  }
  void checkNotify(ClientTransactionId id, const Request& notify) {
    const std::string dialog = dialogOf(notify.callId, notify.from.tag, notify.to.tag);
    auto& usage = usages_[dialog];
    notifies_[id] = dialog;
    EXPECT_TRUE(usage.seen) << "a NOTIFY for nothing";
    EXPECT_EQ(notify.contacts.size(), 1u) << "RFC 6665 §4.2.2";
    EXPECT_TRUE(notify.contentType.starts_with("message/sipfrag")) << "RFC 3515 §2.4.5";
    const auto line = parseSipfrag(notify.body);
    ASSERT_TRUE(line.has_value());
    const bool final = isTerminated(notify.subscriptionState);
    EXPECT_EQ(final, line->status >= 200);
    if (usage.repeats > 0) {  // it may belong to an earlier usage
      --usage.repeats;
      return;
    }
    EXPECT_TRUE(usage.open) << "after the last one, or though none was wanted";
    const auto number = eventId(notify.event);
    EXPECT_TRUE(number ? *number == usage.cseq : !usage.numbered) << "RFC 3515 §2.4.6";
    if (!final) return;
    ++finalsSent;
    usage.open = false;
  }

  std::map<ServerTransactionId, Request> pending_;
  std::map<std::string, Usage> usages_;
  std::map<ClientTransactionId, std::string> notifies_;
};

}  // namespace crosspoint::sip::test
