// One call with its legs: a page and SIP, or a page and itself. Carries out what `call::Machine` says.
// call.cc: its life and what the machine says; call_page.cc: the page's leg; call_sip.cc: the SIP leg;
// call_transfer.cc: another far end takes the place of the present one.
//
//     page ── BrowserLeg (SDP, Peer) ──┐               ┌── SipLeg (SDP, RTP ports), sip::UserAgent ── SIP server
//                                      ├─ Machine ─────┤
//                    MediaPath ────────┘               └── or nothing: the mirror of a call to `self`
#pragma once
#include <array>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bridge/bridge.h"
#include "bridge/browser_leg.h"
#include "bridge/media_path.h"
#include "bridge/page_prompts.h"
#include "bridge/page_queue.h"
#include "bridge/sip_leg.h"
#include "bridge/transfer.h"
#include "core/call/machine.h"
#include "core/roap/session.h"
#include "core/sip/user_agent.h"
#include "peer/demultiplexer.h"

namespace crosspoint::bridge {

struct Session;

using CallSlot = std::uint32_t;  // where the bridge keeps it; also its handle at the demultiplexer

class Call {
 public:
  // What all calls of a worker share. Outlives them.
  struct Shared {
    const Config& config;
    const Dependencies& dependencies;
    sip::UserAgent& agent;
    peer::Demultiplexer& demultiplexer;
    Counters& counters;
  };
  enum class Kind : std::uint8_t {
    PageToSip,
    PageToSelf,
    SipToPage,
    SipToPageWithoutOffer,  // the page is asked for the offer; it goes out in the 200
  };
  static constexpr Duration kMediaLostMax = std::chrono::seconds(60);  // the page may come back with an ICE restart
  static constexpr Duration kMediaFlowsWithin = std::chrono::seconds(10);

  // `peerName`: who is at the other end, as the page is told; `target`: whom to call, for PageToSip.
  Call(const Shared& shared, CallSlot slot, Kind kind, Session& session, std::string peerName, std::string target,
       TimePoint now);
  ~Call();

  // What the session's ROAP engine says.
  void handlePageOffer(TimePoint now, const roap::Content&);
  void handlePageAnswer(TimePoint now, const roap::Content&);
  // The page is not called yet, but its transport can be made ready while it rings.
  void handlePageProvisionalAnswer(TimePoint now, const roap::Content&);
  void handlePageOfferFailed(TimePoint now, roap::ErrorType error);
  void handleOfferPossible(TimePoint now);
  // After every event: tells the page what it was too busy for.
  void promptPage(TimePoint now);
  void hangUpByPage(TimePoint now);
  // Data for the far end, at once or as soon as it has answered.
  void sendInfo(TimePoint now, std::string contentType, std::string body);
  void transferByPage(TimePoint now, const roap::Transfer&);
  // The session has ended; the page is not told anything any more.
  void handleSessionGone(TimePoint now);
  // Is an OFFER of the page to `to` one of this call? If not, the page is about to make another call and has never
  // heard of this one, or has given it up: call handleReplaced().
  bool takesOfferTo(std::string_view to) const;
  void handleReplaced(TimePoint now);

  // SIP. For SipToPage kinds: the call that came in.
  void startFromSip(TimePoint now, const sip::IncomingCall&);
  // An event of one of sipCalls().
  void handle(TimePoint now, sip::CallId, const sip::Event&);
  // An INVITE with Replaces of this call.
  void handleReplacement(TimePoint now, const sip::IncomingCall&);
  // The far end, one that is to take its place, and one that has been left.
  std::array<std::optional<sip::CallId>, 3> sipCalls() const;
  bool owns(sip::CallId) const;

  // Media.
  void handleBrowserDatagram(TimePoint now, Datagram&);
  void handleSipDatagram(TimePoint now, std::size_t stream, Datagram& datagram) {
    media_.handleSip(now, stream, datagram);
  }
  // The sockets that belong to this call's SIP leg.
  const std::optional<RtpPortPair>& ports(std::size_t stream) const { return sipLeg_->ports(stream); }
  const SipLeg& sipLeg() const { return *sipLeg_; }
  // Legs of far ends that have been left. Their ports stay open until these are destroyed.
  std::vector<std::unique_ptr<SipLeg>> takeRetired() { return std::exchange(retired_, {}); }

  void end(TimePoint now, const call::Reason&);
  void handleTimeout(TimePoint now);
  std::optional<TimePoint> nextTimeout() const;

  bool ended() const { return ended_; }
  bool answered() const { return machine_.state() == call::State::Active; }
  // The page has not answered, and may have read that it is called.
  bool mayRing() const;
  // RTP or RTCP of the page came lately, or at least its consent to ours (RFC 7675).
  bool mediaFlows(TimePoint now) const {
    return !ended_ &&
           (now - media_.lastMediaAt() < kMediaFlowsWithin || browserLeg_.peer().state() == peer::State::Connected);
  }
  Session* session() const { return session_; }
  const std::string& peerName() const { return peerName_; }
  // Does the page mean this call's other end by `to`? It knows the name that it called and the one that it was told.
  bool isWith(std::string_view to) const { return to == peerName_ || (!target_.empty() && to == target_); }
  CallSlot slot() const { return slot_; }
  TimePoint startedAt() const { return startedAt_; }
  const MediaPath& media() const { return media_; }
  const call::Machine& machine() const { return machine_; }
  peer::Counters peerCounters() const { return browserLeg_.peer().counters(); }
  call::Side browserSide() const { return browser_; }

 private:
  void run(TimePoint now);
  void carryOut(TimePoint now, call::Machine::SendOffer&);
  void carryOut(TimePoint now, call::Machine::SendRinging&);
  void carryOut(TimePoint now, call::Machine::SendAnswer&);
  void carryOut(TimePoint now, call::Machine::RefuseOffer&);
  void carryOut(TimePoint now, call::Machine::AskForOffer&);
  void carryOut(TimePoint now, call::Machine::RoutesChanged&);
  void carryOut(TimePoint now, call::Machine::EndLeg&);
  void carryOut(TimePoint now, call::Machine::Ended&);
  void offerToSip(TimePoint now, const call::Media&);
  void handlePresent(TimePoint now, const sip::Event&);
  void handleSipEnd(const sip::Ended&);
  void handleRefreshed(TimePoint now, const std::string& sdp);
  void hearBranch(TimePoint now, std::uint32_t branch, const std::string& sdp);
  void leaveBranch(TimePoint now, std::uint32_t branch);
  void handleSipInfo(const sip::InfoReceived&);
  // EVENT-TALK and the like: now to a page that rings, else as soon as it can act on it.
  void prompt(std::string body);
  void sendWaitingInfos(TimePoint now);
  void takeAttached(const roap::Content&);                     // of the page
  void takeAttached(const std::vector<sip::Header>& headers);  // of the far end
  std::vector<sip::Header> attachedHeaders() const;
  roap::Content contentToPage(TimePoint now, bool offer, const call::Media&);
  void tellError(const call::Reason&);
  // That it was not sent, or not taken; the call goes on.
  void tellDataError(const call::Reason&);

  std::unique_ptr<SipLeg> makeSipLeg() const;
  void handleRefer(TimePoint now, const sip::ReferReceived&);
  void handleReferProgress(TimePoint now, const sip::ReferProgress&);
  void handleNext(TimePoint now, const sip::Event&);
  void handleNextAnswer(TimePoint now, const std::optional<std::string>& sdp);
  void handleNextFailed(TimePoint now, const call::Reason&);
  void tellReferrer(TimePoint now, int status);
  void abandonNext(TimePoint now, int status);
  void offerToReplacement(TimePoint now, std::unique_ptr<NextFarEnd>);
  void swapIn(TimePoint now, std::unique_ptr<NextFarEnd>);
  void waitForNext();
  void leaveFormer(TimePoint now);

  void tellPage(std::string body, PageQueue::Kind kind = PageQueue::Kind::Signalling);
  void tellAnswered(bool byAnother);
  void tellStatistics(TimePoint now);
  void inviteSip(TimePoint now, std::string sdp);
  void answerToSip(TimePoint now, const call::Media&);
  void refuseToPage(TimePoint now, int sipStatus);
  void refuseToSip(TimePoint now, int sipStatus);
  void endPage(const call::Reason&);
  void endSip(TimePoint now, const call::Reason&);
  void handleSipOffer(TimePoint now, const sip::OfferReceived& offer);
  void rejectSipOffer(TimePoint now, int sipStatus);
  void handleSipMedia(TimePoint now, const std::optional<std::string>& sdp, bool final);
  void handleSipOfferSettled(TimePoint now, const std::optional<std::string>& sdp);
  void drainPeer(TimePoint now);
  void handlePeerState(TimePoint now, const peer::StateChanged&);
  std::expected<call::Media, std::string> readPage(TimePoint now, bool offer, const roap::Content&);
  std::string writeToPage(TimePoint now, bool offer, const call::Media&);
  call::Side sipSide() const { return call::other(browser_); }
  void log(LogLevel level, std::string_view event) const;

  const Shared shared_;
  const CallSlot slot_;
  const Kind kind_;
  Session* session_;
  const std::string peerName_, target_;
  const std::string subject_;
  const call::Side browser_;
  const TimePoint startedAt_;
  call::Machine machine_;
  BrowserLeg browserLeg_;
  std::unique_ptr<SipLeg> sipLeg_;
  MediaPath media_;
  std::optional<sip::CallId> sipCall_;
  bool sipEstablished_ = false;       // answered: later offers are re-INVITEs
  bool sipAsked_ = false;             // a re-INVITE without SDP waits for its answer, which is our offer
  bool sipOfferWaits_ = false;        // an earlier offer of ours is still open there
  std::uint32_t sipOfferBranch_ = 0;  // the dialog that its last offer came in
  const std::uint64_t queuedBefore_;  // the page's last message of before this call
  bool pageKnows_;                    // it made the call, or was told of it
  bool answered_ = false;             // once
  bool ended_ = false;
  std::optional<TimePoint> mediaLostAt_;
  PagePrompts prompts_;
  std::unique_ptr<NextFarEnd> next_;
  std::optional<FormerFarEnd> former_;
  std::vector<std::unique_ptr<SipLeg>> retired_;
  bool referring_ = false;  // the page's transfer is under way

  // What early dialogs have said, the one that is heard last. Of more than these the oldest is not heard again.
  struct EarlyBranch {
    std::uint32_t number = 0;
    std::string sdp;
  };
  static constexpr std::size_t kEarlyBranchesMax = 4;
  std::vector<EarlyBranch> earlyBranches_;

  // Data that the page sent before the far end could take it.
  struct Info {
    std::string contentType, body;
  };
  static constexpr std::size_t kInfosWaitingMax = 16;
  static constexpr std::size_t kInfosWaitingBytesMax = 32 * 1024;
  std::vector<Info> infosWaiting_;
  std::string attachedFromPage_;  // as the header's value
  std::vector<roap::AttachedItem> attachedFromSip_;
};

}  // namespace crosspoint::bridge
