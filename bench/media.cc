#include "bench/media.h"

#include "core/rtp/classify.h"
#include "core/rtp/packet.h"
#include "io/loop/clock.h"

namespace crosspoint::bench {
namespace {

constexpr std::uint32_t kNone = 0xffffffff;
constexpr Duration kTick = std::chrono::milliseconds(1);
constexpr std::size_t kDelaysMax = 200'000;

std::uint64_t stamp(TimePoint now) { return static_cast<std::uint64_t>(now.time_since_epoch().count()); }

}  // namespace

Media::Media() : loop_({}), sockets_(loop_, {}) {
  sockets_.setHandler([this](TimePoint now, std::span<Datagram> batch) { receive(now, batch); });
}

void Media::add(Flow flow) {
  const auto index = static_cast<std::uint32_t>(flows_.size());
  for (const auto& [socket, far] : {std::pair{flow.pageSocket, 0u}, std::pair{flow.farSocket, 1u}}) {
    const auto number = static_cast<std::size_t>(socket);
    if (number >= bySocket_.size()) bySocket_.resize(number + 1, kNone);
    bySocket_[number] = index * 2 + far;
  }
  flows_.push_back(std::move(flow));
}

void Media::run(Duration time, bool sending) {
  const TimePoint now = loop::monotonicNow();
  sending_ = sending;
  nextFlow_ = 0;
  for (std::size_t i = 0; i < flows_.size(); ++i) {
    flows_[i].next = now + kPacketTime * static_cast<std::int64_t>(i) / static_cast<std::int64_t>(flows_.size());
  }
  ends_ = now + time;
  done_ = nullptr;
  loop_.run(*this);
  sending_ = false;
}

bool Media::runUntil(Duration limit, const std::function<bool()>& done) {
  ends_ = loop::monotonicNow() + limit;
  done_ = &done;
  if (!done()) loop_.run(*this);
  done_ = nullptr;
  return done();
}

void Media::receive(TimePoint now, std::span<Datagram> batch) {
  for (Datagram& datagram : batch) {
    const auto number = static_cast<std::size_t>(datagram.socket);
    const std::uint32_t owner = number < bySocket_.size() ? bySocket_[number] : kNone;
    if (owner == kNone) continue;
    Flow& flow = flows_[owner / 2];
    if (owner % 2 == 1) {
      if (rtp::classify(datagram.bytes()) == rtp::PacketClass::Rtp) count(now, toFarEnd_, datagram.bytes());
    } else if (flow.page->receive(now, datagram)) {
      count(now, toPage_, datagram.bytes());
    }
  }
}

void Media::count(TimePoint now, Tally& tally, Bytes packet) {
  const auto view = rtp::PacketView::parse(packet);
  if (!view || view->payload().size() != kPayloadBytes) return;
  ++tally.received;
  if (tally.delays.size() == kDelaysMax) return;
  const std::uint64_t sent = loadBigEndian<std::uint64_t>(view->payload().data());
  tally.delays.push_back(static_cast<std::uint32_t>((stamp(now) - sent) / 1000));
}

void Media::send(TimePoint now, Flow& flow) {
  std::array<std::uint8_t, kDatagramCapacity> buffer;
  auto write = [&](std::uint32_t ssrc) {
    ByteWriter writer(buffer);
    rtp::writeHeader(writer, {.payloadType = flow.payloadType, .sequenceNumber = flow.sequence, .timestamp = flow.timestamp, .ssrc = ssrc});
    writer.write(stamp(now));
    writer.fill(kPayloadBytes - 8, 0xd5);
    return static_cast<std::uint32_t>(writer.size());
  };
  Datagram datagram{.data = buffer.data(), .size = write(flow.pageSsrc), .capacity = buffer.size()};
  if (flow.page->protect(datagram)) {
    sockets_.send(flow.pageSocket, datagram.remote, datagram.bytes());
    ++toFarEnd_.sent;
  }
  const std::uint32_t size = write(flow.farSsrc);
  sockets_.send(flow.farSocket, flow.farTarget, Bytes(buffer).first(size));
  ++toPage_.sent;
  ++flow.sequence;
  flow.timestamp += 160;
}

void Media::handleWakeUp(TimePoint now) {
  sockets_.deliver(now);
  if (tick) tick(now);
  if (sending_) {
    for (std::size_t i = 0; i < flows_.size() && flows_[nextFlow_].next <= now; ++i) {
      Flow& flow = flows_[nextFlow_];
      send(now, flow);
      flow.next += kPacketTime;
      nextFlow_ = (nextFlow_ + 1) % flows_.size();
    }
  }
  sockets_.flush();
  if (now >= ends_ || (done_ != nullptr && (*done_)())) loop_.stop();
}

std::optional<TimePoint> Media::nextTimeout() const { return loop::monotonicNow() + kTick; }

}  // namespace crosspoint::bench
