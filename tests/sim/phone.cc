#include "tests/sim/phone.h"

#include <algorithm>
#include <utility>

namespace crosspoint::sim {
namespace {

const std::vector<Codec> kTelephone = {
    {.payloadType = 0, .name = "PCMU", .clockRate = 8000},
    {.payloadType = 8, .name = "PCMA", .clockRate = 8000},
    {.payloadType = 101, .name = "telephone-event", .clockRate = 8000},
};
const std::vector<Codec> kWide = {
    {.payloadType = 96, .name = "opus", .clockRate = 48000, .channels = 2},
    {.payloadType = 0, .name = "PCMU", .clockRate = 8000},
};
const std::vector<Codec> kStrange = {{.payloadType = 9, .name = "G722", .clockRate = 8000}};

// Some watch over their sessions, some with a longer timer than the gateway's.
sip::Config agentConfig(const std::string& hostPort, Random& random) {
  sip::Config config;
  config.sessionExpires = std::chrono::seconds(random.below(3) * 90);
  config.minSe = std::chrono::seconds(90 + random.below(2) * 60);
  config.contact = *sip::Uri::parse("sip:" + hostPort);
  config.server = *sip::Uri::parse("sip:10.0.0.1:5060");
  config.domain = "sim";
  return config;
}

}  // namespace

Phone::Phone(Clock& clock, Network& network, SipNetwork& sip, Random& random, std::string user, std::string hostPort,
             Temper temper)
    : clock_(clock),
      network_(network),
      sip_(sip),
      random_(random),
      user_(std::move(user)),
      hostPort_(std::move(hostPort)),
      temper_(temper),
      codecs_(temper == Temper::SpeaksOnlyG722 ? kStrange
              : random.below(2) == 0           ? kTelephone
                                               : kWide),
      agent_(agentConfig(hostPort_, random), random, clock.now()),
      timer_(clock, [this] {
        agent_.handleTimeout(clock_.now());
        drain();
      }) {
  sip_.attach(hostPort_, [this](sip::Incoming&& incoming) {
    agent_.handle(clock_.now(), std::move(incoming));
    drain();
  });
  sip_.locate(user_, hostPort_);
}

// ---- its calls ----

PhoneCall* Phone::find(sip::CallId id) {
  const auto found = calls_.find(id);
  return found == calls_.end() ? nullptr : found->second.get();
}

const PhoneCall* Phone::callWith(const std::string& peer) const {
  for (const auto& [id, call] : calls_) {
    if (call->peer == peer && call->isEstablished) return call.get();
  }
  return nullptr;
}

const PhoneCall* Phone::talksWith(const std::string& peer, Duration since) const {
  const PhoneCall* call = callWith(peer);
  if (call == nullptr || !call->talksSince(since)) return nullptr;
  const auto dialog = agent_.dialogOf(call->id);
  const bool sure = dialog && !sip_.byeWasLost(dialog->callId) && !sip_.wasDiverted(dialog->callId);
  return sure ? call : nullptr;
}

PhoneCall* Phone::open(const std::string& peer) {
  for (const auto& [id, call] : calls_) {
    if (call->peer == peer && call->isEstablished && !call->offerOpen) return call.get();
  }
  return nullptr;
}

PhoneCall& Phone::add(sip::CallId id, const std::string& peer) {
  auto& call = calls_[id];
  call = std::make_unique<PhoneCall>(clock_, network_, random_, codecs_, id, peer);
  return *call;
}

template <typename Action>
void Phone::later(Duration delay, sip::CallId id, Action action) {
  clock_.after(delay, [this, id, action] {
    if (PhoneCall* call = find(id)) action(*call);
    drain();
  });
}

std::uint64_t Phone::packetsReceived() const {
  std::uint64_t packets = packetsBefore_;
  for (const auto& [id, call] : calls_) packets += call->packetsReceived();
  return packets;
}

// ---- what it does ----

// The RTP port is there before the call is: its number is in the offer.
PhoneCall* Phone::invite(const std::string& peer, const std::string& to, bool offers,
                         std::optional<sip::Replaces> replaces, std::optional<sip::NameAddr> referredBy) {
  auto call = std::make_unique<PhoneCall>(clock_, network_, random_, codecs_, sip::CallId{}, peer);
  const auto made =
      agent_.invite(clock_.now(), {.fromUser = user_,
                                   .to = to,
                                   .credentials = {.user = user_, .password = "secret"},
                                   .sdp = offers ? std::optional(call->write(call->direction)) : std::nullopt,
                                   .replaces = std::move(replaces),
                                   .referredBy = std::move(referredBy)});
  if (!made) return nullptr;
  call->id = *made;
  counters_.lateOffers += !offers;
  return (calls_[*made] = std::move(call)).get();
}

void Phone::call(const std::string& to) {
  if (!calls_.empty()) return;
  invite(to, to, temper_ != Temper::OffersLate);
  drain();
}

void Phone::offer(PhoneCall& call, Direction direction) {
  if (!agent_.reInvite(clock_.now(), call.id, call.write(direction))) return;
  call.direction = direction;
  call.offerOpen = true;
  call.changed();
}

void Phone::offerAgain(const std::string& peer, Direction direction) {
  if (PhoneCall* call = open(peer)) offer(*call, direction);
  drain();
}

void Phone::update(const std::string& peer, Direction direction) {
  PhoneCall* call = open(peer);
  if (call == nullptr || !agent_.update(clock_.now(), call->id, call->write(direction))) return drain();
  call->direction = direction;
  call->offerOpen = true;
  call->changed();
  drain();
}

void Phone::askForOffer(const std::string& peer) {
  PhoneCall* call = open(peer);
  if (call == nullptr || !agent_.reInvite(clock_.now(), call->id, std::nullopt)) return drain();
  call->offerOpen = true;
  call->changed();
  drain();
}

void Phone::move(const std::string& peer) {
  PhoneCall* call = open(peer);
  if (call == nullptr) return;
  call->move();
  offer(*call, call->direction);
  drain();
}

void Phone::sendInfos(const std::string& peer) {
  const PhoneCall* call = callWith(peer);
  for (std::uint64_t left = 1 + random_.below(4); call != nullptr && left > 0; --left)
    static_cast<void>(agent_.sendInfo(clock_.now(), call->id, "application/octet-stream", infos_.next(user_)));
  drain();
}

void Phone::notify(const std::string& peer, const std::string& event) {
  if (const PhoneCall* call = callWith(peer))
    static_cast<void>(agent_.sendInfo(clock_.now(), call->id, std::string(kNotifyType), event));
  drain();
}

void Phone::transfer(const std::string& peer, const std::string& to) {
  if (const PhoneCall* call = callWith(peer))
    counters_.blindAsked += agent_.refer(clock_.now(), call->id, to).has_value();
  drain();
}

void Phone::consult(const std::string& peer, const std::string& to) {
  PhoneCall* first = open(peer);
  if (first == nullptr || calls_.size() != 1 || to == peer || to == user_) return;
  offer(*first, Direction::SendOnly);
  if (const PhoneCall* second = invite(to, to, random_.below(4) != 0)) transfers_[first->id] = {.second = second->id};
  drain();
}

void Phone::takeOver(Phone& other, const std::string& peer) {
  const PhoneCall* theirs = other.callWith(peer);
  if (!calls_.empty() || theirs == nullptr) return;
  const auto replaces = other.agent_.dialogOf(theirs->id);
  if (!replaces) return;
  counters_.takenOver += invite(peer, peer, random_.below(3) != 0, *replaces) != nullptr;
  drain();
}

void Phone::hangUp(sip::CallId id) {
  std::optional<sip::Reason> reason;
  if (random_.below(4) == 0) reason = sip::Reason{.protocol = "Q.850", .cause = 16, .text = "Normal call clearing"};
  static_cast<void>(agent_.hangUp(clock_.now(), id, reason));
}

void Phone::hangUp(const std::string& peer) {
  if (const PhoneCall* call = callWith(peer)) hangUp(call->id);
  drain();
}

void Phone::hangUpAll() {
  for (const auto& [id, call] : calls_) hangUp(id);
  drain();
}

// ---- events ----

void Phone::drain() {
  while (auto output = agent_.pollOutput()) {
    if (auto* outgoing = std::get_if<sip::Outgoing>(&*output))
      sip_.send(hostPort_, std::move(*outgoing));
    else
      handle(std::get<sip::Event>(*output));
  }
  timer_.set(agent_.nextTimeout());
}

void Phone::handle(const sip::Event& event) {
  if (const auto* incoming = std::get_if<sip::IncomingCall>(&event)) return handleIncoming(*incoming);
  if (const auto* ended = std::get_if<sip::Ended>(&event)) return handleEnded(*ended);
  std::visit(
      [&](const auto& what) {
        if constexpr (requires { what.call; }) {
          if (PhoneCall* call = find(what.call)) handle(*call, event);
        }
      },
      event);
}

void Phone::handle(PhoneCall& call, const sip::Event& event) {
  const TimePoint now = clock_.now();
  if (const auto* info = std::get_if<sip::InfoReceived>(&event)) {
    ++counters_.infos;
    if (!infos_.take(info->body) && fault_.empty()) fault_ = user_ + ": an INFO twice or out of order: " + info->body;
    return;
  }
  call.changed();
  if (const auto* answered = std::get_if<sip::Answered>(&event)) {
    handleAnswered(call, *answered);
  } else if (const auto* ringing = std::get_if<sip::Ringing>(&event)) {
    if (ringing->status >= 180) tellReferrer(call.id, 180);
  } else if (const auto* offer = std::get_if<sip::OfferReceived>(&event)) {
    handleOffer(call, *offer);
  } else if (const auto* answer = std::get_if<sip::OfferAnswered>(&event)) {
    call.offerOpen = call.unsure = false;
    call.read(answer->sdp);
  } else if (const auto* confirmed = std::get_if<sip::Confirmed>(&event)) {
    if (confirmed->sdp) call.read(*confirmed->sdp);
  } else if (std::holds_alternative<sip::OfferFailed>(event)) {
    call.offerOpen = false;
    call.unsure = true;
  } else if (const auto* early = std::get_if<sip::EarlyMedia>(&event)) {
    call.read(early->sdp);
    if (early->isOffer)
      static_cast<void>(agent_.answerOffer(now, early->call, call.write(call.direction), early->branch));
  } else if (const auto* refer = std::get_if<sip::ReferReceived>(&event)) {
    handleRefer(call, *refer);
  } else if (const auto* progress = std::get_if<sip::ReferProgress>(&event)) {
    handleProgress(call, *progress);
  }
}

void Phone::handleAnswered(PhoneCall& call, const sip::Answered& answered) {
  call.established();
  if (answered.sdp) call.read(*answered.sdp);
  if (answered.isOffer) static_cast<void>(agent_.answerOffer(clock_.now(), call.id, call.write(call.direction)));
  tellReferrer(call.id, 200);
  for (const auto& [first, transfer] : transfers_) {
    if (transfer.second != call.id) continue;
    later(std::chrono::milliseconds(random_.below(4000)), first,
          [this, second = call.id](PhoneCall& held) { bringTogether(held.id, second); });
  }
}

// Mostly at once; now and then after some thought, or not at all.
void Phone::handleOffer(PhoneCall& call, const sip::OfferReceived& offer) {
  if (offer.sdp) call.read(*offer.sdp);
  call.offerOpen = false;
  const auto answer = [this, branch = offer.branch](PhoneCall& asked) {
    static_cast<void>(agent_.answerOffer(clock_.now(), asked.id, asked.write(asked.direction), branch));
    asked.changed();
  };
  const auto choice = random_.below(30);
  if (choice == 0 && !offer.early) {
    ++counters_.offersRefused;
    call.unsure = true;
    static_cast<void>(agent_.rejectOffer(clock_.now(), call.id, random_.below(2) == 0 ? 488 : 500, offer.branch));
  } else if (choice < 4) {
    later(std::chrono::milliseconds(random_.below(3000)), call.id, answer);
  } else {
    answer(call);
  }
}

void Phone::handleEnded(const sip::Ended& ended) {
  tellReferrer(ended.call, ended.status >= 300 ? ended.status : 487);
  referrers_.erase(ended.call);
  transfers_.erase(ended.call);
  for (const auto& [first, transfer] : transfers_) {
    if (transfer.second == ended.call && !transfer.asked) callBack(first);
  }
  if (const PhoneCall* call = find(ended.call)) packetsBefore_ += call->packetsReceived();
  calls_.erase(ended.call);
}

// ---- being called ----

void Phone::handleIncoming(const sip::IncomingCall& incoming) {
  static constexpr int kRefusals[] = {603, 404, 480, 486, 488, 500, 503, 600, 606};
  if (incoming.replaces) return handleReplacing(incoming);
  const auto refuse = [&](int status) { static_cast<void>(agent_.reject(clock_.now(), incoming.call, status)); };
  if (!calls_.empty() || temper_ == Temper::Busy) return refuse(486);
  if (temper_ == Temper::Declines) return refuse(kRefusals[random_.below(std::size(kRefusals))]);
  PhoneCall& call = add(incoming.call, incoming.fromUser);
  static_cast<void>(agent_.setCredentials(incoming.call, {.user = user_, .password = "secret"}));
  if (incoming.sdp) call.read(*incoming.sdp);
  ring(call, incoming.sdp.has_value());
}

void Phone::ring(PhoneCall& call, bool hasOffer) {
  if (random_.below(4) != 0) static_cast<void>(agent_.ring(clock_.now(), call.id));
  if (temper_ == Temper::NeverAnswers) return static_cast<void>(agent_.ring(clock_.now(), call.id));
  const bool early = temper_ == Temper::AnswersEarly || (!hasOffer && random_.below(2) == 0);
  if (early) static_cast<void>(agent_.progress(clock_.now(), call.id, call.write(call.direction)));
  const Duration ringsFor = std::chrono::milliseconds(random_.below(4000));
  later(
      ringsFor / 2, call.id, [this, early](PhoneCall& ringing) {  // moves while it rings: an UPDATE in the early dialog
        if (!early || ringing.isEstablished || random_.below(4) != 0) return;
        counters_.earlyUpdates += agent_.update(clock_.now(), ringing.id, ringing.write(ringing.direction)).has_value();
      });
  later(ringsFor, call.id, [this](PhoneCall& ringing) {
    if (agent_.accept(clock_.now(), ringing.id, ringing.write(ringing.direction))) ringing.established();
  });
}

// RFC 3891 §3: the new call takes the place of the old one without ringing.
void Phone::handleReplacing(const sip::IncomingCall& incoming) {
  PhoneCall* old = find(*incoming.replaces);
  if (old == nullptr || random_.below(10) == 0)
    return static_cast<void>(agent_.reject(clock_.now(), incoming.call, old == nullptr ? 481 : 486));
  ++counters_.replacesServed;
  PhoneCall& call = add(incoming.call, incoming.fromUser);
  static_cast<void>(agent_.setCredentials(incoming.call, {.user = user_, .password = "secret"}));
  if (incoming.sdp) call.read(*incoming.sdp);
  old->replaced = true;
  if (agent_.accept(clock_.now(), call.id, call.write(call.direction))) call.established();
  hangUp(old->id);
}

// ---- transfers ----

// The far end asks this phone to call somebody else.
void Phone::handleRefer(PhoneCall& call, const sip::ReferReceived& refer) {
  const TimePoint now = clock_.now();
  if (random_.below(6) == 0) return static_cast<void>(agent_.rejectRefer(now, call.id, refer.refer, 603));
  if (!agent_.acceptRefer(now, call.id, refer.refer)) return;
  if (random_.below(10) == 0) return;  // and never tells what came of it
  const PhoneCall* made = invite(refer.target.user, refer.target.toString(), true, refer.replaces, refer.referredBy);
  if (made == nullptr) return static_cast<void>(agent_.notifyRefer(now, call.id, refer.refer, 503));
  ++counters_.refersServed;
  referrers_[made->id] = {call.id, refer.refer};
}

void Phone::tellReferrer(sip::CallId id, int status) {
  const auto found = referrers_.find(id);
  if (found == referrers_.end()) return;
  const Referrer referrer = found->second;
  static_cast<void>(agent_.notifyRefer(clock_.now(), referrer.call, referrer.refer, status));
  if (status < 200) return;
  referrers_.erase(found);
  if (status >= 300) return;
  if (PhoneCall* before = find(referrer.call)) before->replaced = true;
  later(std::chrono::seconds(10), referrer.call, [this](PhoneCall& before) { hangUp(before.id); });  // the BYE is lost
}

// The second call is answered: the first one's far end is to take this phone's place in it.
void Phone::bringTogether(sip::CallId first, sip::CallId second) {
  const PhoneCall* partner = find(second);
  const auto replaces = partner != nullptr ? agent_.dialogOf(second) : std::nullopt;
  if (!replaces || random_.below(5) == 0) return callBack(first);
  if (!agent_.refer(clock_.now(), first, partner->peer, replaces)) return callBack(first);
  ++counters_.attendedAsked;
  transfers_[first].asked = true;
}

// It has come to nothing: back to the first call.
void Phone::callBack(sip::CallId first) {
  later(Duration(0), first, [this](PhoneCall& held) {
    const auto found = transfers_.find(held.id);
    if (found == transfers_.end()) return;
    const sip::CallId second = found->second.second;
    transfers_.erase(found);
    if (find(second) != nullptr) hangUp(second);
    if (!held.offerOpen) offer(held, Direction::SendRecv);
  });
}

void Phone::handleProgress(PhoneCall& call, const sip::ReferProgress& progress) {
  if (!progress.final) return;
  const bool done = progress.status >= 200 && progress.status < 300;
  const auto attended = transfers_.find(call.id);
  if (attended == transfers_.end()) {
    counters_.blindDone += done;
    if (done) hangUp(call.id);
    return;
  }
  if (!done) return callBack(call.id);
  ++counters_.attendedDone;
  const sip::CallId second = attended->second.second;
  transfers_.erase(attended);
  hangUp(call.id);
  later(std::chrono::seconds(2), second, [this](PhoneCall& replaced) { hangUp(replaced.id); });
}

}  // namespace crosspoint::sim
