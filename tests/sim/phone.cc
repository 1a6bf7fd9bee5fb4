#include "tests/sim/phone.h"

#include <algorithm>

#include "core/rtp/classify.h"
#include "core/rtp/packet.h"
#include "core/sdp/sdp.h"

namespace crosspoint::sim {
namespace {

constexpr Duration kFrame = std::chrono::milliseconds(200);

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
      agent_(agentConfig(hostPort_, random), random, clock.now()),
      timer_(clock,
             [this] {
               agent_.handleTimeout(clock_.now());
               drain();
             }),
      address_(network.freeAddress()),
      codecs_(temper == Temper::SpeaksOnlyG722 ? kStrange
              : random.below(2) == 0           ? kTelephone
                                               : kWide) {
  sip_.attach(hostPort_, [this](sip::Incoming&& incoming) {
    agent_.handle(clock_.now(), std::move(incoming));
    drain();
  });
  sip_.locate(user_, hostPort_);
  bind();
  speak();
}

void Phone::bind() {
  ssrc_ = random_.next<std::uint32_t>();
  network_.bind(address_, [this](const SocketAddress&, Bytes bytes) {
    if (rtp::classify(bytes) != rtp::PacketClass::Rtp) return;
    ++packetsReceived_;
    heardAt_ = clock_.now();
  });
}

void Phone::call(const std::string& to) {
  peer_ = to;
  direction_ = Direction::SendRecv;
  established_ = false;
  std::optional<std::string> sdp;
  if (temper_ != Temper::OffersLate) sdp = writeSdp(direction_);
  const auto made = agent_.invite(clock_.now(), {.fromUser = user_, .to = to, .sdp = sdp});
  if (made) call_ = *made;
  drain();
}

void Phone::offerAgain(Direction direction) {
  if (!call_ || !established_ || !agent_.reInvite(clock_.now(), *call_, writeSdp(direction))) return drain();
  direction_ = direction;
  offerOpen_ = true;
  changedAt_ = clock_.now();
  drain();
}

void Phone::update(Direction direction) {
  if (!call_ || !established_ || !agent_.update(clock_.now(), *call_, writeSdp(direction))) return drain();
  direction_ = direction;
  offerOpen_ = true;
  changedAt_ = clock_.now();
  drain();
}

void Phone::askForOffer() {
  if (!call_ || !established_ || !agent_.reInvite(clock_.now(), *call_, std::nullopt)) return drain();
  offerOpen_ = true;
  changedAt_ = clock_.now();
  drain();
}

void Phone::move() {
  if (!call_ || !established_ || offerOpen_) return;
  network_.unbind(address_);
  address_ = network_.freeAddress();
  std::ranges::rotate(codecs_, codecs_.begin() + 1);
  if (codecs_.front().name == "telephone-event") std::ranges::rotate(codecs_, codecs_.begin() + 1);
  bind();
  offerAgain(direction_);
}

void Phone::sendInfo() {
  if (call_ && established_)
    static_cast<void>(agent_.sendInfo(clock_.now(), *call_, "application/octet-stream", "x=1&y=2"));
  drain();
}

void Phone::notify(const std::string& event) {
  if (call_ && established_) static_cast<void>(agent_.sendInfo(clock_.now(), *call_, std::string(kNotifyType), event));
  drain();
}

void Phone::transfer(const std::string& to) {
  if (call_ && established_) static_cast<void>(agent_.refer(clock_.now(), *call_, to));
  drain();
}

void Phone::takeOver(Phone& other) {
  if (call_ || !other.established()) return;
  const auto replaces = other.agent_.dialogOf(*other.call_);
  if (!replaces) return;
  peer_ = other.peer_;
  direction_ = Direction::SendRecv;
  established_ = false;
  const auto made =
      agent_.invite(clock_.now(), {.fromUser = user_, .to = peer_, .sdp = writeSdp(direction_), .replaces = *replaces});
  if (made) call_ = *made;
  drain();
}

void Phone::hangUp() {
  if (call_) static_cast<void>(agent_.hangUp(clock_.now(), *call_));
  drain();
}

void Phone::handle(const sip::Event& event) {
  const TimePoint now = clock_.now();
  if (!std::holds_alternative<sip::InfoReceived>(event)) changedAt_ = now;
  if (const auto* incoming = std::get_if<sip::IncomingCall>(&event)) {
    handleIncoming(*incoming);
  } else if (const auto* answered = std::get_if<sip::Answered>(&event)) {
    established_ = true;
    if (answered->sdp) readSdp(*answered->sdp);
    if (answered->isOffer) static_cast<void>(agent_.answerOffer(now, answered->call, writeSdp(direction_)));
  } else if (const auto* offer = std::get_if<sip::OfferReceived>(&event)) {
    if (offer->sdp) readSdp(*offer->sdp);
    offerOpen_ = false;
    static_cast<void>(agent_.answerOffer(now, offer->call, writeSdp(direction_), offer->branch));
  } else if (const auto* answer = std::get_if<sip::OfferAnswered>(&event)) {
    offerOpen_ = unsure_ = false;
    readSdp(answer->sdp);
  } else if (std::holds_alternative<sip::OfferFailed>(event)) {
    offerOpen_ = false;
    unsure_ = true;
  } else if (const auto* early = std::get_if<sip::EarlyMedia>(&event)) {
    readSdp(early->sdp);
    if (early->isOffer) static_cast<void>(agent_.answerOffer(now, early->call, writeSdp(direction_), early->branch));
  } else if (const auto* refer = std::get_if<sip::ReferReceived>(&event)) {
    handleTransfer(*refer);
  } else if (const auto* progress = std::get_if<sip::ReferProgress>(&event)) {
    if (progress->final && progress->status >= 200 && progress->status < 300) hangUp();
  } else if (std::holds_alternative<sip::InfoReceived>(event)) {
    ++infosReceived_;
  } else if (const auto* ended = std::get_if<sip::Ended>(&event)) {
    if (call_ == ended->call) {
      call_.reset();
      established_ = offerOpen_ = unsure_ = false;
      remote_.reset();
    }
  }
}

void Phone::handleIncoming(const sip::IncomingCall& incoming) {
  const TimePoint now = clock_.now();
  if (call_ || temper_ == Temper::Busy) return static_cast<void>(agent_.reject(now, incoming.call, 486));
  if (temper_ == Temper::Declines) return static_cast<void>(agent_.reject(now, incoming.call, 603));
  call_ = incoming.call;
  peer_ = incoming.fromUser;
  established_ = false;
  direction_ = Direction::SendRecv;
  static_cast<void>(agent_.ring(now, *call_));
  if (incoming.sdp) readSdp(*incoming.sdp);
  if (temper_ == Temper::NeverAnswers) return;
  if (temper_ == Temper::AnswersEarly) static_cast<void>(agent_.progress(now, *call_, writeSdp(direction_)));
  const Duration ringsFor = std::chrono::milliseconds(random_.below(4000));
  clock_.after(ringsFor / 2, [this, call = *call_] {  // moves while it rings: an UPDATE in the early dialog
    if (call_ == call && temper_ == Temper::AnswersEarly && random_.below(4) == 0)
      static_cast<void>(agent_.update(clock_.now(), call, writeSdp(direction_)));
    drain();
  });
  clock_.after(ringsFor, [this, call = *call_] {
    if (call_ != call) return;
    if (agent_.accept(clock_.now(), call, writeSdp(direction_))) established_ = true;
    changedAt_ = clock_.now();
    drain();
  });
}

// What becomes of it is drawn: the partner that it would call is not part of the world.
void Phone::handleTransfer(const sip::ReferReceived& received) {
  const TimePoint now = clock_.now();
  if (random_.below(4) == 0) return static_cast<void>(agent_.rejectRefer(now, received.call, received.refer, 603));
  static_cast<void>(agent_.acceptRefer(now, received.call, received.refer));
  clock_.after(std::chrono::milliseconds(random_.below(5000)), [this, received] {
    const int status = random_.below(2) == 0 ? 200 : 486;
    static_cast<void>(agent_.notifyRefer(clock_.now(), received.call, received.refer, status));
    drain();
  });
}

void Phone::drain() {
  while (auto output = agent_.pollOutput()) {
    if (auto* outgoing = std::get_if<sip::Outgoing>(&*output))
      sip_.send(hostPort_, std::move(*outgoing));
    else
      handle(std::get<sip::Event>(*output));
  }
  timer_.set(agent_.nextTimeout());
}

std::string Phone::writeSdp(Direction direction) {
  SessionDescription description;
  description.sessionId = 1;
  description.sessionVersion = ++version_;
  description.originAddress = address_.ip;
  description.connection = address_.ip;
  MediaSection section;
  section.port = address_.port;
  section.codecs = codecs_;
  section.direction = direction;
  description.sections = {section};
  return sdp::write(description);
}

void Phone::readSdp(const std::string& text) {
  const auto description = sdp::parse(text);
  if (!description || description->sections.empty() || description->sections[0].refused()) return;
  const auto& section = description->sections[0];
  const auto address = section.connection ? section.connection : description->connection;
  if (address) remote_ = SocketAddress{*address, section.port};
}

void Phone::speak() {
  clock_.after(kFrame, [this] {
    if (established_ && remote_ && sends(direction_)) {
      std::array<std::uint8_t, 64> buffer{};
      ByteWriter writer(buffer);
      rtp::writeHeader(writer, {.payloadType = codecs_[0].payloadType,
                                .sequenceNumber = sequence_,
                                .timestamp = static_cast<std::uint32_t>(sequence_) * 1600,
                                .ssrc = ssrc_});
      ++sequence_;
      writer.fill(40, 0x2a);
      network_.send(address_, *remote_, writer.written());
    }
    speak();
  });
}

}  // namespace crosspoint::sim
