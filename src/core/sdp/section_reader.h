// One m-line and the lines that follow it, on their way to a MediaSection.
#pragma once
#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/sdp/sdp.h"

namespace crosspoint::sdp {

// What may stand before the first m-line and holds for every section that does not say otherwise (RFC 8839 §5.4, RFC
// 8122 §5, RFC 8866 §5.7 and §6.7).
struct SessionDefaults {
  std::optional<IpAddress> connection;
  std::optional<Direction> direction;
  std::optional<DtlsSetup> setup;
  std::string ufrag, password;
  std::vector<Fingerprint> fingerprints;
};

// Attributes that may stand at either level. True if `name` was one of them, understood or not.
bool readSharedAttribute(std::string_view name, std::string_view value, SessionDefaults& into);

std::optional<IpAddress> parseConnection(std::string_view value);  // "IN IP4 192.0.2.1/127"

class SectionReader {
 public:
  // `value` is what follows "m=".
  static std::expected<SectionReader, std::string> start(std::string_view value);

  void connection(std::string_view value);
  void bandwidth(std::string_view value);
  void attribute(std::string_view name, std::string_view value);
  // Puts together what came in any order.
  MediaSection finish(const SessionDefaults& session) &&;

 private:
  struct Format {
    std::optional<Codec> codec;  // from an rtpmap, or static
    std::string parameters;
    std::vector<std::string> feedback;
  };

  std::optional<std::string> formats(std::string_view words);
  Format* format(std::string_view payloadType);
  bool codecAttribute(std::string_view name, std::string_view value);
  bool streamAttribute(std::string_view name, std::string_view value);
  bool transportAttribute(std::string_view name, std::string_view value);
  void otherAttribute(std::string_view name, std::string_view value);
  void rtpmap(std::string_view value);
  void feedback(std::string_view value);
  void rtcp(std::string_view value);
  void extension(std::string_view value);
  void crypto(std::string_view value);
  void msid(std::string_view value);
  void ssrc(std::string_view value);
  void ssrcGroup(std::string_view value);

  MediaSection section_;
  SessionDefaults own_;
  std::vector<std::uint8_t> order_;  // payload numbers as the m-line lists them
  std::map<std::uint8_t, Format> formats_;
  std::vector<std::string> feedbackForAll_;  // rtcp-fb:*
  std::optional<std::uint16_t> rtcpPort_;    // a=rtcp without an address
};

}  // namespace crosspoint::sdp
