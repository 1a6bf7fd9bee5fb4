// What the SIP server, or a far end in the place of the one that was meant, answers itself: challenges, redirections,
// refusals of every kind.
#include <iterator>

#include "tests/sim/sip_network.h"

namespace crosspoint::sim {

sip::Response serverResponse(const sip::Request& request, int status, std::string reason) {
  sip::Response response;
  response.from = request.from;
  response.to = request.to;
  if (response.to.tag.empty() && status > 100) response.to.tag = "server";
  response.callId = request.callId;
  response.cseq = request.cseq;
  response.method = request.method;
  response.status = status;
  response.reason = std::move(reason);
  return response;
}

std::optional<sip::Response> SipNetwork::obstacle(const sip::Request& request) {
  if (auto response = challenge(request)) return response;
  if (request.method == sip::Method::Register) return std::nullopt;
  if (auto response = redirection(request)) return response;
  return answerInPlace(request);
}

// 401 or 407 to whatever has no credentials, in one of several algorithms; rarely again, because the nonce is stale.
std::optional<sip::Response> SipNetwork::challenge(const sip::Request& request) {
  const bool proven = !request.authorizations.empty();
  if (random_.below(1000) >= (proven ? 5u : 30u)) return std::nullopt;
  ++counters_.challenges;
  const bool proxy =
      proven ? request.authorizations.front().proxy : request.method != sip::Method::Register && random_.below(2) == 0;
  auto response = proxy ? serverResponse(request, 407, "Proxy Authentication Required")
                        : serverResponse(request, 401, "Unauthorized");
  const std::string nonce = "\"n" + std::to_string(random_.below(1'000'000)) + "\"";
  for (const char* algorithm : {"SHA-256", "MD5"}) {
    if (random_.below(3) == 0 && algorithm != std::string_view("MD5")) continue;
    sip::Challenge one{.proxy = proxy,
                       .scheme = "Digest",
                       .parameters = {{"realm", "\"sim\""}, {"nonce", nonce}, {"algorithm", algorithm}}};
    if (random_.below(4) != 0) one.parameters.push_back({"qop", "\"auth\""});
    if (proven) one.parameters.push_back({"stale", "true"});
    response.challenges.push_back(one);
  }
  return response;
}

// To one or several contacts: now and then in a circle.
std::optional<sip::Response> SipNetwork::redirection(const sip::Request& request) {
  if (request.method != sip::Method::Invite || !request.to.tag.empty() || locations_.empty()) return std::nullopt;
  if (random_.below(100) >= 2) return std::nullopt;
  ++counters_.redirects;
  diverted_.insert(request.callId);
  auto response = random_.below(2) == 0 ? serverResponse(request, 302, "Moved Temporarily")
                                        : serverResponse(request, 300, "Multiple Choices");
  for (auto left = 1 + random_.below(3); left > 0; --left) {
    sip::NameAddr contact;
    contact.uri = request.uri;
    const auto place = static_cast<std::ptrdiff_t>(random_.below(locations_.size()));
    contact.uri.user = std::next(locations_.begin(), place)->first;
    contact.parameters.push_back({"q", "0." + std::to_string(1 + random_.below(9))});
    response.contacts.push_back(contact);
  }
  return response;
}

// As the far end might answer, but does not on its own.
std::optional<sip::Response> SipNetwork::answerInPlace(const sip::Request& request) {
  if (random_.below(1000) >= 15) return std::nullopt;
  const bool inDialog = !request.to.tag.empty();
  int status = 0;
  if (request.method == sip::Method::Invite && !inDialog) {
    static constexpr int kRefusals[] = {404, 410, 480, 484, 486, 500, 503, 600, 603};
    status = kRefusals[random_.below(std::size(kRefusals))];
  } else if (request.method == sip::Method::Invite || request.method == sip::Method::Update) {
    static constexpr int kRefusals[] = {491, 491, 500, 488};
    status = kRefusals[random_.below(std::size(kRefusals))];
  } else if (request.method == sip::Method::Info) {
    status = random_.below(2) == 0 ? 415 : 500;
  } else if (request.method == sip::Method::Refer) {
    status = random_.below(2) == 0 ? 403 : 501;
  }
  if (status == 0) return std::nullopt;
  ++counters_.answersInPlace;
  auto response = serverResponse(request, status, std::string(sip::standardReason(status)));
  if (status == 500 && random_.below(2) == 0) response.retryAfter = static_cast<std::uint32_t>(random_.below(4));
  if (random_.below(4) == 0) response.reasons = {{.protocol = "Q.850", .cause = 41, .text = "Temporary failure"}};
  return response;
}

}  // namespace crosspoint::sim
