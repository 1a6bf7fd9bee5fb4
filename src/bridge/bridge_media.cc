// Which call a datagram belongs to: its own port towards SIP, or what the demultiplexer knows of the browser's address.
#include "bridge/bridge_impl.h"
#include "core/rtp/classify.h"

namespace crosspoint::bridge {
namespace {

// `visit(index, stream)` for each socket that a call or one of its legs has towards SIP.
template <typename Owner, typename Visit>
void forEachSocket(const Owner& owner, Visit visit) {
  for (std::size_t stream = 0; stream < call::kStreams; ++stream) {
    const auto& ports = owner.ports(stream);
    if (!ports) continue;
    for (const SocketId socket : {ports->rtp, ports->rtcp}) visit(static_cast<std::size_t>(socket), stream);
  }
}

}  // namespace

void Bridge::Impl::claimSockets(const Call& call) {
  forEachSocket(call, [&](std::size_t index, std::size_t stream) {
    if (index >= sipSockets_.size()) sipSockets_.resize(index + 1);
    sipSockets_[index] = {call.slot(), static_cast<std::uint8_t>(stream), true};
  });
}

void Bridge::Impl::releaseSockets(const SipLeg& leg) {
  forEachSocket(leg, [&](std::size_t index, std::size_t) {
    if (index < sipSockets_.size()) sipSockets_[index] = {};
  });
}

void Bridge::Impl::handleDatagrams(TimePoint now, std::span<Datagram> batch) {
  for (Datagram& datagram : batch) {
    const auto index = static_cast<std::size_t>(datagram.socket);
    if (index < sipSockets_.size() && sipSockets_[index].used) {
      const SipSocket& owner = sipSockets_[index];
      calls_[owner.slot]->handleSipDatagram(now, owner.stream, datagram);
      continue;
    }
    const auto handle = isIceSocket(datagram.socket) ? demultiplexer_.find(datagram) : std::nullopt;
    if (!handle || !calls_[*handle]) {
      ++counters_.packetsDropped;
      continue;
    }
    const bool media = rtp::classify(datagram.bytes()) >= rtp::PacketClass::Rtp;
    calls_[*handle]->handleBrowserDatagram(now, datagram);
    if (!media) touched_.push_back(*handle);
  }
  if (!touched_.empty()) settle(now);
}

}  // namespace crosspoint::bridge
