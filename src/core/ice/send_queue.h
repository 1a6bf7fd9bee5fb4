// Datagrams that wait to be polled.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "core/ice/limits.h"
#include "core/ice/types.h"

namespace crosspoint::ice {

// First in, first out. Once it has grown to what one drain needs it allocates no more.
class SendQueue {
 public:
  // The new datagram, to be written into; nullptr if there is no room. Good until the next call.
  SendDatagram* add(SocketId socket, const SocketAddress& remote) {
    if (waiting_.size() == kSendsQueuedMax) {
      ++dropped_;
      return nullptr;
    }
    SendDatagram& added = waiting_.emplace_back();
    added.socket = socket;
    added.remote = remote;
    return &added;
  }

  // What could not be written is left out.
  std::optional<SendDatagram> poll() {
    while (taken_ < waiting_.size() && waiting_[taken_].bytes().empty()) ++taken_;
    std::optional<SendDatagram> next;
    if (taken_ < waiting_.size()) next = waiting_[taken_++];
    if (taken_ == waiting_.size()) {
      waiting_.clear();
      taken_ = 0;
    }
    return next;
  }

  std::uint64_t dropped() const { return dropped_; }

 private:
  std::vector<SendDatagram> waiting_;
  std::size_t taken_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace crosspoint::ice
