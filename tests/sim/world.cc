#include "tests/sim/world.h"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

namespace crosspoint::sim {

bool World::spin(Duration time) {
  const TimePoint end = clock_.now() + time;
  while (clock_.step(end)) {
    if (clock_.steps() % 1024 != 0) continue;
    for (const auto& page : pages_) {
      if (fault_.empty()) fault_ = page->fault();
      if (fault_.empty() && page->waitsForOk(std::chrono::seconds(60)))
        fault_ = page->user() + " gets no OK for its ANSWER";
    }
    for (auto& phone : phones_)
      if (fault_.empty()) fault_ = phone->fault();
    if (fault_.empty()) fault_ = checkTalk();
    if (fault_.empty()) fault_ = checkRegistrations();
    if (fault_.empty()) fault_ = sip_.fault();
    if (fault_.empty() && rulesBroken_.size() > 0)
      fault_ = std::string("a SIP message broke a rule: ") + rulesBroken_.GetTestPartResult(0).message();
    if (!fault_.empty()) return false;
  }
  return true;
}

std::string World::checkTalk(const Page& page) {
  constexpr Duration kRest = std::chrono::seconds(12);  // ICE, DTLS and a retransmission or two
  constexpr Duration kHeard = std::chrono::seconds(4);
  const auto fault = [](const std::string& who, const std::string& whom) { return who + " does not hear " + whom; };
  if (!page.talksSince(kRest)) return {};
  if (page.peer() == "self") {
    ++talksChecked_;
    if (!page.hearsWithin(kHeard)) return fault(page.user(), "itself");
  }
  for (const auto& phone : phones_) {
    const PhoneCall* call = phone->user() == page.peer() ? phone->talksWith(page.user(), kRest) : nullptr;
    if (call == nullptr) continue;
    ++talksChecked_;
    if (!page.hearsWithin(kHeard)) return fault(page.user(), phone->user());
    if (!call->hearsWithin(kHeard)) return fault(phone->user(), page.user());
  }
  for (const auto& other : pages_) {
    if (other->user() == page.user() || other->user() != page.peer() || other->peer() != page.user() ||
        !other->talksSince(kRest) || !isSureOfPeer(page) || !isSureOfPeer(*other))
      continue;
    ++talksChecked_;
    if (!page.hearsWithin(kHeard)) return fault(page.user(), other->user());
  }
  return {};
}

// One in the field is not told its dialog.
bool World::isSureOfPeer(const Page& page) const {
  const std::string callId = page.dialog().substr(0, page.dialog().find(';'));
  return callId.empty() ? !sip_.byeOfUserWasLost(page.user()) : !sip_.byeWasLost(callId) && !sip_.wasDiverted(callId);
}

std::string World::checkTalk() {
  for (const auto& page : pages_) {
    if (auto fault = checkTalk(*page); !fault.empty()) return fault;
  }
  return {};
}

std::string World::checkRegistrations() const {
  constexpr Duration kRecovered = 2 * kRegisterExpires + std::chrono::seconds(80);  // one attempt may be lost
  if (!sip_.availableSince(kRecovered)) return {};
  for (const auto& page : pages_) {
    if (page->signedInSince(kRecovered) && !sip_.isRegistered(page->user()))
      return page->user() + " is signed in and not registered";
  }
  return {};
}

std::string World::checkLeftovers() {
  const auto counters = bridge_->counters();
  if (counters.calls != 0) return std::to_string(counters.calls) + " calls are left";
  if (counters.sessions != 0) return std::to_string(counters.sessions) + " sessions are left";
  if (openPortPairs() != 0) return std::to_string(openPortPairs()) + " RTP port pairs are left open";
  if (!bridge_->idle()) return "the SIP user agent still holds calls or registrations";
  if (counters.callsStarted != counters.callsEnded) return "not every call has ended";
  for (const auto& phone : phones_) {
    if (!phone->idle() || phone->leftovers() != 0) return "phone " + phone->user() + " still has a call";
  }
  for (const auto& page : pages_) {
    if (page->state() != Page::State::Out && page->state() != Page::State::Idle)
      return "page " + page->user() + " is stuck in a call";
  }
  return {};
}

World::Result World::run() {
  const ::testing::ScopedFakeTestPartResultReporter reporter(
      ::testing::ScopedFakeTestPartResultReporter::INTERCEPT_ALL_THREADS, &rulesBroken_);
  for (const auto& page : pages_) {
    clock_.after(std::chrono::milliseconds(random_.below(5000)), [this, &page = *page] { act(page); });
  }
  clock_.after(std::chrono::seconds(60), [this] { restartServer(); });
  bool well = true;
  while (well && started_ < config_.calls) well = spin(std::chrono::seconds(10));
  if (well) well = spin(std::chrono::seconds(20));
  closing_ = true;
  for (int i = 0; well && i < 20; ++i) {
    for (const auto& phone : phones_) phone->hangUpAll();
    well = spin(std::chrono::seconds(10));
  }
  std::string fault;
  if (well) {
    for (const auto& page : pages_) {
      if (page->state() == Page::State::Ringing || page->state() == Page::State::InCall)
        fault = "page " + page->user() + " is stuck in a call";
      if (page->state() != Page::State::Out) page->signOut();
    }
    well = spin(std::chrono::seconds(300));
  }
  if (fault.empty() && well) fault = checkLeftovers();
  if (fault.empty()) fault = fault_;
  Result result{.fault = fault,
                .step = clock_.steps(),
                .time = clock_.now().time_since_epoch(),
                .callsStarted = started_,
                .statistics = statistics()};
  for (const auto& page : pages_) {
    if (result.fault.empty()) result.fault = page->fault();
  }
  return result;
}

World::Statistics World::statistics() const {
  Statistics sum{
      .gateway = bridge_->counters(), .web = web_.counters(), .sip = sip_.counters(), .talksChecked = talksChecked_};
  const auto add = [](auto& total, const auto& one, auto... members) { ((total.*members += one.*members), ...); };
  for (const auto& page : pages_) {
    using P = Page::Counters;
    using L = Line::Counters;
    add(sum.pages, page->counters(), &P::infos, &P::blindAsked, &P::blindDone, &P::attendedAsked, &P::attendedDone);
    add(sum.lines, page->line().counters(), &L::byPoll, &L::bySocket, &L::posted, &L::sent, &L::repeated, &L::switches,
        &L::resumed, &L::probes);
    sum.packetsAtPages += page->packetsReceived();
  }
  for (const auto& phone : phones_) {
    using P = Phone::Counters;
    add(sum.phones, phone->counters(), &P::infos, &P::refersServed, &P::replacesServed, &P::blindAsked, &P::blindDone,
        &P::attendedAsked, &P::attendedDone, &P::takenOver, &P::lateOffers, &P::earlyUpdates, &P::offersRefused);
    sum.packetsAtPhones += phone->packetsReceived();
  }
  return sum;
}

}  // namespace crosspoint::sim
