#include "peer/demultiplexer.h"

#include <algorithm>

#include "core/stun/demultiplex.h"

namespace crosspoint::peer {

// FNV-1a. Two of a hundred thousand peers that share a prefix are found by address and by ufrag all the same.
std::uint32_t transactionPrefix(std::string_view ufrag) {
  std::uint32_t hash = 0x811c9dc5;
  for (const char c : ufrag) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x01000193;
  return hash;
}

Demultiplexer::Demultiplexer(const Limits& limits) : limits_(limits) {}

Demultiplexer::Entry* Demultiplexer::entry(PeerHandle handle) {
  if (const auto found = entries_.find(handle); found != entries_.end()) return &found->second;
  if (entries_.size() >= limits_.peersMax) return nullptr;
  return &entries_[handle];
}

bool Demultiplexer::addUfrag(std::string_view ufrag, PeerHandle handle) {
  if (const auto found = byUfrag_.find(ufrag); found != byUfrag_.end()) return found->second == handle;
  Entry* own = entry(handle);
  if (!own) return false;
  if (own->ufrags.empty()) {
    own->prefix = transactionPrefix(ufrag);
    byPrefix_.emplace(own->prefix, handle);
  }
  if (own->ufrags.size() >= limits_.ufragsPerPeerMax) {
    byUfrag_.erase(own->ufrags.front());
    own->ufrags.erase(own->ufrags.begin());
  }
  own->ufrags.emplace_back(ufrag);
  byUfrag_.emplace(ufrag, handle);
  return true;
}

bool Demultiplexer::addAddress(SocketId socket, const SocketAddress& remote, PeerHandle handle) {
  const Key key{socket, remote};
  const auto found = byAddress_.find(key);
  if (found != byAddress_.end() && found->second == handle) return true;
  if (found == byAddress_.end() && byAddress_.size() >= limits_.addressesMax) return false;
  Entry* own = entry(handle);
  if (!own) return false;
  if (found != byAddress_.end()) {
    if (const auto before = entries_.find(found->second); before != entries_.end()) {
      std::erase(before->second.addresses, key);
    }
    found->second = handle;
  } else {
    byAddress_.emplace(key, handle);
  }
  if (own->addresses.size() >= limits_.addressesPerPeerMax) {
    byAddress_.erase(own->addresses.front());
    own->addresses.erase(own->addresses.begin());
  }
  own->addresses.push_back(key);
  return true;
}

void Demultiplexer::remove(PeerHandle handle) {
  const auto found = entries_.find(handle);
  if (found == entries_.end()) return;
  for (const auto& key : found->second.addresses) byAddress_.erase(key);
  for (const auto& ufrag : found->second.ufrags) byUfrag_.erase(ufrag);
  if (const auto prefix = byPrefix_.find(found->second.prefix); prefix != byPrefix_.end() && prefix->second == handle) {
    byPrefix_.erase(prefix);
  }
  entries_.erase(found);
}

std::optional<PeerHandle> Demultiplexer::find(const Datagram& datagram) const {
  const Bytes bytes = datagram.bytes();
  if (!bytes.empty() && bytes[0] <= 3) {  // STUN (RFC 7983 §7)
    if (const auto ufrag = stun::localUfragOf(bytes)) return findUfrag(*ufrag);
    if (const auto prefix = stun::transactionPrefixOf(bytes)) {
      if (const auto found = byPrefix_.find(*prefix); found != byPrefix_.end()) return found->second;
    }
  }
  return findAddress(datagram.socket, datagram.remote);
}

std::optional<PeerHandle> Demultiplexer::findAddress(SocketId socket, const SocketAddress& remote) const {
  const auto found = byAddress_.find(Key{socket, remote});
  return found == byAddress_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<PeerHandle> Demultiplexer::findUfrag(std::string_view ufrag) const {
  const auto found = byUfrag_.find(ufrag);
  return found == byUfrag_.end() ? std::nullopt : std::optional(found->second);
}

std::size_t Demultiplexer::addresses() const { return byAddress_.size(); }
std::size_t Demultiplexer::ufrags() const { return byUfrag_.size(); }

}  // namespace crosspoint::peer
