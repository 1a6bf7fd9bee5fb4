#include "io/sip/from_sofia.h"

#include <algorithm>

#include "base/scan.h"
#include "core/params/media.h"
#include "io/sip/multipart.h"

namespace crosspoint::sip {
namespace {

constexpr std::size_t kParametersMax = 32;  // of one header

std::string bounded(const char* value) {
  const auto view = text(value);
  return std::string(view.substr(0, std::min(view.size(), kHeaderValueBytesMax)));
}

bool fits(const char* value) { return text(value).size() <= kHeaderValueBytesMax; }

std::optional<std::uint32_t> number(const char* value) { return toNumber<std::uint32_t>(text(value)); }

std::uint32_t clamped(unsigned long value) {
  return static_cast<std::uint32_t>(std::min<unsigned long>(value, 0xffffffffUL));
}

// A display name or parameter as plain text: without the quotes and the backslashes of a quoted-string (RFC 3261
// §25.1).
std::string unquoted(const char* value) {
  const std::string quoted = bounded(value);
  if (quoted.size() < 2 || quoted.front() != '"' || quoted.back() != '"') return quoted;
  std::string plain;
  for (std::size_t i = 1; i + 1 < quoted.size(); ++i) {
    if (quoted[i] == '\\' && i + 2 < quoted.size()) ++i;
    plain += quoted[i];
  }
  return plain;
}

Parameters parametersFrom(const msg_param_t* list, std::string_view without = {}) {
  Parameters parameters;
  for (; list && *list && parameters.size() < kParametersMax; ++list) {
    const auto entry = text(*list);
    if (entry.size() > kHeaderValueBytesMax) continue;
    const auto equals = entry.find('=');
    const auto name = entry.substr(0, equals);
    if (!without.empty() && namesEqual(name, without)) continue;
    parameters.push_back(
        {std::string(name), equals == std::string_view::npos ? std::string() : std::string(entry.substr(equals + 1))});
  }
  return parameters;
}

std::vector<std::string> itemsFrom(const msg_list_t* header) {
  std::vector<std::string> items;
  for (; header; header = header->k_next) {
    for (const msg_param_t* item = header->k_items; item && *item && items.size() < kOptionTagsMax; ++item) {
      if (fits(*item)) items.emplace_back(*item);
    }
  }
  return items;
}

std::optional<NameAddr> nameAddrFrom(const char* display, const url_t* url, const msg_param_t* parameters) {
  auto uri = uriFromSofia(url);
  if (!uri) return std::nullopt;
  return NameAddr{
      .display = unquoted(display), .uri = std::move(*uri), .tag = {}, .parameters = parametersFrom(parameters)};
}

std::optional<NameAddr> addressFrom(const sip_addr_t* header) {
  if (!header || !fits(header->a_tag)) return std::nullopt;
  auto address = nameAddrFrom(header->a_display, header->a_url, nullptr);
  if (!address) return std::nullopt;
  address->tag = text(header->a_tag);
  address->parameters = parametersFrom(header->a_params, "tag");
  return address;
}

// Nothing if one of them is not readable or there are too many: a route that lacks a hop leads elsewhere.
std::optional<std::vector<NameAddr>> routesFrom(const sip_route_t* header) {
  std::vector<NameAddr> routes;
  for (; header; header = header->r_next) {
    auto route = nameAddrFrom(header->r_display, header->r_url, header->r_params);
    if (!route || routes.size() >= kRoutesMax) return std::nullopt;
    routes.push_back(std::move(*route));
  }
  return routes;
}

void readContacts(const sip_contact_t* header, Message& message) {
  for (; header; header = header->m_next) {
    if (header->m_url->url_type == url_any) {
      message.contactStar = true;
    } else if (auto contact = nameAddrFrom(header->m_display, header->m_url, header->m_params);
               contact && message.contacts.size() < kContactsMax) {
      message.contacts.push_back(std::move(*contact));
    }
  }
}

// Expires as seconds. A date (RFC 2543's form) is nothing we follow.
std::optional<std::uint32_t> expiresFrom(const sip_expires_t* header) {
  if (!header || header->ex_date) return std::nullopt;
  return clamped(header->ex_delta);
}

std::string encoded(const sip_header_t* header) {
  char buffer[kHeaderValueBytesMax];
  const auto size = msg_header_field_e(buffer, sizeof buffer, reinterpret_cast<const msg_header_t*>(header), 0);
  return size > 0 && static_cast<std::size_t>(size) < sizeof buffer
             ? std::string(buffer, static_cast<std::size_t>(size))
             : std::string();
}

std::vector<std::string> acceptFrom(const sip_accept_t* header) {
  std::vector<std::string> types;
  for (; header && types.size() < kOptionTagsMax; header = header->ac_next) {
    if (header->ac_type && fits(header->ac_type)) types.emplace_back(header->ac_type);
  }
  return types;
}

bool hasField(const msg_hclass_t* kind) {
  static const msg_hclass_t* const kKnown[] = {
      sip_request_class,
      sip_status_class,
      sip_via_class,
      sip_from_class,
      sip_to_class,
      sip_call_id_class,
      sip_cseq_class,
      sip_contact_class,
      sip_record_route_class,
      sip_route_class,
      sip_expires_class,
      sip_retry_after_class,
      sip_supported_class,
      sip_require_class,
      sip_allow_class,
      sip_allow_events_class,
      sip_accept_class,
      sip_user_agent_class,
      sip_server_class,
      sip_session_expires_class,
      sip_min_se_class,
      sip_reason_class,
      sip_content_type_class,
      sip_content_length_class,
      sip_max_forwards_class,
      sip_authorization_class,
      sip_proxy_authorization_class,
      sip_www_authenticate_class,
      sip_proxy_authenticate_class,
      sip_unsupported_class,
      sip_min_expires_class,
      sip_rseq_class,
      sip_rack_class,
      sip_refer_to_class,
      sip_referred_by_class,
      sip_replaces_class,
      sip_event_class,
      sip_subscription_state_class,
      sip_separator_class,
      sip_payload_class,
      sip_service_route_class,
      sip_error_class,
      sip_timestamp_class,
  };
  return std::find(std::begin(kKnown), std::end(kKnown), kind) != std::end(kKnown);
}

// Refer-Sub (RFC 4488 §4), which sip_t has no member for. False: it is another header.
bool readReferSub(const Header& header, Message& message) {
  if (!namesEqual(header.name, "Refer-Sub")) return false;
  const auto value = std::string_view(header.value).substr(0, header.value.find_first_of("; \t"));
  message.referSub = !namesEqual(value, "false");
  return true;
}

// The rest, in the order in which they stand in the message.
void readExtraHeaders(const sip_header_t* header, Message& message) {
  for (; header && message.extraHeaders.size() < kExtraHeadersMax;
       header = reinterpret_cast<const sip_header_t*>(header->sh_succ)) {
    if (!header->sh_class || hasField(header->sh_class)) continue;
    Header extra;
    if (header->sh_class == sip_unknown_class) {
      const sip_unknown_t* unknown = header->sh_unknown;
      if (!fits(unknown->un_name) || !fits(unknown->un_value)) continue;
      extra = {std::string(text(unknown->un_name)), std::string(text(unknown->un_value))};
    } else {
      extra = {std::string(text(header->sh_class->hc_name)), encoded(header)};
    }
    if (readReferSub(extra, message)) continue;
    if (!extra.name.empty()) message.extraHeaders.push_back(std::move(extra));
  }
}

void readSessionTimer(const sip_t* sip, Message& message) {
  if (const auto* timer = sip->sip_session_expires) {
    SessionExpires expires{.seconds = clamped(timer->x_delta)};
    if (namesEqual(text(timer->x_refresher), "uac")) expires.refresher = SessionExpires::Refresher::Uac;
    if (namesEqual(text(timer->x_refresher), "uas")) expires.refresher = SessionExpires::Refresher::Uas;
    message.sessionExpires = expires;
  }
  if (sip->sip_min_se) message.minSe = clamped(sip->sip_min_se->min_delta);
}

// RFC 3261 §20.12: a body in a coding that nobody undoes here.
bool isEncoded(const sip_t* sip) {
  const auto codings = itemsFrom(sip->sip_content_encoding);
  return sip->sip_payload && std::ranges::any_of(codings, [](const auto& c) { return !namesEqual(c, "identity"); });
}

// RFC 3261 §20.11: a body that is not SDP and that its sender can do without.
bool isDispensable(const sip_t* sip, const Message& message) {
  const bool negotiates =
      message.method == Method::Invite || message.method == Method::Update || message.method == Method::Prack;
  return negotiates && sip->sip_content_disposition && sip->sip_content_disposition->cd_optional &&
         sip->sip_content_type && !namesEqual(text(sip->sip_content_type->c_type), "application/sdp");
}

void readBody(const sip_t* sip, Message& message) {
  if (isEncoded(sip)) return;
  if (sip->sip_content_type) {
    message.contentType = encoded(reinterpret_cast<const sip_header_t*>(sip->sip_content_type));
  }
  if (!sip->sip_payload || !sip->sip_payload->pl_data) return;
  const std::string_view body(sip->sip_payload->pl_data, sip->sip_payload->pl_len);
  if (const auto sdp = findSdpPart(message.contentType, body)) {
    message.body = sdp->body;
    message.contentType = std::string(sdp->contentType);
  } else if (isDispensable(sip, message)) {
    message.contentType.clear();
  } else {
    message.body = body;
  }
}

// Whether a header of that kind was there that could not be read (sofia-sip keeps its name), or stood there twice where
// there may be one (it keeps the header itself).
bool isBad(const sip_t* sip, const msg_hclass_t* kind) {
  for (const auto* bad = sip->sip_error; bad; bad = bad->er_next) {
    if (bad->er_common->h_class == kind) return true;
    if (bad->er_common->h_class == sip_error_class && namesEqual(text(bad->er_name), text(kind->hc_name))) return true;
  }
  return false;
}

// What requests and responses share. False: not readable.
bool readCommon(const sip_t* sip, const sip_header_t* firstLine, Message& message) {
  if (!sip->sip_call_id || !fits(sip->sip_call_id->i_id) || !sip->sip_cseq) return false;
  auto from = addressFrom(sip->sip_from);
  auto to = addressFrom(sip->sip_to);
  auto recordRoutes = routesFrom(sip->sip_record_route);
  if (!from || !to || !recordRoutes) return false;
  message.from = std::move(*from);
  message.to = std::move(*to);
  message.recordRoutes = std::move(*recordRoutes);
  message.callId = text(sip->sip_call_id->i_id);
  message.cseq = sip->sip_cseq->cs_seq;
  const auto method = text(sip->sip_cseq->cs_method_name);
  if (method.empty() || method.size() > kHeaderValueBytesMax) return false;
  message.method = methodFromText(method);
  if (message.method == Method::Other) message.methodName = method;

  readContacts(sip->sip_contact, message);
  message.expires = expiresFrom(sip->sip_expires);
  if (sip->sip_retry_after) message.retryAfter = clamped(sip->sip_retry_after->af_delta);
  message.supported = itemsFrom(sip->sip_supported);
  message.require = itemsFrom(sip->sip_require);
  message.allow = itemsFrom(reinterpret_cast<const msg_list_t*>(sip->sip_allow));  // a list with a bitmap behind it
  message.allowEvents = itemsFrom(sip->sip_allow_events);
  message.accept = acceptFrom(sip->sip_accept);
  const auto* product = sip->sip_request ? sip->sip_user_agent : sip->sip_server;
  if (product) message.userAgent = bounded(product->g_string);
  readSessionTimer(sip, message);
  message.reasons = reasonsFromSofia(sip);
  if (sip->sip_payload && sip->sip_payload->pl_len > kBodyBytesMax) return false;
  readBody(sip, message);
  readExtraHeaders(firstLine, message);
  return true;
}

void readChallenges(const sip_www_authenticate_t* header, bool proxy, std::vector<Challenge>& into) {
  for (; header && into.size() < kChallengesMax; header = header->au_next) {
    if (!fits(header->au_scheme)) continue;
    into.push_back({proxy, std::string(text(header->au_scheme)), parametersFrom(header->au_params)});
  }
}

void readAuthorizations(const sip_authorization_t* header, bool proxy, std::vector<Authorization>& into) {
  for (; header && into.size() < kChallengesMax; header = header->au_next) {
    if (!fits(header->au_scheme)) continue;
    into.push_back({proxy, std::string(text(header->au_scheme)), parametersFrom(header->au_params)});
  }
}

void readRefer(const sip_t* sip, Request& request) {
  if (const auto* referTo = sip->sip_refer_to) {
    request.referTo = nameAddrFrom(referTo->r_display, referTo->r_url, referTo->r_params);
  }
  if (const auto* referredBy = sip->sip_referred_by) {
    request.referredBy = nameAddrFrom(referredBy->b_display, referredBy->b_url, referredBy->b_params);
  }
  if (const auto* replaces = sip->sip_replaces; replaces && replaces->rp_call_id) {
    request.replaces = Replaces{.callId = bounded(replaces->rp_call_id),
                                .toTag = bounded(replaces->rp_to_tag),
                                .fromTag = bounded(replaces->rp_from_tag),
                                .earlyOnly = replaces->rp_early_only != 0};
  }
  request.referToUnknown = !request.referTo && (sip->sip_refer_to || isBad(sip, sip_refer_to_class));
  // RFC 3891 §3: more than one Replaces, or one beside a Join (RFC 3911, unknown to sofia-sip), is a bad request.
  const auto& extra = request.extraHeaders;
  const bool join = std::any_of(extra.begin(), extra.end(), [](const auto& h) { return namesEqual(h.name, "Join"); });
  request.replacesBad = isBad(sip, sip_replaces_class) || (sip->sip_replaces && (!request.replaces || join));
}

}  // namespace

std::optional<Uri> uriFromSofia(const url_t* url) {
  if (!url) return std::nullopt;
  char buffer[kUriBytesMax + 1];
  const auto size = url_e(buffer, sizeof buffer, url);
  if (size <= 0 || static_cast<std::size_t>(size) > kUriBytesMax) return std::nullopt;
  return Uri::parse(std::string_view(buffer, static_cast<std::size_t>(size)));
}

std::vector<Authorization> authorizationsFromSofia(const sip_t* message) {
  std::vector<Authorization> authorizations;
  readAuthorizations(message->sip_authorization, false, authorizations);
  readAuthorizations(message->sip_proxy_authorization, true, authorizations);
  return authorizations;
}

std::vector<Reason> reasonsFromSofia(const sip_t* message) {
  std::vector<Reason> reasons;
  for (const auto* reason = message->sip_reason; reason && reasons.size() < kOptionTagsMax; reason = reason->re_next) {
    if (!reason->re_protocol || !fits(reason->re_protocol)) continue;
    reasons.push_back({reason->re_protocol, number(reason->re_cause).value_or(0), unquoted(reason->re_text)});
  }
  return reasons;
}

std::expected<Request, int> requestFromSofia(const sip_t* message) {
  Request request;
  if (!message || !message->sip_request) return std::unexpected(400);
  auto uri = uriFromSofia(message->sip_request->rq_url);
  if (!uri) return std::unexpected(416);
  if (message->sip_payload && message->sip_payload->pl_len > kBodyBytesMax) return std::unexpected(413);
  if (!readCommon(message, reinterpret_cast<const sip_header_t*>(message->sip_request), request)) {
    return std::unexpected(400);
  }
  // RFC 3261 §8.2.3; but a call ends whatever is in its BYE.
  const bool bodyMatters = request.method != Method::Bye && request.method != Method::Options;
  if (bodyMatters && isEncoded(message)) return std::unexpected(415);
  auto routes = routesFrom(message->sip_route);
  if (!routes) return std::unexpected(400);
  request.uri = std::move(*uri);
  request.routes = std::move(*routes);
  request.authorizations = authorizationsFromSofia(message);
  if (const auto* rack = message->sip_rack) {
    request.rack = RAck{rack->ra_response, rack->ra_cseq, methodFromText(text(rack->ra_method_name))};
  }
  readRefer(message, request);
  if (message->sip_event) request.event = encoded(reinterpret_cast<const sip_header_t*>(message->sip_event));
  if (message->sip_subscription_state) {
    request.subscriptionState = encoded(reinterpret_cast<const sip_header_t*>(message->sip_subscription_state));
  }
  return request;
}

std::optional<Response> responseFromSofia(const sip_t* message) {
  Response response;
  if (!message || !message->sip_status) return std::nullopt;
  response.status = message->sip_status->st_status;
  if (response.status < 100 || response.status > 699) return std::nullopt;
  if (!readCommon(message, reinterpret_cast<const sip_header_t*>(message->sip_status), response)) return std::nullopt;
  response.reason = bounded(message->sip_status->st_phrase);
  readChallenges(message->sip_www_authenticate, false, response.challenges);
  readChallenges(message->sip_proxy_authenticate, true, response.challenges);
  response.unsupported = itemsFrom(message->sip_unsupported);
  if (message->sip_min_expires) response.minExpires = clamped(message->sip_min_expires->me_delta);
  if (message->sip_rseq) response.rseq = clamped(message->sip_rseq->rs_response);
  response.serviceRoutes = routesFrom(message->sip_service_route).value_or(std::vector<NameAddr>());
  return response;
}

}  // namespace crosspoint::sip
