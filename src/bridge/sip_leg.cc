#include "bridge/sip_leg.h"

#include "core/sdp/sdp.h"

namespace crosspoint::bridge {
namespace {

// Or the limited broadcast address: nobody's own.
bool isMulticast(const IpAddress& address) {
  const Bytes bytes = address.bytes();
  if (address.isV6()) return bytes[0] == 0xff;
  return (bytes[0] & 0xf0) == 0xe0 || loadBigEndian<std::uint32_t>(bytes.data()) == 0xffffffff;
}

}  // namespace

SipLeg::SipLeg(RtpPorts& ports, Random& random) : portSource_(ports), sessionId_(random.next<std::uint32_t>()) {}

SipLeg::~SipLeg() {
  for (const auto& pair : ports_) {
    if (pair) portSource_.close(*pair);
  }
}

std::optional<std::string> SipLeg::write(const call::Media& media, bool offer) {
  IpAddress address;
  for (std::size_t stream = 0; stream < call::kStreams; ++stream) {
    if (media[stream].present() && !ports_[stream]) {
      ports_[stream] = portSource_.open();
      if (!ports_[stream]) return std::nullopt;
    }
    if (ports_[stream]) address = ports_[stream]->rtpAddress.ip;
  }
  SessionDescription description;
  description.sessionId = sessionId_;
  description.sessionVersion = sessionVersion_;
  description.originAddress = address;
  description.connection = address;
  description.sections = said_.sections.write(media, offer, "RTP/AVP");
  for (std::size_t i = 0; i < description.sections.size(); ++i) {
    MediaSection& section = description.sections[i];
    section.mid.clear();
    const auto stream = said_.sections.streamOf(i);
    if (stream && media[*stream].present()) section.port = ports_[*stream]->rtpAddress.port;
  }
  // RFC 3264 §8: the version rises with every change, by one, and with nothing else.
  textBefore_ = lastText_;
  if (auto text = sdp::write(description); text == lastText_) return text;
  description.sessionVersion = ++sessionVersion_;
  lastText_ = sdp::write(description);
  return lastText_;
}

void SipLeg::withdraw() {
  if (lastText_ == textBefore_) return;
  lastText_ = textBefore_;
  --sessionVersion_;
}

void SipLeg::undoOffer() { said_ = beforeOffer_; }

void SipLeg::undoAnswer() { said_ = beforeAnswer_; }

std::expected<call::Media, std::string> SipLeg::read(bool offer, std::string_view text) {
  auto description = sdp::parse(text);
  if (!description)
    return std::unexpected("SDP line " + std::to_string(description.error().line) + ": " + description.error().message);
  (offer ? beforeOffer_ : beforeAnswer_) = said_;
  // Only plain RTP is spoken on this side. A far end that offers both ways has two sections of a kind.
  for (MediaSection& section : description->sections) {
    if (section.protocol != "RTP/AVP" && section.protocol != "RTP/AVPF") section.port = 0, section.bundleOnly = false;
  }
  call::Media media = said_.sections.read(*description, offer);
  for (std::size_t stream = 0; stream < call::kStreams; ++stream) {
    Announced& announced = said_.announced[stream] = {};
    const MediaSection* section = Sections::find(*description, said_.sections.sectionOf(stream));
    if (section == nullptr || section->refused() || !media[stream].present()) continue;
    const auto address = section->connection ? section->connection : description->connection;
    if (!address) continue;
    // Nothing is sent to many at once, and RTCP needs the port above.
    if (isMulticast(*address) || section->port == 0xffff) {
      media[stream] = {};
      continue;
    }
    // RFC 3264 §8.4: an old client's hold is the address 0.0.0.0.
    if (address->isUnspecified()) {
      media[stream].direction = makeDirection(sends(media[stream].direction), false);
      continue;
    }
    announced.rtp = SocketAddress{*address, section->port};
    announced.rtcp =
        section->rtcp ? *section->rtcp : SocketAddress{*address, static_cast<std::uint16_t>(section->port + 1)};
  }
  return media;
}

}  // namespace crosspoint::bridge
