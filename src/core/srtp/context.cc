// Packet indices, replay protection and streams of one SRTP direction (RFC 3711 §3.2, §3.3).
#include "core/srtp/context.h"

#include <algorithm>

#include "base/check.h"
#include "core/rtp/packet.h"

namespace crosspoint::srtp {
namespace {

constexpr std::uint64_t kRtpIndexMax = (std::uint64_t{1} << 48) - 1;
constexpr std::uint32_t kRtcpIndexMax = kRtcpEncryptedFlag - 1;

using Transform = std::variant<CounterHmacTransform, GcmTransform>;

Transform makeTransform(const SrtpKey& key, Direction direction) {
  CROSSPOINT_CHECK(Context::isValid(key));
  const bool sealing = direction == Direction::Send;
  if (key.profile == SrtpProfile::AeadAes128Gcm) return GcmTransform(key, sealing);
  return CounterHmacTransform(key, sealing);
}

// RFC 3711 §3.3.1 and appendix A: the index with this sequence number that is nearest to the newest. Before the first
// packet the rollover counter is 0. Nothing where that would be before the start.
std::optional<std::uint64_t> guessIndex(const StreamState* stream, std::uint16_t sequenceNumber) {
  if (!stream || !stream->rtp.started()) return sequenceNumber;
  const std::uint64_t newest = stream->rtp.newest();
  const auto ahead =
      static_cast<std::int16_t>(static_cast<std::uint16_t>(sequenceNumber - static_cast<std::uint16_t>(newest)));
  if (ahead < 0 && newest < static_cast<std::uint64_t>(-ahead)) return std::nullopt;
  return newest + static_cast<std::uint64_t>(static_cast<std::int64_t>(ahead));
}

std::uint32_t rtpSsrc(Bytes packet) { return loadBigEndian<std::uint32_t>(packet.data() + 8); }
std::uint32_t rtcpSsrc(Bytes packet) { return loadBigEndian<std::uint32_t>(packet.data() + 4); }
bool isRtcp(Bytes packet) { return packet.size() >= kRtcpHeaderBytes && packet[0] >> 6 == 2; }

}  // namespace

bool Context::isValid(const SrtpKey& key) {
  std::size_t salt = 0;
  if (key.profile == SrtpProfile::Aes128CmSha1_80) salt = CounterHmacTransform::kMasterSaltBytes;
  if (key.profile == SrtpProfile::AeadAes128Gcm) salt = GcmTransform::kMasterSaltBytes;
  return salt != 0 && key.masterKey.size() == crypto::kAes128KeyBytes && key.masterSalt.size() == salt;
}

Context::Context(Direction direction, const SrtpKey& key)
    : direction_(direction), profile_(key.profile), transform_(makeTransform(key, direction)) {}

StreamState* Context::find(std::uint32_t ssrc) {
  if (lastUsed_ < streams_.size() && streams_[lastUsed_].ssrc == ssrc) [[likely]]
    return &streams_[lastUsed_];
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    if (streams_[i].ssrc != ssrc) continue;
    lastUsed_ = i;
    return &streams_[i];
  }
  return nullptr;
}

StreamState* Context::findOrMake(std::uint32_t ssrc) {
  if (StreamState* found = find(ssrc)) return found;
  if (streams_.size() >= kStreamsMax) return nullptr;
  lastUsed_ = streams_.size();
  return &streams_.emplace_back(StreamState{.ssrc = ssrc, .rtp = {}, .rtcp = {}});
}

Result Context::protect(MutableBytes buffer, std::size_t size) {
  CROSSPOINT_CHECK(direction_ == Direction::Send && size <= buffer.size());
  const MutableBytes packet = buffer.first(size);
  const auto header = rtp::headerSize(packet);
  if (!header) return std::unexpected(Error::Malformed);
  StreamState* stream = findOrMake(rtpSsrc(packet));
  if (!stream) return std::unexpected(Error::TooManyStreams);
  const auto index = guessIndex(stream, loadBigEndian<std::uint16_t>(packet.data() + 2));
  if (!index || !stream->rtp.isFresh(*index)) return std::unexpected(Error::Replayed);
  if (*index > kRtpIndexMax) return std::unexpected(Error::Exhausted);
  return std::visit(
      [&]<typename T>(T& transform) -> Result {
        if (buffer.size() - size < T::kTagBytes) return std::unexpected(Error::NoRoom);
        transform.sealRtp(packet, *header, stream->ssrc, *index);
        stream->rtp.mark(*index);
        return size + T::kTagBytes;
      },
      transform_);
}

Result Context::unprotect(MutableBytes packet) {
  CROSSPOINT_CHECK(direction_ == Direction::Receive);
  const auto header = rtp::headerSize(packet);
  if (!header) return std::unexpected(Error::Malformed);
  const std::uint32_t ssrc = rtpSsrc(packet);
  StreamState* stream = find(ssrc);
  const auto index = guessIndex(stream, loadBigEndian<std::uint16_t>(packet.data() + 2));
  if (!index || *index > kRtpIndexMax || (stream && !stream->rtp.isFresh(*index)))
    return std::unexpected(Error::Replayed);
  return std::visit(
      [&]<typename T>(T& transform) -> Result {
        if (packet.size() < *header + T::kTagBytes) return std::unexpected(Error::Malformed);
        if (!transform.openRtp(packet, *header, ssrc, *index)) return std::unexpected(Error::Authentication);
        if (!stream) stream = findOrMake(ssrc);
        if (!stream) return std::unexpected(Error::TooManyStreams);
        stream->rtp.mark(*index);
        return packet.size() - T::kTagBytes;
      },
      transform_);
}

// One index counts for all SSRCs of the context, with gaps as each SSRC sees it: no SSRC's index is then ever used
// twice.
Result Context::protectRtcp(MutableBytes buffer, std::size_t size) {
  CROSSPOINT_CHECK(direction_ == Direction::Send && size <= buffer.size());
  const MutableBytes packet = buffer.first(size);
  if (!isRtcp(packet)) return std::unexpected(Error::Malformed);
  StreamState* stream = findOrMake(rtcpSsrc(packet));
  if (!stream) return std::unexpected(Error::TooManyStreams);
  if (rtcpSentIndex_ == kRtcpIndexMax) return std::unexpected(Error::Exhausted);
  return std::visit(
      [&]<typename T>(T& transform) -> Result {
        if (buffer.size() - size < T::kTagBytes + 4) return std::unexpected(Error::NoRoom);
        transform.sealRtcp(packet, stream->ssrc, ++rtcpSentIndex_);
        stream->rtcp.mark(rtcpSentIndex_);
        return size + T::kTagBytes + 4;
      },
      transform_);
}

Result Context::unprotectRtcp(MutableBytes packet) {
  CROSSPOINT_CHECK(direction_ == Direction::Receive);
  if (!isRtcp(packet)) return std::unexpected(Error::Malformed);
  const std::uint32_t ssrc = rtcpSsrc(packet);
  StreamState* stream = find(ssrc);
  return std::visit(
      [&]<typename T>(T& transform) -> Result {
        if (packet.size() < kRtcpHeaderBytes + T::kTagBytes + 4) return std::unexpected(Error::Malformed);
        const auto word = loadBigEndian<std::uint32_t>(packet.data() + T::indexWordAt(packet.size()));
        const std::uint32_t index = word & ~kRtcpEncryptedFlag;
        if (stream && !stream->rtcp.isFresh(index)) return std::unexpected(Error::Replayed);
        if (!transform.openRtcp(packet, ssrc, word)) return std::unexpected(Error::Authentication);
        if (!stream) stream = findOrMake(ssrc);
        if (!stream) return std::unexpected(Error::TooManyStreams);
        stream->rtcp.mark(index);
        return packet.size() - T::kTagBytes - 4;
      },
      transform_);
}

std::optional<std::uint64_t> Context::newestIndex(std::uint32_t ssrc) const {
  for (const StreamState& stream : streams_) {
    if (stream.ssrc == ssrc && stream.rtp.started()) return stream.rtp.newest();
  }
  return std::nullopt;
}

void Context::restore(const std::vector<StreamState>& streams) {
  streams_.assign(streams.begin(),
                  streams.begin() + static_cast<std::ptrdiff_t>(std::min(streams.size(), kStreamsMax)));
  lastUsed_ = 0;
  for (const StreamState& stream : streams_) {
    if (stream.rtcp.started())
      rtcpSentIndex_ = std::max(rtcpSentIndex_, static_cast<std::uint32_t>(stream.rtcp.newest()));
  }
}

}  // namespace crosspoint::srtp
