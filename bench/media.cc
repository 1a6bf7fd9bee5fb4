#include "bench/media.h"

#include <algorithm>
#include <array>

#include "core/rtp/classify.h"
#include "core/rtp/packet.h"
#include "io/loop/clock.h"

namespace crosspoint::bench {
namespace {

constexpr std::uint32_t kNone = 0xffffffff;
constexpr Duration kTick = std::chrono::milliseconds(1);
constexpr std::size_t kDelaysMax = 500'000;

std::uint64_t stamp(TimePoint now) { return static_cast<std::uint64_t>(now.time_since_epoch().count()); }

}  // namespace

Media::Media() : loop_({}), sockets_(loop_, {}) {
  sockets_.setHandler([this](TimePoint now, std::span<Datagram> batch) { receive(now, batch); });
  tally_.delays.reserve(kDelaysMax);
}

Flow& Media::add(Flow flow) {
  const auto index = static_cast<std::uint32_t>(flows_.size());
  for (const auto& [socket, far] : {std::pair{flow.pageSocket, 0u}, std::pair{flow.farSocket, 1u}}) {
    const auto number = static_cast<std::size_t>(socket);
    if (number >= bySocket_.size()) bySocket_.resize(number + 1, kNone);
    bySocket_[number] = index * 2 + far;
  }
  return *flows_.emplace_back(std::make_unique<Flow>(std::move(flow)));
}

void Media::run(Duration time, bool sending) {
  const TimePoint now = loop::monotonicNow();
  ends_ = now + time;
  sending_ = sending;
  if (sending) began_ = now - turn(turns_);
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
    const bool farEnd = owner % 2 == 1;
    const bool media = farEnd ? rtp::classify(datagram.bytes()) == rtp::PacketClass::Rtp
                              : flows_[owner / 2]->page->receive(now, datagram);
    if (media) count(now, datagram.bytes());
  }
}

void Media::count(TimePoint now, Bytes packet) {
  const auto view = rtp::PacketView::parse(packet);
  if (!view || view->payload().size() != kPayloadBytes) return;
  ++tally_.received;
  if (tally_.delays.size() == kDelaysMax) return;
  const auto delay = stamp(now) - loadBigEndian<std::uint64_t>(view->payload().data());
  tally_.delays.push_back(static_cast<std::uint32_t>(delay / 1000));
}

// Every end of every flow has a turn each 20 ms, evenly spread: pages have the even ones.
Duration Media::turn(std::uint64_t number) const {
  return kPacketTime * static_cast<std::int64_t>(number) / static_cast<std::int64_t>(flows_.size() * 2);
}

void Media::sendDue(TimePoint now) {
  for (; began_ + turn(turns_) <= now; ++turns_) {
    Flow& flow = *flows_[turns_ / 2 % flows_.size()];
    if (turns_ % 2 == 0)
      sendFromPage(flow);
    else
      sendFromFarEnd(flow);
  }
}

std::uint32_t Media::write(MutableBytes buffer, const Flow& flow, std::uint32_t ssrc) const {
  ByteWriter writer(buffer);
  rtp::writeHeader(writer,
                   {.payloadType = 0, .sequenceNumber = flow.sequence, .timestamp = flow.timestamp, .ssrc = ssrc});
  writer.write(stamp(loop::monotonicNow()));
  writer.fill(kPayloadBytes - 8, 0xd5);
  return static_cast<std::uint32_t>(writer.size());
}

void Media::sendFromPage(Flow& flow) {
  std::array<std::uint8_t, kDatagramCapacity> buffer;
  Datagram datagram{.data = buffer.data(), .size = write(buffer, flow, flow.pageSsrc), .capacity = buffer.size()};
  ++tally_.sent;
  if (flow.page->protect(datagram)) sockets_.send(flow.pageSocket, datagram.remote, datagram.bytes());
}

void Media::sendFromFarEnd(Flow& flow) {
  std::array<std::uint8_t, kDatagramCapacity> buffer;
  const std::uint32_t size = write(buffer, flow, flow.farSsrc);
  ++tally_.sent;
  sockets_.send(flow.farSocket, flow.farTarget, Bytes(buffer).first(size));
  ++flow.sequence;
  flow.timestamp += 160;
}

void Media::handleWakeUp(TimePoint now) {
  sockets_.deliver(now);
  if (tick) tick(now);
  if (sending_) sendDue(now);
  sockets_.flush();
  if (now >= ends_ || (done_ != nullptr && (*done_)())) loop_.stop();
}

std::optional<TimePoint> Media::nextTimeout() const {
  const TimePoint latest = loop::monotonicNow() + kTick;
  return sending_ ? std::min(latest, began_ + turn(turns_)) : latest;
}

}  // namespace crosspoint::bench
