#include "io/sip/to_sofia.h"

#include <array>

#include "core/params/media.h"

namespace crosspoint::sip {
namespace {

constexpr unsigned kMaxForwards = 70;  // RFC 3261 §8.1.1.6

std::string quoted(std::string_view plain) {
  std::string result = "\"";
  for (char c : plain) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

std::string textOf(const Parameters& parameters, const char* separator) {
  std::string result;
  for (const auto& parameter : parameters) {
    if (!result.empty() || separator[0] == ';') result += separator;
    result += parameter.name;
    if (!parameter.value.empty()) result += "=" + parameter.value;
  }
  return result;
}

std::string join(const std::vector<std::string>& items) {
  std::string result;
  for (const auto& item : items) result += (result.empty() ? "" : ", ") + item;
  return result;
}

// Adds headers one by one and remembers whether one of them was not readable.
class Builder {
 public:
  explicit Builder(nta_agent_t* agent) : message_(nta_msg_create(agent, 0)), sip_(sip_object(message_.get())) {}

  void add(const msg_hclass_t* kind, const std::string& value) {
    if (!sip_ || sip_add_make(message_.get(), sip_, kind, withoutControls(value).c_str()) < 0) failed_ = true;
  }
  void addIf(bool present, const msg_hclass_t* kind, const std::string& value) {
    if (present) add(kind, value);
  }
  void addNumber(const msg_hclass_t* kind, const std::optional<std::uint32_t>& value) {
    if (value) add(kind, std::to_string(*value));
  }
  void addExtra(const Header& header);
  void setBody(const std::string& contentType, const std::string& body);
  void fail() { failed_ = true; }

  sip_t* sip() { return sip_; }
  su_home_t* home() { return msg_home(message_.get()); }
  MessagePointer take() { return failed_ || !sip_ ? nullptr : std::move(message_); }

 private:
  MessagePointer message_;
  sip_t* sip_;
  bool failed_ = false;
};

bool isToken(std::string_view name) {  // RFC 3261 §25.1
  constexpr std::string_view kOthers = "-.!%*_+`'~";
  for (char c : name) {
    const bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!alphanumeric && kOthers.find(c) == std::string_view::npos) return false;
  }
  return !name.empty();
}

// Headers that have a field, or that are made here: a second one would make the message ambiguous.
bool isManaged(std::string_view name) {
  constexpr auto kNames = std::to_array<std::string_view>({"via",
                                                           "v",
                                                           "from",
                                                           "f",
                                                           "to",
                                                           "t",
                                                           "call-id",
                                                           "i",
                                                           "cseq",
                                                           "contact",
                                                           "m",
                                                           "route",
                                                           "record-route",
                                                           "max-forwards",
                                                           "content-length",
                                                           "l",
                                                           "content-type",
                                                           "c",
                                                           "expires",
                                                           "authorization",
                                                           "proxy-authorization",
                                                           "rseq",
                                                           "rack"});
  for (auto known : kNames) {
    if (namesEqual(known, name)) return true;
  }
  return false;
}

void Builder::addExtra(const Header& header) {
  if (!sip_ || isManaged(header.name)) return;
  if (!isToken(header.name)) return fail();
  const std::string line = header.name + ": " + withoutControls(header.value);
  if (msg_header_add_str(message_.get(), reinterpret_cast<msg_pub_t*>(sip_), line.c_str()) < 0) failed_ = true;
}

void Builder::setBody(const std::string& contentType, const std::string& body) {
  addIf(!contentType.empty(), sip_content_type_class, contentType);
  if (!sip_ || body.empty()) return;
  sip_payload_t* payload = sip_payload_create(home(), body.data(), static_cast<isize_t>(body.size()));
  if (!payload || msg_header_insert(message_.get(), reinterpret_cast<msg_pub_t*>(sip_),
                                    reinterpret_cast<msg_header_t*>(payload)) < 0) {
    failed_ = true;
  }
}

std::string textOf(const SessionExpires& timer) {
  using Refresher = SessionExpires::Refresher;
  const char* refresher = timer.refresher == Refresher::Uac   ? ";refresher=uac"
                          : timer.refresher == Refresher::Uas ? ";refresher=uas"
                                                              : "";
  return std::to_string(timer.seconds) + refresher;
}

void addCommon(Builder& builder, const Message& message) {
  for (const auto& contact : message.contacts) builder.add(sip_contact_class, textOf(contact));
  builder.addIf(message.contactStar, sip_contact_class, "*");
  // In one header: sofia-sip puts each further Record-Route before those that are there.
  std::vector<std::string> recordRoutes;
  for (const auto& route : message.recordRoutes) recordRoutes.push_back(textOf(route));
  builder.addIf(!recordRoutes.empty(), sip_record_route_class, join(recordRoutes));
  builder.addNumber(sip_expires_class, message.expires);
  builder.addNumber(sip_retry_after_class, message.retryAfter);
  builder.addIf(!message.supported.empty(), sip_supported_class, join(message.supported));
  builder.addIf(!message.require.empty(), sip_require_class, join(message.require));
  builder.addIf(!message.allow.empty(), sip_allow_class, join(message.allow));
  builder.addIf(!message.allowEvents.empty(), sip_allow_events_class, join(message.allowEvents));
  builder.addIf(!message.accept.empty(), sip_accept_class, join(message.accept));
  if (message.sessionExpires) builder.add(sip_session_expires_class, textOf(*message.sessionExpires));
  builder.addNumber(sip_min_se_class, message.minSe);
  for (const auto& reason : message.reasons) builder.add(sip_reason_class, textOf(reason));
  if (message.referSub) builder.addExtra({"Refer-Sub", *message.referSub ? "true" : "false"});
  for (const auto& header : message.extraHeaders) builder.addExtra(header);
  builder.setBody(message.contentType, message.body);
}

void addRequestHeaders(Builder& builder, const Request& request) {
  for (const auto& route : request.routes) builder.add(sip_route_class, textOf(route));
  for (const auto& authorization : request.authorizations) {
    builder.add(authorization.proxy ? sip_proxy_authorization_class : sip_authorization_class,
                authorization.scheme + " " + textOf(authorization.parameters, ", "));
  }
  if (request.rack) {
    builder.add(sip_rack_class, std::to_string(request.rack->rseq) + " " + std::to_string(request.rack->cseq) + " " +
                                    std::string(toString(request.rack->method)));
  }
  if (request.referTo) builder.add(sip_refer_to_class, textOf(*request.referTo));
  if (request.referredBy) builder.add(sip_referred_by_class, textOf(*request.referredBy));
  if (const auto& replaces = request.replaces) {
    builder.add(sip_replaces_class, replaces->callId + ";to-tag=" + replaces->toTag + ";from-tag=" + replaces->fromTag +
                                        (replaces->earlyOnly ? ";early-only" : ""));
  }
  builder.addIf(!request.event.empty(), sip_event_class, request.event);
  builder.addIf(!request.subscriptionState.empty(), sip_subscription_state_class, request.subscriptionState);
}

void addChallenges(Builder& builder, const Response& response) {
  for (const auto& challenge : response.challenges) {
    builder.add(challenge.proxy ? sip_proxy_authenticate_class : sip_www_authenticate_class,
                challenge.scheme + " " + textOf(challenge.parameters, ", "));
  }
}

}  // namespace

std::string textOf(const NameAddr& address) {
  std::string result;
  if (!address.display.empty()) result = quoted(address.display) + " ";
  result += "<" + address.uri.toString() + ">";
  if (!address.tag.empty()) result += ";tag=" + address.tag;
  return result + textOf(address.parameters, ";");
}

std::string textOf(const Reason& reason) {
  std::string result = reason.protocol;
  if (reason.cause) result += ";cause=" + std::to_string(reason.cause);
  if (!reason.text.empty()) result += ";text=" + quoted(reason.text);
  return result;
}

MessagePointer requestToSofia(nta_agent_t* agent, const Request& request, const std::string& userAgent) {
  Builder builder(agent);
  sip_t* sip = builder.sip();
  if (!sip) return nullptr;
  const std::string method =
      request.method == Method::Other ? request.methodName : std::string(toString(request.method));
  const std::string uri = request.uri.toString();
  if (!isToken(method)) return nullptr;
  const sip_method_t code = sip_method_code(method.c_str());
  url_t* url = url_make(builder.home(), uri.c_str());  // sip_request_create() aborts on a text that is no URI
  if (!url) return nullptr;
  sip->sip_request =
      sip_request_create(builder.home(), code, method.c_str(), reinterpret_cast<url_string_t*>(url), nullptr);
  sip->sip_cseq = sip_cseq_create(builder.home(), request.cseq, code, method.c_str());
  if (!sip->sip_request || !sip->sip_cseq) return nullptr;
  builder.add(sip_max_forwards_class, std::to_string(kMaxForwards));
  builder.add(sip_from_class, textOf(request.from));
  builder.add(sip_to_class, textOf(request.to));
  builder.add(sip_call_id_class, request.callId);
  addRequestHeaders(builder, request);
  const auto& product = request.userAgent.empty() ? userAgent : request.userAgent;
  builder.addIf(!product.empty(), sip_user_agent_class, product);
  addCommon(builder, request);
  return builder.take();
}

MessagePointer responseToSofia(nta_agent_t* agent, const Response& response, const std::string& userAgent) {
  Builder builder(agent);
  sip_t* sip = builder.sip();
  if (!sip || response.status < 100 || response.status > 699) return nullptr;
  const std::string reason =
      withoutControls(response.reason.empty() ? standardReason(response.status) : std::string_view(response.reason));
  sip->sip_status = sip_status_create(builder.home(), static_cast<unsigned>(response.status),
                                      su_strdup(builder.home(), reason.c_str()), nullptr);
  if (!sip->sip_status) return nullptr;
  builder.add(sip_to_class, textOf(response.to));
  addChallenges(builder, response);
  builder.addIf(!response.unsupported.empty(), sip_unsupported_class, join(response.unsupported));
  builder.addNumber(sip_min_expires_class, response.minExpires);
  builder.addNumber(sip_rseq_class, response.rseq);
  std::vector<std::string> serviceRoutes;
  for (const auto& route : response.serviceRoutes) serviceRoutes.push_back(textOf(route));
  builder.addIf(!serviceRoutes.empty(), sip_service_route_class, join(serviceRoutes));
  const auto& product = response.userAgent.empty() ? userAgent : response.userAgent;
  builder.addIf(!product.empty(), sip_server_class, product);
  addCommon(builder, response);
  return builder.take();
}

}  // namespace crosspoint::sip
