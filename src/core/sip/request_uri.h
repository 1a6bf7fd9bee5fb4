// What of an address may stand in a Request-URI (RFC 3261 §19.1.1): neither headers nor a method.
#pragma once
#include "core/params/media.h"
#include "core/sip/uri.h"

namespace crosspoint::sip {

inline Uri asRequestUri(Uri uri) {
  uri.headers.clear();
  std::erase_if(uri.parameters, [](const Parameter& parameter) { return namesEqual(parameter.name, "method"); });
  return uri;
}

}  // namespace crosspoint::sip
