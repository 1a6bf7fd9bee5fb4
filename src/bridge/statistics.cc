#include "bridge/statistics.h"

#include <algorithm>
#include <boost/json.hpp>

#include "bridge/call.h"

namespace crosspoint::bridge {
namespace {

namespace json = boost::json;

std::int64_t milliseconds(Duration duration) { return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count(); }

std::string codecName(const Codec& codec) {
  if (namesEqual(codec.name, "PCMU")) return "G.711/mu-law";  // as the guide's example writes it
  if (namesEqual(codec.name, "PCMA")) return "G.711/A-law";
  return codec.name;
}

json::object streamJson(const Call& call, std::size_t stream, const std::vector<Codec>& codecs) {
  const auto& rtcp = call.media().browserRtcp();
  json::object rx{{"ssrc", 0}, {"payload", codecs.front().payloadType}, {"packets", 0}, {"bytes", 0}, {"errors", 0},
                  {"rtcp", 0}, {"rtcp_errors", 0}, {"lost", 0}, {"jitter", 0}, {"max_jitter", 0}};
  for (const auto& source : rtcp.sources()) {
    if (source.clockRate() != codecs.front().clockRate) continue;
    rx["ssrc"] = source.ssrc();
    rx["packets"] = source.packets();
    rx["bytes"] = source.payloadBytes();
    rx["lost"] = std::max<std::int64_t>(0, source.cumulativeLost());
    rx["jitter"] = source.jitter();
    rx["max_jitter"] = source.jitterMax();
  }
  json::object tx{{"ssrc", call.media().ssrcToPage(stream)}, {"payload", codecs.front().payloadType}, {"packets", 0}, {"bytes", 0},
                  {"errors", 0}, {"rtcp", 0}, {"rtcp_errors", 0}};
  json::object client{{"packets", 0}, {"lost", 0}, {"jitter", 0}, {"max_jitter", 0}};
  json::object result{{"leg_id", 101 + stream}, {"codec", codecName(codecs.front())}};
  std::int64_t roundTrip = 0, roundTripMax = 0;
  if (const auto* sender = rtcp.sender(call.media().ssrcToPage(stream))) {
    tx["packets"] = sender->packets();
    tx["bytes"] = sender->payloadBytes();
    if (const auto& report = sender->lastReport()) {
      const std::int64_t lost = std::max(0, report->cumulativeLost);
      client["packets"] = std::max<std::int64_t>(0, static_cast<std::int64_t>(sender->packets()) - lost);
      client["lost"] = lost;
      client["jitter"] = report->jitter;
      client["max_jitter"] = report->jitter;
    }
    if (sender->roundTrip()) roundTrip = milliseconds(*sender->roundTrip());
    if (sender->roundTripMax()) roundTripMax = milliseconds(*sender->roundTripMax());
  }
  result["rx"] = std::move(rx);
  result["tx"] = std::move(tx);
  result["client"] = std::move(client);
  result["rtt"] = roundTrip;
  result["rtt_max"] = roundTripMax;
  return result;
}

}  // namespace

std::string statisticsJson(TimePoint now, const WallClockAnchor& clock, const Call& call) {
  json::object result{{"timestamp", milliseconds(clock.at(now).time_since_epoch())}, {"duration", milliseconds(now - call.startedAt())}};
  const auto& media = call.machine().described(call.browserSide());
  if (media[0].present()) result["audio"] = streamJson(call, 0, media[0].codecs);
  if (media[1].present()) result["video"] = streamJson(call, 1, media[1].codecs);
  return json::serialize(result);
}

}  // namespace crosspoint::bridge
