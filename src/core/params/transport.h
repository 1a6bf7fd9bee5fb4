// What two ends of a transport tell each other: ICE credentials and candidates, DTLS roles and fingerprints, SRTP keys.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "base/address.h"
#include "base/bytes.h"

namespace crosspoint {

struct IceCredentials {
  std::string ufrag;     // RFC 8445 §5.3: 4 to 256 ice-chars
  std::string password;  // 22 to 256 ice-chars
  bool operator==(const IceCredentials&) const = default;
};

enum class CandidateType : std::uint8_t { Host, ServerReflexive, PeerReflexive, Relayed };
enum class CandidateTransport : std::uint8_t { Udp, Tcp };

struct Candidate {
  std::string foundation;
  std::uint16_t component = 1;
  CandidateTransport transport = CandidateTransport::Udp;
  std::uint32_t priority = 0;
  SocketAddress address;
  std::string
      hostName;  // set instead of `address.ip` where the text held a name (mDNS); such a candidate is never resolved
  CandidateType type = CandidateType::Host;
  std::optional<SocketAddress> related;
  bool operator==(const Candidate&) const = default;
};

enum class DtlsSetup : std::uint8_t { ActPass, Active, Passive };

struct Fingerprint {
  std::string algorithm;  // lower case, "sha-256"
  ByteVector digest;
  bool operator==(const Fingerprint&) const = default;
};

enum class SrtpProfile : std::uint16_t {
  Aes128CmSha1_80 = 0x0001,
  AeadAes128Gcm = 0x0007
};  // RFC 5764 §4.1.2, RFC 7714 §14.2

// Master key and salt of one direction.
struct SrtpKey {
  SrtpProfile profile = SrtpProfile::AeadAes128Gcm;
  ByteVector masterKey;   // 16 bytes
  ByteVector masterSalt;  // 14 bytes for CM, 12 for GCM
};

}  // namespace crosspoint
