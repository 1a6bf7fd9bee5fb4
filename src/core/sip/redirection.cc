#include "core/sip/redirection.h"

#include <algorithm>
#include <utility>

#include "core/sip/request_uri.h"
#include "core/sip/shown_text.h"

namespace crosspoint::sip {
namespace {

// What makes two URIs the same address: all but headers and method, and a host in lower case (RFC 3261 §19.1.4).
std::string keyOf(Uri uri) {
  for (char& c : uri.host) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  }
  return asRequestUri(std::move(uri)).toString();
}

// ";q=0.7" in thousandths; 1 where there is none or it cannot be read (RFC 3261 §20.10).
int qualityOf(const NameAddr& contact) {
  const std::string_view text = findParameter(contact.parameters, "q").value_or("");
  if (text.empty() || text[0] != '0') return 1000;
  int q = 0, unit = 100;
  for (const char c : text.substr(std::min<std::size_t>(2, text.size()))) {
    if (c < '0' || c > '9') return 1000;
    q += (c - '0') * unit;
    unit /= 10;
  }
  return q;
}

}  // namespace

Redirection::Redirection(const Uri& first, std::size_t triesMax)
    : secure_(first.scheme == "sips"), triesLeft_(triesMax), known_{keyOf(first)} {}

void Redirection::handle(const Response& redirect) {
  contacts_ = shownAddresses(redirect.contacts);
  for (const auto& contact : redirect.contacts) {
    Uri uri = contact.uri;
    if (uri.empty() || (secure_ && uri.scheme != "sips")) continue;  // RFC 3261 §8.1.3.4: never less secure
    std::string key = keyOf(uri);
    if (std::ranges::find(known_, key) != known_.end()) continue;  // a loop
    if (known_.size() > kContactsMax) break;
    known_.push_back(std::move(key));
    waiting_.push_back({qualityOf(contact), asRequestUri(std::move(uri))});
  }
  std::ranges::stable_sort(waiting_, std::greater(), &Candidate::q);
}

std::optional<Uri> Redirection::next() {
  if (waiting_.empty() || triesLeft_ == 0) return std::nullopt;
  --triesLeft_;
  Uri uri = std::move(waiting_.front().uri);
  waiting_.erase(waiting_.begin());
  return uri;
}

}  // namespace crosspoint::sip
