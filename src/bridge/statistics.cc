#include "bridge/statistics.h"

#include <algorithm>
#include <boost/json.hpp>

#include "bridge/call.h"

namespace crosspoint::bridge {
namespace {

namespace json = boost::json;

std::int64_t milliseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

std::string codecName(const Codec& codec) {
  if (namesEqual(codec.name, "PCMU")) return "G.711/mu-law";  // as the guide's example writes it
  if (namesEqual(codec.name, "PCMA")) return "G.711/A-law";
  return codec.name;
}

// The codec in use: of the last packet in either direction, or what comes first where there was none.
const Codec& codecInUse(const Traffic& received, const Traffic& sent, const std::vector<Codec>& codecs) {
  for (const Traffic* traffic : {&sent, &received}) {
    if (traffic->packets == 0) continue;
    for (const auto& codec : codecs) {
      if (codec.payloadType == traffic->payloadType && call::isMediaCodec(codec)) return codec;
    }
  }
  return *std::ranges::find_if(codecs, call::isMediaCodec);
}

json::object receivedJson(const Call& call, std::size_t stream, const Codec& codec, bool first) {
  const MediaPath& media = call.media();
  const Traffic& traffic = media.fromPage(stream);
  std::int64_t lost = 0;
  std::uint32_t jitter = 0, jitterMax = 0;
  for (const std::uint32_t ssrc : media.sourcesFromPage(stream)) {
    const auto* source = media.browserRtcp().source(ssrc);
    if (source == nullptr) continue;
    lost += std::max<std::int64_t>(0, source->cumulativeLost());
    jitterMax = std::max(jitterMax, source->jitterMax());
    if (ssrc == traffic.ssrc) jitter = source->jitter();
  }
  // What cannot be decrypted does not say which stream it is of: it stands with the first.
  const peer::Counters transport = call.peerCounters();
  const std::uint64_t errors = first ? transport.droppedNotAuthentic + transport.droppedMalformed : 0;
  const std::uint64_t rtcpErrors = first ? media.browserRtcp().malformed() : 0;
  return {{"ssrc", traffic.ssrc},       {"payload", traffic.packets > 0 ? traffic.payloadType : codec.payloadType},
          {"packets", traffic.packets}, {"bytes", traffic.bytes},
          {"errors", errors},           {"rtcp", traffic.rtcp},
          {"rtcp_errors", rtcpErrors},  {"lost", lost},
          {"jitter", jitter},           {"max_jitter", jitterMax}};
}

json::object sentJson(const Call& call, std::size_t stream, const Codec& codec) {
  const Traffic& traffic = call.media().toPage(stream);
  return {{"ssrc", call.media().ssrcToPage(stream)},
          {"payload", traffic.packets > 0 ? traffic.payloadType : codec.payloadType},
          {"packets", traffic.packets},
          {"bytes", traffic.bytes},
          {"errors", traffic.errors},
          {"rtcp", traffic.rtcp},
          {"rtcp_errors", 0}};
}

// What the page's RTCP says of what it receives.
json::object clientJson(const rtp::SendStatistics* sender) {
  std::int64_t packets = 0, lost = 0;
  std::uint32_t jitter = 0, jitterMax = 0;
  if (sender != nullptr && sender->lastReport()) {
    lost = std::max<std::int64_t>(0, sender->lastReport()->cumulativeLost);
    packets = std::max<std::int64_t>(0, static_cast<std::int64_t>(sender->packets()) - lost);
    jitter = sender->lastReport()->jitter;
    jitterMax = sender->reportedJitterMax();
  }
  return {{"packets", packets}, {"lost", lost}, {"jitter", jitter}, {"max_jitter", jitterMax}};
}

json::object streamJson(const Call& call, std::size_t stream, const std::vector<Codec>& codecs, bool first) {
  const MediaPath& media = call.media();
  const Codec& codec = codecInUse(media.fromPage(stream), media.toPage(stream), codecs);
  const auto* sender = media.browserRtcp().sender(media.ssrcToPage(stream));
  const auto roundTrip = sender != nullptr ? sender->roundTrip() : std::nullopt;
  const auto roundTripMax = sender != nullptr ? sender->roundTripMax() : std::nullopt;
  return {{"leg_id", 101 + stream},
          {"codec", codecName(codec)},
          {"rx", receivedJson(call, stream, codec, first)},
          {"tx", sentJson(call, stream, codec)},
          {"client", clientJson(sender)},
          {"rtt", milliseconds(roundTrip.value_or(Duration::zero()))},
          {"rtt_max", milliseconds(roundTripMax.value_or(Duration::zero()))},
          {"rtt_average", sender != nullptr ? milliseconds(sender->roundTripAverage()) : 0},
          {"rtt_count", sender != nullptr ? sender->roundTripCount() : 0}};
}

}  // namespace

std::string statisticsJson(TimePoint now, const WallClockAnchor& clock, const Call& call) {
  json::object result{{"timestamp", milliseconds(clock.at(now).time_since_epoch())},
                      {"duration", milliseconds(now - call.startedAt())}};
  const auto& media = call.machine().described(call.browserSide());
  if (media[0].present()) result["audio"] = streamJson(call, 0, media[0].codecs, true);
  if (media[1].present()) result["video"] = streamJson(call, 1, media[1].codecs, !media[0].present());
  return json::serialize(result);
}

}  // namespace crosspoint::bridge
