// For tests: a transaction layer and a network between two user agents, in virtual time, that loses, delays and
// reorders; every message that leaves an agent is checked (agent_rules.h).
#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>
#include <string>

#include "core/sip/agent_fixture.h"
#include "core/sip/agent_rules.h"

namespace crosspoint::sip::test {

struct NetworkFaults {
  unsigned lossPercent = 0, challengePercent = 0, redirectPercent = 0;
  Duration delayMax = std::chrono::milliseconds(50);
};

class AgentNetwork {
 public:
  struct Side {
    explicit Side(Config config, Random& random) : agent(std::move(config), random, kStart) {}
    UserAgent agent;
    RuleChecker rules;
  };

  AgentNetwork(std::uint64_t seed, NetworkFaults itsFaults)
      : random(seed), faults(itsFaults), sides{Side(sideConfig(0), random), Side(sideConfig(1), random)} {}

  // Called for every event, with the number of the side.
  std::function<void(int, const Event&)> onEvent;

  void after(Duration delay, std::function<void()> action) { schedule_.emplace(now + delay, std::move(action)); }
  void drain() {
    for (int side : {0, 1}) {
      while (auto output = sides[side].agent.pollOutput()) {
        if (const auto* event = std::get_if<Event>(&*output)) {
          onEvent(side, *event);
        } else {
          const auto& outgoing = std::get<Outgoing>(*output);
          sides[side].rules.check(outgoing);
          std::visit([&](const auto& what) { carry(side, what); }, outgoing);
        }
      }
    }
  }
  void runUntil(TimePoint end) {
    drain();
    for (auto next = nextEvent(); next && *next <= end; next = nextEvent()) {
      now = std::max(now, *next);
      while (!schedule_.empty() && schedule_.begin()->first <= now) {
        auto action = std::move(schedule_.begin()->second);
        schedule_.erase(schedule_.begin());
        action();
        drain();
      }
      for (auto& side : sides) side.agent.handleTimeout(now);
      drain();
    }
    now = std::max(now, end);
  }

  crosspoint::test::SeededRandom random;
  TimePoint now = kStart;
  NetworkFaults faults;  // may be changed at any time

 private:
  struct Transaction {
    int client = 0, server = 0;
    ClientTransactionId clientId{};
    TimePoint sentAt{};
    bool finalSent = false, acknowledged = false;
    Response answer;
  };

  static Config sideConfig(int side) {
    Config config = defaultConfig();
    config.contact.host = side == 0 ? "192.0.2.1" : "192.0.2.2";
    config.tagPrefix = side == 0 ? "a" : "b";
    config.sessionExpires = std::chrono::seconds(side == 0 ? 90 : 150);  // one of them too short for the other
    config.minSe = std::chrono::seconds(side == 0 ? 90 : 120);
    return config;
  }
  bool percent(unsigned chance) { return random.below(100) < chance; }
  Duration delay() { return Duration(random.below(static_cast<std::uint64_t>(faults.delayMax.count()) + 1)); }
  std::optional<TimePoint> nextEvent() const {
    auto next = earlier(sides[0].agent.nextTimeout(), sides[1].agent.nextTimeout());
    if (!schedule_.empty()) next = earlier(next, schedule_.begin()->first);
    return next;
  }
  // Whose dialog a request names: by To tag, or by Replaces. One of neither is for the other side.
  static int sideOf(int from, const Request& request) {
    const std::string& tag = request.to.tag.empty() && request.replaces ? request.replaces->toTag : request.to.tag;
    if (tag.starts_with('a')) return 0;
    return tag.starts_with('b') ? 1 : 1 - from;
  }
  void deliver(int side, Incoming incoming) {
    after(delay(), [this, side, incoming = std::move(incoming)] {
      if (const auto* response = std::get_if<ResponseReceived>(&incoming)) {
        sides[side].rules.responseReceived(response->id, response->response);
      }
      if (const auto* request = std::get_if<RequestReceived>(&incoming)) sides[side].rules.requestReceived(*request);
      sides[side].agent.handle(now, incoming);
    });
  }
  void failLater(int side, ClientTransactionId id, TimePoint sentAt) {
    after(sentAt + std::chrono::seconds(32) - now, [this, side, id] {
      sides[side].rules.failed(id);
      sides[side].agent.handle(now, TransactionFailed{id, TransactionFailed::Cause::Timeout});
    });
  }

  void carry(int side, const SendRequest& sent) {
    if (percent(faults.lossPercent)) return failLater(side, sent.id, now);
    if (sent.request.authorizations.empty() && percent(faults.challengePercent)) {
      Response challenge = makeResponse(sent.request, 407, "proxy");
      challenge.challenges = {AgentFixture::digestChallenge("n" + std::to_string(random.below(1000)), true)};
      return deliver(side, ResponseReceived{sent.id, challenge});
    }
    if (sent.request.method == Method::Invite && sent.request.to.tag.empty() && percent(faults.redirectPercent)) {
      return deliver(side, ResponseReceived{sent.id, redirection(sent.request)});
    }
    const ServerTransactionId id{++lastServerTransaction_};
    const int server = sideOf(side, sent.request);
    transactions_[id] = {.client = side, .server = server, .clientId = sent.id, .sentAt = now};
    byClient_[{side, sent.id}] = id;
    if (sent.request.method == Method::Invite && !percent(30)) {
      deliver(side, ResponseReceived{sent.id, makeResponse(sent.request, 100, "")});
    }
    deliver(server, RequestReceived{id, sent.request, {}});
  }
  // To a few of a few addresses: now and then in a circle, or to nowhere.
  Response redirection(const Request& invite) {
    Response response = makeResponse(invite, 302, "proxy");
    for (auto left = random.below(4); left > 0; --left) {
      response.contacts.push_back(address("sip:r" + std::to_string(random.below(8)) + "@example.test"));
      response.contacts.back().parameters.push_back({"q", "0." + std::to_string(random.below(10))});
    }
    return response;
  }
  void carry(int side, const SendAck& sent) {
    if (percent(faults.lossPercent)) return;
    for (auto& [id, transaction] : transactions_) {  // the 2xx is not repeated any more
      if (transaction.client == side && transaction.answer.callId == sent.request.callId &&
          transaction.answer.cseq == sent.request.cseq) {
        transaction.acknowledged = true;
      }
    }
    deliver(sideOf(side, sent.request), AckReceived{sent.request});
  }
  void carry(int side, const CancelRequest& sent) {
    if (percent(faults.lossPercent)) return;
    after(delay(), [this, side, sent] {
      const auto found = byClient_.find({side, sent.id});
      if (found == byClient_.end() || transactions_[found->second].finalSent) return;
      sides[transactions_[found->second].server].agent.handle(now, CancelReceived{found->second, sent.reasons});
    });
  }
  void carry(int, const SendResponse& sent) {
    auto& transaction = transactions_[sent.id];
    const bool final = sent.response.status >= 200;
    const bool repeated = final && sent.response.status < 300 && sent.response.method == Method::Invite;
    transaction.finalSent |= final;
    transaction.answer = sent.response;
    const bool lost = percent(faults.lossPercent);
    if (!lost) deliver(transaction.client, ResponseReceived{transaction.clientId, sent.response});
    if (lost && final && sent.response.method != Method::Invite) {
      failLater(transaction.client, transaction.clientId, transaction.sentAt);
    }
    if (repeated) repeat(sent.id, now + std::chrono::seconds(30));
  }
  void repeat(ServerTransactionId id, TimePoint end) {
    after(std::chrono::seconds(1), [this, id, end] {
      auto& transaction = transactions_[id];
      if (transaction.acknowledged || now > end) return;
      if (!percent(faults.lossPercent))
        deliver(transaction.client, ResponseReceived{transaction.clientId, transaction.answer});
      repeat(id, end);
    });
  }

  std::multimap<TimePoint, std::function<void()>> schedule_;
  std::map<ServerTransactionId, Transaction> transactions_;
  std::map<std::pair<int, ClientTransactionId>, ServerTransactionId> byClient_;
  std::uint64_t lastServerTransaction_ = 0;

 public:
  std::array<Side, 2> sides;
};

}  // namespace crosspoint::sip::test
