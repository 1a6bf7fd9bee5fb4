#include "bench/media.h"

#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <array>

#include "core/rtp/classify.h"
#include "core/rtp/packet.h"
#include "io/loop/clock.h"

namespace crosspoint::bench {
namespace {

constexpr std::uint32_t kNone = 0xffffffff;
constexpr Duration kStep = std::chrono::microseconds(100);
constexpr std::size_t kDelaysMax = 500'000;

// An RTP packet that carries the time of its sending.
std::uint32_t write(MutableBytes buffer, const Flow& flow, std::uint32_t ssrc) {
  ByteWriter writer(buffer);
  rtp::writeHeader(writer,
                   {.payloadType = 0, .sequenceNumber = flow.sequence, .timestamp = flow.timestamp, .ssrc = ssrc});
  writer.write(static_cast<std::uint64_t>(loop::wallNow().time_since_epoch().count()));
  writer.fill(kPayloadBytes - 8, 0xd5);
  return static_cast<std::uint32_t>(writer.size());
}

void sleepUntil(TimePoint when) {
  const auto since = when.time_since_epoch();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since);
  const timespec at{.tv_sec = static_cast<time_t>(seconds.count()),
                    .tv_nsec = static_cast<long>((since - seconds).count())};
  ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr);
}

}  // namespace

Media::Media() {
  ::prctl(PR_SET_TIMERSLACK, 1UL);  // else a sleep takes 50 us longer
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
  const TimePoint begin = loop::monotonicNow();
  if (sending) began_ = begin - turn(turns_);
  for (TimePoint now = begin; now < begin + time; now = loop::monotonicNow()) {
    step(now, sending);
    sleepUntil(now + kStep);
  }
}

bool Media::runUntil(Duration limit, const std::function<bool()>& done) {
  const TimePoint ends = loop::monotonicNow() + limit;
  while (!done()) {
    const TimePoint now = loop::monotonicNow();
    if (now >= ends) return false;
    step(now, false);
    sleepUntil(now + kStep);
  }
  return true;
}

void Media::step(TimePoint now, bool sending) {
  sockets_.receive([&](WallTime received, Datagram& datagram) { receive(now, received, datagram); });
  if (tick) tick(now);
  if (!sending) return;
  for (; began_ + turn(turns_) <= now; ++turns_) {
    Flow& flow = *flows_[turns_ / 2 % flows_.size()];
    if (turns_ % 2 == 0) {
      sendFromPage(flow);
    } else {
      sendFromFarEnd(flow);
    }
  }
}

// Every end of every flow has a turn each 20 ms, evenly spread: pages have the even ones.
Duration Media::turn(std::uint64_t number) const {
  return kPacketTime * static_cast<std::int64_t>(number) / static_cast<std::int64_t>(flows_.size() * 2);
}

void Media::receive(TimePoint now, WallTime received, Datagram& datagram) {
  const auto number = static_cast<std::size_t>(datagram.socket);
  const std::uint32_t owner = number < bySocket_.size() ? bySocket_[number] : kNone;
  if (owner == kNone) return;
  const bool farEnd = owner % 2 == 1;
  const bool media = farEnd ? rtp::classify(datagram.bytes()) == rtp::PacketClass::Rtp
                            : flows_[owner / 2]->page->receive(now, datagram);
  if (media) count(received, datagram.bytes());
}

void Media::count(WallTime received, Bytes packet) {
  const auto view = rtp::PacketView::parse(packet);
  if (!view || view->payload().size() != kPayloadBytes) return;
  ++tally_.received;
  if (tally_.delays.size() == kDelaysMax) return;
  const auto sent = Duration(static_cast<std::int64_t>(loadBigEndian<std::uint64_t>(view->payload().data())));
  const auto delay = std::chrono::duration_cast<std::chrono::microseconds>(received.time_since_epoch() - sent);
  tally_.delays.push_back(static_cast<std::uint32_t>(std::max<std::int64_t>(delay.count(), 0)));
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

}  // namespace crosspoint::bench
