// Key derivation (RFC 3711 §4.3, RFC 7714 §11), initialisation vectors and tags of the two transforms.
#include "core/srtp/transform.h"

#include "crypto/hash.h"

namespace crosspoint::srtp {
namespace {

enum class Label : std::uint8_t {  // RFC 3711 §4.3.2
  RtpEncryption = 0,
  RtpAuthentication = 1,
  RtpSalt = 2,
  RtcpEncryption = 3,
  RtcpAuthentication = 4,
  RtcpSalt = 5,
};

// AES-CM as the pseudo-random function, with a key derivation rate of 0: x = label << 48 xor master salt, and the key
// is the key stream that starts at x << 16. A 12-byte salt is filled with two zero bytes behind (RFC 7714 §11).
template <std::size_t N>
std::array<std::uint8_t, N> derive(const SrtpKey& key, Label label) {
  crypto::AesCounter::Counter counter{};
  std::memcpy(counter.data(), key.masterSalt.data(), std::min<std::size_t>(key.masterSalt.size(), 14));
  counter[7] ^= static_cast<std::uint8_t>(label);
  std::array<std::uint8_t, N> result{};
  crypto::AesCounter(key.masterKey).apply(counter, result);
  return result;
}

crypto::AesCounter deriveCounter(const SrtpKey& key, Label label) {
  return crypto::AesCounter(derive<crypto::kAes128KeyBytes>(key, label));
}
crypto::HmacSha1 deriveHmac(const SrtpKey& key, Label label) { return crypto::HmacSha1(derive<20>(key, label)); }
crypto::AesGcm deriveGcm(const SrtpKey& key, Label label, bool sealing) {
  return crypto::AesGcm(sealing ? crypto::AesGcm::Use::Seal : crypto::AesGcm::Use::Open,
                        derive<crypto::kAes128KeyBytes>(key, label));
}

// RFC 3711 §4.1.1: salt << 16 xor SSRC << 64 xor index << 16.
crypto::AesCounter::Counter counterFor(const std::array<std::uint8_t, 14>& salt, std::uint32_t ssrc,
                                       std::uint64_t index) {
  std::uint64_t high, low = 0;
  std::memcpy(&high, salt.data(), 8);
  std::memcpy(&low, salt.data() + 8, 6);
  std::array<std::uint8_t, 8> value{};
  storeBigEndian<std::uint32_t>(value.data() + 4, ssrc);
  std::uint64_t mask;
  std::memcpy(&mask, value.data(), 8);
  high ^= mask;
  storeBigEndian<std::uint64_t>(value.data(), index << 16);
  std::memcpy(&mask, value.data(), 8);
  low ^= mask;
  crypto::AesCounter::Counter counter;
  std::memcpy(counter.data(), &high, 8);
  std::memcpy(counter.data() + 8, &low, 8);
  return counter;
}

// RFC 7714 §8.1, §9.1: 00 00 | SSRC | six bytes of index, xor salt. (RTP: rollover counter and sequence number; RTCP:
// 00 00 and the 31-bit index.)
crypto::AesGcm::Nonce nonceFor(const std::array<std::uint8_t, 12>& salt, std::uint32_t ssrc, std::uint64_t index) {
  crypto::AesGcm::Nonce nonce{};
  storeBigEndian<std::uint32_t>(nonce.data() + 2, ssrc);
  storeBigEndian<std::uint16_t>(nonce.data() + 6, static_cast<std::uint16_t>(index >> 32));
  storeBigEndian<std::uint32_t>(nonce.data() + 8, static_cast<std::uint32_t>(index));
  for (std::size_t i = 0; i < nonce.size(); ++i) nonce[i] ^= salt[i];
  return nonce;
}

using IndexWord = std::array<std::uint8_t, 4>;

IndexWord toBytes(std::uint32_t word) {
  IndexWord bytes;
  storeBigEndian(bytes.data(), word);
  return bytes;
}

}  // namespace

CounterHmacTransform::CounterHmacTransform(const SrtpKey& key, bool /*sealing*/)
    : rtpCipher_(deriveCounter(key, Label::RtpEncryption)),
      rtcpCipher_(deriveCounter(key, Label::RtcpEncryption)),
      rtpHmac_(deriveHmac(key, Label::RtpAuthentication)),
      rtcpHmac_(deriveHmac(key, Label::RtcpAuthentication)),
      rtpSalt_(derive<14>(key, Label::RtpSalt)),
      rtcpSalt_(derive<14>(key, Label::RtcpSalt)) {}

void CounterHmacTransform::sealRtp(MutableBytes packet, std::size_t header, std::uint32_t ssrc, std::uint64_t index) {
  rtpCipher_.apply(counterFor(rtpSalt_, ssrc, index), packet.subspan(header));
  const auto tag = rtpHmac_.compute(packet, toBytes(static_cast<std::uint32_t>(index >> 16)));
  std::memcpy(packet.data() + packet.size(), tag.data(), kTagBytes);
}

bool CounterHmacTransform::openRtp(MutableBytes packet, std::size_t header, std::uint32_t ssrc, std::uint64_t index) {
  const MutableBytes authenticated = packet.first(packet.size() - kTagBytes);
  const auto tag = rtpHmac_.compute(authenticated, toBytes(static_cast<std::uint32_t>(index >> 16)));
  if (!crypto::equalInConstantTime(Bytes(tag).first(kTagBytes), packet.last(kTagBytes))) return false;
  rtpCipher_.apply(counterFor(rtpSalt_, ssrc, index), authenticated.subspan(header));
  return true;
}

// RFC 3711 §3.4: the index word lies behind the packet and is authenticated with it.
void CounterHmacTransform::sealRtcp(MutableBytes packet, std::uint32_t ssrc, std::uint32_t index) {
  rtcpCipher_.apply(counterFor(rtcpSalt_, ssrc, index), packet.subspan(kRtcpHeaderBytes));
  std::uint8_t* const end = packet.data() + packet.size();
  storeBigEndian<std::uint32_t>(end, kRtcpEncryptedFlag | index);
  const auto tag = rtcpHmac_.compute(Bytes(packet.data(), packet.size() + 4));
  std::memcpy(end + 4, tag.data(), kTagBytes);
}

bool CounterHmacTransform::openRtcp(MutableBytes packet, std::uint32_t ssrc, std::uint32_t indexWord) {
  const MutableBytes authenticated = packet.first(packet.size() - kTagBytes);
  const auto tag = rtcpHmac_.compute(authenticated);
  if (!crypto::equalInConstantTime(Bytes(tag).first(kTagBytes), packet.last(kTagBytes))) return false;
  if (indexWord & kRtcpEncryptedFlag) {
    const MutableBytes encrypted = authenticated.subspan(kRtcpHeaderBytes, authenticated.size() - kRtcpHeaderBytes - 4);
    rtcpCipher_.apply(counterFor(rtcpSalt_, ssrc, indexWord & ~kRtcpEncryptedFlag), encrypted);
  }
  return true;
}

GcmTransform::GcmTransform(const SrtpKey& key, bool sealing)
    : rtpCipher_(deriveGcm(key, Label::RtpEncryption, sealing)),
      rtcpCipher_(deriveGcm(key, Label::RtcpEncryption, sealing)),
      rtpSalt_(derive<12>(key, Label::RtpSalt)),
      rtcpSalt_(derive<12>(key, Label::RtcpSalt)) {}

void GcmTransform::sealRtp(MutableBytes packet, std::size_t header, std::uint32_t ssrc, std::uint64_t index) {
  const MutableBytes tag(packet.data() + packet.size(), kTagBytes);
  rtpCipher_.seal(nonceFor(rtpSalt_, ssrc, index), packet.first(header), packet.subspan(header), tag);
}

bool GcmTransform::openRtp(MutableBytes packet, std::size_t header, std::uint32_t ssrc, std::uint64_t index) {
  const MutableBytes encrypted = packet.subspan(header, packet.size() - header - kTagBytes);
  return rtpCipher_.open(nonceFor(rtpSalt_, ssrc, index), packet.first(header), encrypted, packet.last(kTagBytes));
}

// RFC 7714 §9.2: associated data is the header in clear and the index word, which is sent behind the tag.
void GcmTransform::sealRtcp(MutableBytes packet, std::uint32_t ssrc, std::uint32_t index) {
  std::array<std::uint8_t, kRtcpHeaderBytes + 4> associated;
  std::memcpy(associated.data(), packet.data(), kRtcpHeaderBytes);
  storeBigEndian<std::uint32_t>(associated.data() + kRtcpHeaderBytes, kRtcpEncryptedFlag | index);
  std::uint8_t* const end = packet.data() + packet.size();
  rtcpCipher_.seal(nonceFor(rtcpSalt_, ssrc, index), associated, packet.subspan(kRtcpHeaderBytes), {end, kTagBytes});
  std::memcpy(end + kTagBytes, associated.data() + kRtcpHeaderBytes, 4);
}

bool GcmTransform::openRtcp(MutableBytes packet, std::uint32_t ssrc, std::uint32_t indexWord) {
  const auto nonce = nonceFor(rtcpSalt_, ssrc, indexWord & ~kRtcpEncryptedFlag);
  const std::size_t body = packet.size() - 4 - kTagBytes;
  const Bytes tag = packet.subspan(body, kTagBytes);
  const Bytes word = packet.last(4);
  if (indexWord & kRtcpEncryptedFlag) {
    std::array<std::uint8_t, kRtcpHeaderBytes + 4> associated;
    std::memcpy(associated.data(), packet.data(), kRtcpHeaderBytes);
    std::memcpy(associated.data() + kRtcpHeaderBytes, word.data(), 4);
    return rtcpCipher_.open(nonce, associated, packet.subspan(kRtcpHeaderBytes, body - kRtcpHeaderBytes), tag);
  }
  // RFC 7714 §9.3: not encrypted, so all of it is associated data.
  return rtcpCipher_.open(nonce, packet.first(body), word, {}, tag);
}

}  // namespace crosspoint::srtp
