// From text to a SessionDescription: lines, the session's own, and one SectionReader per m-line.
#include "core/sdp/scan.h"
#include "core/sdp/section_reader.h"

namespace crosspoint::sdp {
namespace {

class Parser {
 public:
  std::expected<SessionDescription, ParseError> run(std::string_view text) {
    if (text.size() > kBytesMax)
      return error(0, "the description has more than " + std::to_string(kBytesMax) + " bytes");
    for (std::size_t number = 1; !text.empty(); ++number) {
      auto line = takeUntil(text, '\n');
      while (!line.empty() && line.back() == '\r') line.remove_suffix(1);
      if (number > kLinesMax)
        return error(number, "the description has more than " + std::to_string(kLinesMax) + " lines");
      if (line.size() > kLineBytesMax) return error(number, "the line is too long");
      if (trimmed(line).empty()) continue;
      if (auto wrong = take(line)) return error(number, std::move(*wrong));
    }
    if (!versionSeen_) return error(0, "the description is empty");
    endSection();
    return std::move(description_);
  }

 private:
  static std::unexpected<ParseError> error(std::size_t line, std::string message) {
    return std::unexpected(ParseError{line, std::move(message)});
  }

  // Gives what is wrong with the line, if anything.
  std::optional<std::string> take(std::string_view line) {
    if (line.size() < 2 || line[1] != '=') return "the line is not of the form x=...";
    const char type = line[0];
    const auto value = trimmed(line.substr(2));
    if (!versionSeen_) {
      if (type != 'v' || value != "0") return "the description does not start with v=0";
      versionSeen_ = true;
      return std::nullopt;
    }
    if (type == 'm') return startSection(value);
    if (type == 'a') {
      attribute(value);
    } else if (section_) {
      if (type == 'c') section_->connection(value);
      if (type == 'b') section_->bandwidth(value);
    } else {
      sessionLine(type, value);
    }
    return std::nullopt;
  }

  std::optional<std::string> startSection(std::string_view value) {
    endSection();
    if (description_.sections.size() == kSectionsMax) {
      return "the description has more than " + std::to_string(kSectionsMax) + " sections";
    }
    auto started = SectionReader::start(value);
    if (!started) return std::move(started.error());
    section_ = std::move(*started);
    return std::nullopt;
  }

  void endSection() {
    if (!section_) return;
    description_.sections.push_back(std::move(*section_).finish(defaults_));
    section_.reset();
  }

  void sessionLine(char type, std::string_view value) {
    if (type == 'o') {
      origin(value);
    } else if (type == 's') {
      if (value.size() <= kTokenBytesMax) description_.name = value.empty() ? "-" : value;
    } else if (type == 'c') {
      description_.connection = parseConnection(value);
      defaults_.connection = description_.connection;
    }
  }

  // <user> <session id> <version> IN IP4 <address>. A number too large for us, or a host name, is left at its default.
  void origin(std::string_view value) {
    const auto user = takeWord(value);
    if (!user.empty() && user.size() <= kTokenBytesMax) description_.originUser = user;
    description_.sessionId = toNumber<std::uint64_t>(takeWord(value)).value_or(0);
    description_.sessionVersion = toNumber<std::uint64_t>(takeWord(value)).value_or(0);
    description_.originAddress = parseConnection(value).value_or(IpAddress{});
  }

  void attribute(std::string_view line) {
    const auto name = trimmed(takeUntil(line, ':'));
    const auto value = trimmed(line);
    if (section_) {
      section_->attribute(name, value);
    } else if (name == "group") {
      bundle(value);
    } else if (name == "ice-lite") {
      description_.iceLite = true;
    } else {
      readSharedAttribute(name, value, defaults_);
    }
    if (name == "ice-options") iceOptions(value);
  }

  // Firefox says it for the session, Chromium for each section.
  void iceOptions(std::string_view value) {
    for (auto word = takeWord(value); !word.empty(); word = takeWord(value)) {
      if (word == "trickle") description_.trickle = true;
    }
  }

  void bundle(std::string_view value) {
    if (takeWord(value) != "BUNDLE" || description_.bundles.size() == kBundlesMax) return;
    auto& mids = description_.bundles.emplace_back();
    for (auto mid = takeWord(value); !mid.empty() && mids.size() < kSectionsMax; mid = takeWord(value)) {
      if (mid.size() <= kTokenBytesMax) mids.emplace_back(mid);
    }
  }

  SessionDescription description_;
  SessionDefaults defaults_;
  std::optional<SectionReader> section_;
  bool versionSeen_ = false;
};

}  // namespace

std::expected<SessionDescription, ParseError> parse(std::string_view text) { return Parser().run(text); }

}  // namespace crosspoint::sdp
