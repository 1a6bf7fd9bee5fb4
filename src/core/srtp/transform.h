// The two ways in which SRTP encrypts and authenticates one packet whose index is known (RFC 3711 §4, RFC 7714 §8, §9).
//
// Both have the same four functions. A packet is `header` bytes in clear, then what is encrypted, then the tag; RTCP
// also carries a 32-bit word: encryption flag and index.
#pragma once
#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "core/params/transport.h"
#include "crypto/cipher.h"
#include "crypto/hmac.h"

namespace crosspoint::srtp {

inline constexpr std::uint32_t kRtcpEncryptedFlag = 0x80000000;
inline constexpr std::size_t kRtcpHeaderBytes = 8;  // in clear: first header word and SSRC

// AES_CM_128_HMAC_SHA1_80. Encrypt-then-authenticate: RTP tag over packet and rollover counter, RTCP tag over packet
// and index word.
class CounterHmacTransform {
 public:
  static constexpr std::size_t kTagBytes = 10;
  static constexpr std::size_t kMasterSaltBytes = 14;
  CounterHmacTransform(const SrtpKey& key, bool sealing);

  // `packet` is header and payload; the tag is written behind it, where there is room.
  void sealRtp(MutableBytes packet, std::size_t header, std::uint32_t ssrc, std::uint64_t index);
  // `packet` includes the tag. False: not authentic.
  bool openRtp(MutableBytes packet, std::size_t header, std::uint32_t ssrc, std::uint64_t index);
  void sealRtcp(MutableBytes packet, std::uint32_t ssrc, std::uint32_t index);
  // `packet` includes tag and index word.
  bool openRtcp(MutableBytes packet, std::uint32_t ssrc, std::uint32_t indexWord);
  // Where the index word lies in a packet of `size` bytes.
  static std::size_t indexWordAt(std::size_t size) { return size - kTagBytes - 4; }

 private:
  using Salt = std::array<std::uint8_t, 14>;
  crypto::AesCounter rtpCipher_, rtcpCipher_;
  crypto::HmacSha1 rtpHmac_, rtcpHmac_;
  Salt rtpSalt_, rtcpSalt_;
};

// AEAD_AES_128_GCM. The header (RTCP: and the index word, which comes after the tag) is associated data.
class GcmTransform {
 public:
  static constexpr std::size_t kTagBytes = crypto::AesGcm::kTagBytes;
  static constexpr std::size_t kMasterSaltBytes = 12;
  GcmTransform(const SrtpKey& key, bool sealing);

  void sealRtp(MutableBytes packet, std::size_t header, std::uint32_t ssrc, std::uint64_t index);
  bool openRtp(MutableBytes packet, std::size_t header, std::uint32_t ssrc, std::uint64_t index);
  void sealRtcp(MutableBytes packet, std::uint32_t ssrc, std::uint32_t index);
  bool openRtcp(MutableBytes packet, std::uint32_t ssrc, std::uint32_t indexWord);
  static std::size_t indexWordAt(std::size_t size) { return size - 4; }

 private:
  using Salt = std::array<std::uint8_t, 12>;
  crypto::AesGcm rtpCipher_, rtcpCipher_;
  Salt rtpSalt_, rtcpSalt_;
};

}  // namespace crosspoint::srtp
