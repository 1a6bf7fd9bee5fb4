#include "tests/sim/phone_call.h"

#include <algorithm>

#include "core/rtp/classify.h"
#include "core/rtp/packet.h"
#include "core/sdp/sdp.h"

namespace crosspoint::sim {
namespace {

constexpr Duration kFrame = std::chrono::milliseconds(200);

}  // namespace

PhoneCall::PhoneCall(Clock& clock, Network& network, Random& random, std::vector<Codec> codecs, sip::CallId callId,
                     std::string itsPeer)
    : id(callId),
      peer(std::move(itsPeer)),
      clock_(clock),
      network_(network),
      random_(random),
      codecs_(std::move(codecs)),
      address_(network.freeAddress()),
      changedAt_(clock.now()) {
  bind();
  speak();
}

PhoneCall::~PhoneCall() { network_.unbind(address_); }

void PhoneCall::bind() {
  ssrc_ = random_.next<std::uint32_t>();
  network_.bind(address_, [this](const SocketAddress&, Bytes bytes) {
    if (rtp::classify(bytes) != rtp::PacketClass::Rtp) return;
    ++packetsReceived_;
    heardAt_ = clock_.now();
  });
}

void PhoneCall::move() {
  network_.unbind(address_);
  address_ = network_.freeAddress();
  std::ranges::rotate(codecs_, codecs_.begin() + 1);
  if (codecs_.front().name == "telephone-event") std::ranges::rotate(codecs_, codecs_.begin() + 1);
  bind();
}

void PhoneCall::established() {
  isEstablished = true;
  changed();
}

std::string PhoneCall::write(Direction said) {
  SessionDescription description;
  description.sessionId = 1;
  description.sessionVersion = ++version_;
  description.originAddress = address_.ip;
  description.connection = address_.ip;
  MediaSection section;
  section.port = address_.port;
  section.codecs = codecs_;
  section.direction = said;
  description.sections = {section};
  return sdp::write(description);
}

void PhoneCall::read(const std::string& text) {
  const auto description = sdp::parse(text);
  if (!description || description->sections.empty() || description->sections[0].refused()) return;
  const auto& section = description->sections[0];
  const auto address = section.connection ? section.connection : description->connection;
  if (address) remote_ = SocketAddress{*address, section.port};
}

void PhoneCall::speak() {
  clock_.after(kFrame, [this, alive = std::weak_ptr<int>(alive_)] {
    if (alive.expired()) return;
    if (isEstablished && remote_ && sends(direction)) {
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
