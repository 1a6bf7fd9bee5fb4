// Key derivation (RFC 3711 §4.3, RFC 7714 §11), initialisation vectors and tags of the two transforms.
#include "core/srtp/transform.h"

#include "core/srtp/keys.h"
#include "crypto/hash.h"

namespace crosspoint::srtp {
namespace {

crypto::AesCounter deriveCounter(const SrtpKey& key, Label label) {
  return crypto::AesCounter(derive<crypto::kAes128KeyBytes>(key, label));
}
crypto::HmacSha1 deriveHmac(const SrtpKey& key, Label label) { return crypto::HmacSha1(derive<20>(key, label)); }
crypto::AesGcm deriveGcm(const SrtpKey& key, Label label, bool sealing) {
  return crypto::AesGcm(sealing ? crypto::AesGcm::Use::Seal : crypto::AesGcm::Use::Open,
                        derive<crypto::kAes128KeyBytes>(key, label));
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
