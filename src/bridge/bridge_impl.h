// Inside of the bridge: bridge.cc makes, settles and removes calls and is the door; bridge_page.cc takes the pages'
// messages to sessions and calls, bridge_sip.cc the SIP user agent's events, bridge_media.cc the datagrams.
#pragma once
#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "bridge/bridge.h"
#include "bridge/call.h"
#include "bridge/deadlines.h"
#include "bridge/sessions.h"
#include "core/roap/message.h"
#include "core/sip/user_agent.h"
#include "peer/demultiplexer.h"

namespace crosspoint::bridge {

// A peer's name goes into a header and, unencoded, into a query (`spec/signalling.md` §1).
std::string peerName(std::string_view user);

class Bridge::Impl {
 public:
  Impl(const Config&, const Dependencies&, TimePoint now);

  void handlePage(TimePoint now, PageRequest&&);
  void handlePageClosed(TimePoint now, RequestId request) {
    sessions_.handleClosed(now, request);
    settle(now);
  }
  void handlePageDelivered(TimePoint now, RequestId request) {
    sessions_.handleDelivered(now, request);
    settle(now);
  }
  void handleSip(TimePoint now, sip::Incoming&& incoming) {
    agent_.handle(now, std::move(incoming));
    settle(now);
  }
  void handleDatagrams(TimePoint now, std::span<Datagram> batch);
  void handleTimeout(TimePoint now);
  std::optional<TimePoint> nextTimeout();
  std::optional<Output> pollOutput();
  void shutdown(TimePoint now);
  bool idle() const {
    return sessions_.size() == 0 && live_ == 0 && agent_.callCount() == 0 && agent_.registrationCount() == 0;
  }

  Counters counters() const;

 private:
  struct SipSocket {  // which call an RTP or RTCP port belongs to
    CallSlot slot = 0;
    std::uint8_t stream = 0;
    bool used = false;
  };

  void handleMessage(TimePoint now, PageMessage&);
  void handleMessage(TimePoint now, SocketMessage&);
  void take(TimePoint now, Session&, const std::string& to, const std::string& body);
  void handleBody(TimePoint now, Session&, const std::string& to, roap::PageBody&);
  void handleBye(TimePoint now, Session&, const std::string& to);
  void startCall(TimePoint now, Session&, const std::string& to, const roap::Session::OfferReceived&);
  static bool isOfEndedCall(TimePoint now, const Session&, const std::string& to, const roap::Message&);
  void refuseCall(TimePoint now, Session&, roap::ErrorType, std::uint16_t sipStatus, std::string reason);
  void handleOffer(TimePoint now, Session&, const std::string& to, const roap::Session::OfferReceived&);
  void drainRoap(TimePoint now, Session&, const std::string& to);
  void handle(TimePoint now, const sip::Event&);
  void handleIncomingCall(TimePoint now, const sip::IncomingCall&);
  void handleReplacement(TimePoint now, const sip::IncomingCall&);
  void handleReachable(TimePoint now, const sip::ServerReachable&);
  Call* make(TimePoint now, Call::Kind, Session&, std::string peerName, std::string target = {});
  Call* find(sip::CallId);
  // Takes up what the last input has led to, everywhere, until nothing moves any more.
  void settle(TimePoint now);
  void settle(TimePoint now, Call&);
  void claimSockets(const Call&);
  void releaseSockets(const SipLeg&);
  void remove(TimePoint now, Call&);
  bool isIceSocket(SocketId socket) const { return std::ranges::find(iceSockets_, socket) != iceSockets_.end(); }

  const Config config_;
  const Dependencies dependencies_;
  Counters counters_;
  sip::UserAgent agent_;
  peer::Demultiplexer demultiplexer_;
  Sessions sessions_;
  Call::Shared shared_;
  std::vector<SocketId> iceSockets_;
  std::vector<std::unique_ptr<Call>> calls_;  // by slot
  std::vector<CallSlot> freeSlots_;
  std::size_t live_ = 0;
  std::unordered_map<sip::CallId, CallSlot> bySip_;
  std::vector<SipSocket> sipSockets_;  // by SocketId
  Deadlines<CallSlot> callDeadlines_;
  Deadlines<Session*> roapDeadlines_;
  std::optional<TimePoint> next_;  // of all deadlines
  bool settled_ = true;            // since `next_` was drawn
  std::vector<CallSlot> touched_;  // calls that something happened to since the last settle()
  std::deque<Output> outputs_;
  bool shuttingDown_ = false;
};

}  // namespace crosspoint::bridge
