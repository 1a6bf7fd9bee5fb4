// One gateway worker, many pages and many phones over a bad network in virtual time, driven by one seed.
//
// Checked all along: what pages and the bridge may not do (see Page::fault). Checked at the end: nothing is left over.
#pragma once
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "bridge/bridge.h"
#include "core/dtls/context.h"
#include "tests/sim/network.h"
#include "tests/sim/page.h"
#include "tests/sim/phone.h"
#include "tests/sim/sip_network.h"
#include "tests/sim/web.h"
#include "tests/support/seeded_random.h"

namespace crosspoint::sim {

inline constexpr std::chrono::seconds kRegisterExpires{60};
inline const std::string kGroup = "7000";     // rings at two phones
inline const std::string kBigGroup = "7001";  // rings at several, of every temper

class World {
 public:
  struct Config {
    std::uint64_t seed = 1;
    std::size_t pages = 40;
    std::size_t phones = 60;
    std::size_t calls = 1000;
    Weather weather;
    unsigned sipLostPermille = 5;
    unsigned httpLostPermille = 20;
    bool trace = false;
  };
  struct Statistics {
    bridge::Counters gateway;
    Line::Counters lines;  // of all pages
    Web::Counters web;
    Page::Counters pages;
    Phone::Counters phones;
    SipNetwork::Counters sip;
    std::uint64_t packetsAtPages = 0, packetsAtPhones = 0, talksChecked = 0;
  };
  struct Result {
    std::string fault;  // empty: all is well
    std::uint64_t step = 0;
    Duration time{};
    std::size_t callsStarted = 0;
    Statistics statistics;
  };

  explicit World(const Config& config);
  ~World();
  Result run();

 private:
  class Ports;
  class Sink;
  class Journal;

  void makePages();
  void makePhones();
  void drain();
  std::size_t openPortPairs() const;
  void act(Page& page);
  void actIdle(Page& page);
  void actInCall(Page& page);
  void actOnLine(Page& page);
  void actByPhone(Phone& phone, const std::string& page);
  void transferByPage(Page& page);
  Phone& anyPhone() { return *phones_[random_.below(phones_.size())]; }
  Page& anyPage() { return *pages_[random_.below(pages_.size())]; }
  std::string anybody();
  Phone* farEnd(const Page& page);
  void startCall(Page& page);
  bool spin(Duration time);
  std::string checkLeftovers();
  // Two ends of one call that have both been at rest for a while and want to talk must hear each other.
  std::string checkTalk();
  std::string checkTalk(const Page& page);
  bool isSureOfPeer(const Page& page) const;
  // Who is signed in is registered, soon after the SIP server has come back too.
  std::string checkRegistrations() const;
  void restartServer();
  Statistics statistics() const;

  const Config config_;
  test::SeededRandom random_, bridgeRandom_;
  Clock clock_;
  Network network_;
  SipNetwork sip_;
  Web web_;
  std::unique_ptr<dtls::Context> dtls_, otherDtls_;
  std::unique_ptr<Ports> ports_;
  std::unique_ptr<Sink> sink_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<bridge::Bridge> bridge_;
  std::unique_ptr<Timer> bridgeTimer_;
  std::vector<std::unique_ptr<Page>> pages_;
  std::vector<std::unique_ptr<Phone>> phones_;
  std::size_t started_ = 0;
  bool closing_ = false;
  std::string fault_;
  ::testing::TestPartResultArray rulesBroken_;  // what the checkers of SIP messages have found
  std::uint64_t talksChecked_ = 0;
};

}  // namespace crosspoint::sim
