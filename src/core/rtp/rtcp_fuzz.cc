// RTCP compounds as strangers send them: read in full, and taken by a session.
#include "core/rtp/rtcp.h"
#include "core/rtp/rtcp_session.h"
#include "tests/support/seeded_random.h"

using namespace crosspoint;

namespace {

void readAll(rtp::CompoundView compound) {
  std::size_t bytes = 0;
  while (auto packet = compound.next()) {
    if (auto* report = std::get_if<rtp::SenderReportView>(&*packet)) {
      for (std::size_t i = 0; i < report->blocks.size(); ++i) bytes += report->blocks[i].jitter & 1;
    }
    if (auto* description = std::get_if<rtp::SourceDescriptionView>(&*packet)) {
      while (auto cname = description->next()) bytes += cname->text.size();
    }
    if (auto* bye = std::get_if<rtp::ByeView>(&*packet)) {
      for (char c : bye->reason) bytes += static_cast<std::size_t>(c) & 1;
    }
    if (auto* unknown = std::get_if<rtp::UnknownView>(&*packet)) bytes += unknown->bytes.size();
  }
  (void)bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes bytes(data, size);
  if (auto compound = rtp::CompoundView::parse(bytes)) readAll(*compound);
  test::SeededRandom random{1};
  rtp::RtcpSession session({.cname = "c", .ssrc = 1, .clock = {}}, random, TimePoint{});
  session.addSender(1, 8000);
  session.addSender(0x01020304, 8000);
  session.handleRtcp(TimePoint{} + 1s, bytes);
  session.handleTimeout(TimePoint{} + 10s);
  while (session.pollOutput()) {
  }
  return 0;
}
