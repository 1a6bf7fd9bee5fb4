// Whose is this datagram? Many peers share one UDP socket; they are told apart by where a datagram comes from and, for
// STUN checks from places not seen before, by our own ufrag in the USERNAME (RFC 8445 §7.2.2).
//
// One hash look-up per media packet; a look-up never allocates. Bounded: an address or ufrag above the limit is
// refused, and the newest loses. One thread.
//
//     demux.addUfrag(ufrag, handle);                                  // when a peer is made
//     demux.addAddress(validated.socket, validated.remote, handle);   // at every AddressValidated
//     if (auto handle = demux.find(datagram)) peers[*handle].handleDatagram(now, datagram);
//     demux.remove(handle);                                           // when the peer has gone
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/datagram.h"

namespace crosspoint::peer {

// What a peer whose first ufrag is this puts in front of the transaction ids of its STUN requests.
std::uint32_t transactionPrefix(std::string_view ufrag);

using PeerHandle = std::uint32_t;  // chosen by the owner; small numbers, used again

class Demultiplexer {
 public:
  struct Limits {
    std::size_t addressesMax = 200'000;    // of all peers together
    std::size_t addressesPerPeerMax = 16;  // the oldest of the peer makes room
    std::size_t ufragsPerPeerMax = 2;      // current and, after an ICE restart, the one before; the older makes room
    std::size_t peersMax = 100'000;
  };
  Demultiplexer() : Demultiplexer(Limits{}) {}
  explicit Demultiplexer(const Limits& limits);

  // False: the ufrag belongs to another peer, or there are too many peers.
  bool addUfrag(std::string_view ufrag, PeerHandle handle);
  // An address pair that ICE has validated. It may move from one peer to another (a browser that uses a port again).
  // False: too many.
  bool addAddress(SocketId socket, const SocketAddress& remote, PeerHandle handle);
  // Everything that leads to this peer.
  void remove(PeerHandle handle);

  // STUN requests are found by ufrag first (RFC 8445 §7.3: the address may have belonged to another peer), all else by
  // address.
  std::optional<PeerHandle> find(const Datagram& datagram) const;
  std::optional<PeerHandle> findAddress(SocketId socket, const SocketAddress& remote) const;
  std::optional<PeerHandle> findUfrag(std::string_view ufrag) const;

  std::size_t addresses() const;
  std::size_t ufrags() const;

 private:
  struct Key {
    SocketId socket;
    SocketAddress remote;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept {
      return key.remote.hash() ^ static_cast<std::size_t>(key.socket) * 0x9e3779b97f4a7c15ULL;
    }
  };
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };
  struct Entry {
    std::vector<Key> addresses;       // oldest first
    std::vector<std::string> ufrags;  // oldest first
    std::uint32_t prefix = 0;
  };

  Entry* entry(PeerHandle handle);

  Limits limits_;
  std::unordered_map<Key, PeerHandle, KeyHash> byAddress_;
  std::unordered_map<std::string, PeerHandle, TextHash, std::equal_to<>> byUfrag_;
  std::unordered_map<std::uint32_t, PeerHandle> byPrefix_;
  std::unordered_map<PeerHandle, Entry> entries_;
};

}  // namespace crosspoint::peer
