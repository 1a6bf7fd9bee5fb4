#include "tests/sim/page_media.h"

#include "core/dtls/context.h"
#include "core/rtp/classify.h"
#include "core/rtp/packet.h"
#include "core/sdp/sdp.h"

namespace crosspoint::sim {
namespace {

constexpr Duration kFrame = std::chrono::milliseconds(200);  // sparse audio: enough to check what passes
constexpr SocketId kSocket{1};

const std::vector<Codec> kCodecs = {
    {.payloadType = 111, .name = "opus", .clockRate = 48000, .channels = 2, .parameters = "minptime=10;useinbandfec=1"},
    {.payloadType = 9, .name = "G722", .clockRate = 8000},
    {.payloadType = 0, .name = "PCMU", .clockRate = 8000},
    {.payloadType = 8, .name = "PCMA", .clockRate = 8000},
    {.payloadType = 126, .name = "telephone-event", .clockRate = 8000},
};

}  // namespace

PageMedia::PageMedia(Clock& clock, Network& network, Random& random, std::vector<const dtls::Context*> certificates,
                     std::function<void(const std::string&)> complain)
    : clock_(clock),
      network_(network),
      random_(random),
      certificates_(std::move(certificates)),
      complain_(std::move(complain)),
      timer_(clock, [this] {
        if (!rtc_) return;
        rtc_->handleTimeout(clock_.now());
        drain();
      }) {}

void PageMedia::open(bool offer) {
  close();
  address_ = network_.freeAddress();
  codecs_ = kCodecs;
  ssrc_ = random_.next<std::uint32_t>();
  network_.bind(address_, [this](const SocketAddress& from, Bytes bytes) { handleDatagram(from, bytes); });
  rtc_ = std::make_unique<peer::Peer>(peer::Config{.iceRole = offer ? peer::Role::Controlling : peer::Role::Controlled,
                                                   .local = {random_.alphanumeric(4), random_.alphanumeric(24)},
                                                   .sockets = {{kSocket, address_}},
                                                   .dtls = DtlsSetup::Active,
                                                   .context = certificates_[++certificate_ % certificates_.size()]},
                                      random_, clock_.now());
  speak();
}

void PageMedia::close() {
  ++epoch_;
  if (!rtc_) return;
  network_.unbind(address_);
  rtc_.reset();
  timer_.set(std::nullopt);
  ssrcReceived_.reset();
  sequenceReceived_.reset();
  heard_ = {};
  gaps_ = false;
}

void PageMedia::renew(bool sameCall) {
  const auto ssrcBefore = ssrcReceived_;
  const auto sequenceBefore = sequenceReceived_;
  const auto heardBefore = heard_;
  const bool gapsBefore = gaps_;
  open(true);
  if (!sameCall) return;
  heard_ = heardBefore;
  gaps_ = gapsBefore;
  ssrcReceived_ = ssrcBefore;
  sequenceReceived_ = sequenceBefore;
}

void PageMedia::restartIce() {
  if (!rtc_) return;
  rtc_->restartIce(clock_.now(), {random_.alphanumeric(4), random_.alphanumeric(24)});
  drain();
}

std::string PageMedia::write(bool offer, Direction direction) {
  SessionDescription description;
  description.originAddress = IpAddress::v4(0x7f000001);
  description.bundles = {{"0"}};
  MediaSection section;
  section.protocol = "RTP/SAVPF";
  section.mid = "0";
  section.codecs = codecs_;
  section.direction = direction;
  section.rtcpMux = true;
  section.connection = IpAddress();
  section.ice = rtc_->localCredentials();
  section.candidates = rtc_->localCandidates();
  section.fingerprints = {certificates_[certificate_ % certificates_.size()]->fingerprint()};
  section.setup = offer ? DtlsSetup::ActPass : DtlsSetup::Active;
  description.sections = {section};
  std::string text = sdp::write(description);
  if (offer) offered_ = text;
  return text;
}

bool PageMedia::read(const std::string& text, bool offer, Direction direction) {
  const auto description = sdp::parse(text);
  if (!description || description->sections.empty()) {
    complain_("unreadable SDP: " + text);
    return false;
  }
  const MediaSection& section = description->sections[0];
  if (section.refused() || !section.ice || section.fingerprints.empty() || section.codecs.empty()) {
    complain_("SDP without usable audio: " + text);
    return false;
  }
  if (!offer && direction == Direction::Inactive && section.direction != Direction::Inactive) {
    complain_("the answer to a hold is not inactive");
  }
  hear(text);
  if (!offer) check(faultOfAnswer(offered_, text));
  if (!rtc_) return false;
  rtc_->setRemote(clock_.now(),
                  {.ice = *section.ice, .fingerprints = section.fingerprints, .setup = DtlsSetup::Passive});
  for (const auto& candidate : section.candidates) rtc_->addRemoteCandidate(clock_.now(), candidate);
  codecs_ = section.codecs;
  drain();
  return true;
}

void PageMedia::handleDatagram(const SocketAddress& from, Bytes bytes) {
  std::array<std::uint8_t, kDatagramCapacity> buffer;
  std::copy(bytes.begin(), bytes.end(), buffer.begin());
  Datagram datagram{kSocket, from, buffer.data(), static_cast<std::uint32_t>(bytes.size()), buffer.size()};
  if (rtc_->handleDatagram(clock_.now(), datagram) == peer::Received::Rtp) handleRtp(datagram.bytes());
  drain();
}

// One SSRC for the whole call, with numbers that go on (docs/protocols/bridge.md, "Media").
void PageMedia::handleRtp(Bytes bytes) {
  const auto view = rtp::PacketView::parse(bytes);
  if (!view) return;
  ++packetsReceived_;
  heardAt_ = clock_.now();
  if (ssrcReceived_ && *ssrcReceived_ != view->ssrc()) {
    if (!gaps_) complain_("the SSRC changed within a call");
    sequenceReceived_.reset();  // another call's: the page has missed the BYE
  }
  ssrcReceived_ = view->ssrc();
  const auto gap = sequenceReceived_ ? static_cast<std::int16_t>(view->sequenceNumber() - *sequenceReceived_) : 0;
  if (gap > 1000 || gap < -1000) complain_("the sequence numbers jumped by " + std::to_string(gap));
  if (!sequenceReceived_ || gap > 0) sequenceReceived_ = view->sequenceNumber();
}

void PageMedia::drain() {
  if (!rtc_) return;
  while (auto output = rtc_->pollOutput()) {
    if (auto* send = std::get_if<peer::SendDatagram>(&*output)) network_.send(address_, send->remote, send->bytes);
  }
  timer_.set(rtc_->nextTimeout());
}

void PageMedia::speak() {
  clock_.after(kFrame, [this, epoch = epoch_] {
    if (epoch != epoch_) return;
    if (rtc_->canSend() && sends(direction_)) {
      std::array<std::uint8_t, kDatagramCapacity> buffer{};
      ByteWriter writer(buffer);
      const std::uint32_t timestamp = static_cast<std::uint32_t>(sequence_) * 1600;
      rtp::writeHeader(writer, {.payloadType = codecs_[0].payloadType,
                                .sequenceNumber = sequence_++,
                                .timestamp = timestamp,
                                .ssrc = ssrc_});
      writer.fill(40, 0x55);
      Datagram datagram{
          .data = buffer.data(), .size = static_cast<std::uint32_t>(writer.size()), .capacity = buffer.size()};
      if (rtc_->protectRtp(datagram)) network_.send(address_, datagram.remote, datagram.bytes());
    }
    speak();
  });
}

}  // namespace crosspoint::sim
