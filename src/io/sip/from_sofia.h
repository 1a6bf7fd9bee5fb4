// What sofia-sip has parsed, as the plain values of core/sip. Nothing here trusts the parser to have left a field in
// place, and every list and text keeps the bounds of core/sip/message.h.
#pragma once
#include <expected>
#include <optional>

#include "core/sip/message.h"
#include "io/sip/sofia.h"

namespace crosspoint::sip {

// The error is the status with which to refuse: 400 (a part is missing or not readable), 413 (a body beyond the bound),
// 416 (a Request-URI that is neither sip:, sips: nor tel:).
std::expected<Request, int> requestFromSofia(const sip_t* message);
// Nothing for what no dialog could use.
std::optional<Response> responseFromSofia(const sip_t* message);

std::vector<Reason> reasonsFromSofia(const sip_t* message);
std::vector<Authorization> authorizationsFromSofia(const sip_t* message);
std::optional<Uri> uriFromSofia(const url_t* url);

}  // namespace crosspoint::sip
