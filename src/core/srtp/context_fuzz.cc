// SRTP and SRTCP: strangers' bytes never pass and store nothing; our own come back, whatever their shape.
#include "core/srtp/context.h"

using namespace crosspoint;

namespace {

SrtpKey makeKey(SrtpProfile profile) {
  return {profile, ByteVector(16, 0x11), ByteVector(profile == SrtpProfile::AeadAes128Gcm ? 12 : 14, 0x22)};
}

void refuse(SrtpProfile profile, Bytes input) {
  srtp::Context in(srtp::Direction::Receive, makeKey(profile));
  ByteVector rtp(input.begin(), input.end());
  ByteVector rtcp = rtp;
  if (in.unprotect(rtp) || in.unprotectRtcp(rtcp) || !in.streams().empty()) __builtin_trap();
}

void comeBack(SrtpProfile profile, Bytes input) {
  srtp::Context out(srtp::Direction::Send, makeKey(profile));
  srtp::Context in(srtp::Direction::Receive, makeKey(profile));
  const ByteVector original(input.begin(), input.end());
  ByteVector rtp = original;
  rtp.resize(rtp.size() + srtp::kRtpOverheadMax);
  if (auto sealed = out.protect(rtp, original.size())) {
    auto opened = in.unprotect(MutableBytes(rtp).first(*sealed));
    if (!opened || ByteVector(rtp.begin(), rtp.begin() + static_cast<long>(*opened)) != original) __builtin_trap();
  }
  ByteVector rtcp = original;
  rtcp.resize(rtcp.size() + srtp::kRtcpOverheadMax);
  if (auto sealed = out.protectRtcp(rtcp, original.size())) {
    auto opened = in.unprotectRtcp(MutableBytes(rtcp).first(*sealed));
    if (!opened || ByteVector(rtcp.begin(), rtcp.begin() + static_cast<long>(*opened)) != original) __builtin_trap();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (auto profile : {SrtpProfile::Aes128CmSha1_80, SrtpProfile::AeadAes128Gcm}) {
    refuse(profile, {data, size});
    comeBack(profile, {data, size});
  }
  return 0;
}
