// One user agent against a far end that forks and says anything at any time: reliable and plain responses out of order,
// 199, several 2xx, requests in every branch, answers of every kind. The agent keeps its rules and ends its calls.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "core/sip/agent_fixture.h"
#include "core/sip/agent_rules.h"

namespace crosspoint::sip {
namespace {

using std::chrono::milliseconds;
using test::AgentFixture;

class RandomFarEnd {
 public:
  explicit RandomFarEnd(std::uint64_t seed) : dice_(seed), agent_(test::defaultConfig(), dice_, test::kStart) {}

  void run() {
    auto call = agent_.invite(now_, {.fromUser = "1020",
                                     .to = "1021",
                                     .credentials = {.user = "1020", .password = "secret"},
                                     .sdp = below(3) ? std::optional<std::string>("offer") : std::nullopt});
    ASSERT_TRUE(call.has_value());
    call_ = *call;
    drain();
    for (int step = 0; step < 80; ++step) {
      act();
      drain();
    }
    static_cast<void>(agent_.hangUp(now_, call_));
    drain();
    pass(10min);
    EXPECT_EQ(ended_, 1);
    EXPECT_EQ(agent_.callCount(), 0u);
    EXPECT_FALSE(agent_.nextTimeout().has_value());
    EXPECT_EQ(rules_.unansweredRequests(), 0u);
  }
  std::map<std::size_t, int> seen;  // events by kind

 private:
  struct Open {
    SendRequest sent;
    TimePoint at;
    bool rang = false;
  };

  std::uint64_t below(std::uint64_t bound) { return dice_.below(bound); }
  std::string tag() { return std::string(1, static_cast<char>('a' + below(4))); }

  void drain() {
    while (auto output = agent_.pollOutput()) {
      if (const auto* event = std::get_if<Event>(&*output)) {
        EXPECT_EQ(ended_, 0) << "an event after Ended";
        ++seen[event->index()];
        ended_ += std::holds_alternative<Ended>(*event);
        continue;
      }
      const auto& outgoing = std::get<Outgoing>(*output);
      rules_.check(outgoing);
      if (const auto* sent = std::get_if<SendRequest>(&outgoing)) {
        open_[sent->id] = {*sent, now_};
        if (sent->request.method == Method::Invite && sent->request.to.tag.empty()) invite_ = *sent;
      }
    }
  }
  // Time goes on; what nobody has answered for 32 s has failed.
  void pass(Duration duration) {
    const TimePoint end = now_ + duration;
    while (now_ < end) {
      TimePoint next = end;
      for (const auto& [id, open] : open_) {
        if (!open.rang) next = std::min(next, open.at + 32s);
      }
      if (const auto due = agent_.nextTimeout()) next = std::min(next, *due);
      now_ = std::max(now_, next);
      for (auto it = open_.begin(); it != open_.end();) {
        const bool failed = !it->second.rang && it->second.at + 32s <= now_;
        const auto id = it->first;
        it = failed ? open_.erase(it) : std::next(it);
        if (!failed) continue;
        rules_.failed(id);
        agent_.handle(now_, TransactionFailed{id, TransactionFailed::Cause::Timeout});
      }
      agent_.handleTimeout(now_);
      drain();
    }
  }
  void answer(ClientTransactionId id, const Response& response) {
    rules_.responseReceived(id, response);
    agent_.handle(now_, ResponseReceived{id, response});
  }
  void respondToInvite() {
    static constexpr int kStatuses[] = {180, 183, 183, 183, 183, 199, 200, 180, 183, 486};
    const int status = kStatuses[below(std::size(kStatuses))];
    if (status == 486 && below(4) != 0) return;
    Response response = AgentFixture::makeReply(invite_, status, tag(), below(2) ? "sdp" + tag() : "");
    response.allow = {"INVITE", "UPDATE"};
    if (status < 200 && below(3) != 0) {
      response.require = {"100rel"};
      response.rseq = static_cast<std::uint32_t>(1 + below(3));
    }
    if (const auto open = open_.find(invite_.id); open != open_.end()) {
      open->second.rang = true;
      if (status >= 300) open_.erase(open);
    } else if (status >= 300) {
      return;
    }
    answer(invite_.id, response);
  }
  void respondToOther() {
    if (open_.empty()) return;
    auto it = std::next(open_.begin(), static_cast<std::ptrdiff_t>(below(open_.size())));
    if (it->first == invite_.id) return;
    static constexpr int kStatuses[] = {200, 200, 200, 200, 200, 407, 488, 491, 500, 422};
    const SendRequest sent = it->second.sent;
    Response response = AgentFixture::makeReply(sent, kStatuses[below(std::size(kStatuses))], sent.request.to.tag,
                                                below(4) && sent.request.method != Method::Prack ? "sdp" + tag() : "");
    if (response.status == 407) response.challenges = {AgentFixture::digestChallenge("n" + tag(), true)};
    if (response.status == 422) response.minSe = 100 + static_cast<std::uint32_t>(below(3000));
    if (response.status == 500 && below(2)) response.retryAfter = 2;
    open_.erase(it);
    answer(sent.id, response);
  }
  void request() {
    static constexpr Method kMethods[] = {Method::Update, Method::Update, Method::Invite, Method::Prack, Method::Info};
    Request request;
    request.method = kMethods[below(std::size(kMethods))];
    request.uri = *Uri::parse("sip:1020@192.0.2.1:5070");
    const std::string from = tag();
    request.from = test::address("sip:1021@example.test", from);
    request.to = test::address("sip:1020@example.test", invite_.request.from.tag);
    request.callId = invite_.request.callId;
    request.cseq = ++farCseq_[from];
    request.contacts = {test::address("sip:phone@198.51.100.7:5062")};
    if (below(3)) {
      request.contentType = "application/sdp";
      request.body = "sdp" + tag();
    }
    if (request.method == Method::Prack) request.rack = RAck{1, invite_.request.cseq, Method::Invite};
    const RequestReceived received{ServerTransactionId{++lastServed_}, request, {}};
    rules_.requestReceived(received);
    agent_.handle(now_, received);
  }
  void command() {
    const auto branch = static_cast<std::uint32_t>(below(4));
    switch (below(8)) {
      case 0:
      case 1:
      case 2:
        static_cast<void>(agent_.answerOffer(now_, call_, "ours", branch));
        break;
      case 3:
        static_cast<void>(agent_.rejectOffer(now_, call_, 488, branch));
        break;
      case 4:
      case 5:
        static_cast<void>(agent_.update(now_, call_, "ours", branch));
        break;
      default:
        static_cast<void>(agent_.reInvite(now_, call_, below(2) ? std::optional<std::string>("ours") : std::nullopt));
    }
  }
  void act() {
    switch (below(10)) {
      case 0:
      case 1:
      case 2:
        return respondToInvite();
      case 3:
      case 4:
        return respondToOther();
      case 5:
      case 6:
        return request();
      case 7:
        return pass(milliseconds(below(4000)));
      default:
        return command();
    }
  }

  crosspoint::test::SeededRandom dice_;
  TimePoint now_ = test::kStart;
  UserAgent agent_;
  test::RuleChecker rules_;
  CallId call_{};
  int ended_ = 0;
  SendRequest invite_;
  std::map<ClientTransactionId, Open> open_;
  std::map<std::string, std::uint32_t> farCseq_;
  std::uint64_t lastServed_ = 0;
};

TEST(RandomFarEnd, CannotMakeTheAgentBreakARuleOrKeepACall) {
  const char* one = std::getenv("CROSSPOINT_SEED");
  const char* many = std::getenv("CROSSPOINT_SEEDS");
  const std::uint64_t first = one != nullptr ? std::strtoull(one, nullptr, 10) : 1;
  const std::uint64_t last = one != nullptr ? first : many != nullptr ? std::strtoull(many, nullptr, 10) : 1000;
  std::map<std::size_t, int> seen;
  for (std::uint64_t seed = first; seed <= last && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomFarEnd t(seed);
    t.run();
    for (const auto& [kind, count] : t.seen) seen[kind] += count;
  }
  if (one != nullptr || many != nullptr) return;
  const auto kind = [](const Event& event) { return event.index(); };
  for (const Event& event : {Event(Answered{}), Event(EarlyMedia{}), Event(EarlyBranchEnded{}), Event(OfferReceived{}),
                             Event(OfferAnswered{}), Event(OfferFailed{}), Event(OfferWithdrawn{})}) {
    EXPECT_GT(seen[kind(event)], 20) << kind(event);
  }
}

}  // namespace
}  // namespace crosspoint::sip
