// Dialogs (RFC 3261 §12), and responses built from requests (§8.2.6.2).
#include "core/sip/dialog.h"

#include <algorithm>
#include <utility>

#include "core/sip/request_uri.h"

namespace crosspoint::sip {
namespace {

// RFC 5057 §5.4.
bool isTargetRefresh(Method method) {
  return method == Method::Invite || method == Method::Update || method == Method::Refer || method == Method::Notify;
}

}  // namespace

Dialog Dialog::fromResponse(const DialogSeed& seed, const Response& response) {
  Dialog dialog;
  dialog.callId_ = seed.callId;
  dialog.local_ = seed.local;
  dialog.remote_ = seed.remote;
  dialog.remote_.tag = response.to.tag;
  dialog.contact_ = seed.contact;
  dialog.target_ = seed.target;
  dialog.server_ = seed.server;
  dialog.localCseq_ = seed.cseq;
  dialog.setRoutesFromResponse(response);
  dialog.refreshTarget(response);
  return dialog;
}

Dialog Dialog::fromRequest(const Request& request, std::string localTag, NameAddr contact, Uri server) {
  Dialog dialog;
  dialog.callId_ = request.callId;
  dialog.local_ = request.to;
  dialog.local_.tag = std::move(localTag);
  dialog.remote_ = request.from;
  dialog.contact_ = std::move(contact);
  dialog.target_ = request.from.uri;
  dialog.server_ = std::move(server);
  dialog.routes_ = request.recordRoutes;
  dialog.remoteCseq_ = request.cseq;
  dialog.refreshTarget(request);
  return dialog;
}

void Dialog::setRoutesFromResponse(const Response& response) {
  routes_.assign(response.recordRoutes.rbegin(), response.recordRoutes.rend());
}

void Dialog::confirm(const Response& response) {
  setRoutesFromResponse(response);
  refreshTarget(response);
}

void Dialog::refreshTarget(const Message& message) {
  if (message.contacts.empty() || message.contacts.front().uri.empty()) return;
  target_ = message.contacts.front().uri;
  targetKnown_ = true;
}

bool Dialog::acceptCseq(std::uint32_t cseq) {
  if (remoteCseq_ && cseq <= *remoteCseq_) return false;
  remoteCseq_ = cseq;
  return true;
}

Request Dialog::addressed(Method method) const {
  Request request;
  request.method = method;
  request.from = local_;
  request.to = remote_;
  request.callId = callId_;
  if (routes_.empty() || routes_.front().uri.hasParameter("lr")) {
    request.uri = target_;
    request.routes = routes_;
  } else {  // a strict router stands first (§12.2.1.1)
    request.uri = routes_.front().uri;
    request.routes.assign(routes_.begin() + 1, routes_.end());
    request.routes.push_back({.uri = target_});
  }
  request.uri = asRequestUri(std::move(request.uri));  // §12.2.1.1
  return request;
}

Request Dialog::makeRequest(Method method) {
  Request request = addressed(method);
  request.cseq = ++localCseq_;
  if (isTargetRefresh(method)) request.contacts = {contact_};
  return request;
}

SendAck Dialog::makeAck(std::uint32_t inviteCseq, const std::vector<Authorization>& authorizations) const {
  SendAck ack{addressed(Method::Ack), destination()};
  ack.request.cseq = inviteCseq;
  ack.request.authorizations = authorizations;
  return ack;
}

Uri Dialog::destination() const {
  if (routes_.empty() && !targetKnown_) return server_;
  const Uri& next = routes_.empty() ? target_ : routes_.front().uri;
  return next.host.empty() ? server_ : next;
}

Response makeResponse(const Request& request, int status, std::string_view localTag, std::string_view reason) {
  Response response;
  response.status = status;
  response.reason = reason.empty() ? std::string(standardReason(status)) : withoutControls(reason);
  response.from = request.from;
  response.to = request.to;
  if (response.to.tag.empty() && status > 100) response.to.tag = localTag;
  response.callId = request.callId;
  response.cseq = request.cseq;
  response.method = request.method;
  response.methodName = request.methodName;
  if (request.method == Method::Invite && status > 100 && status < 300) response.recordRoutes = request.recordRoutes;
  return response;
}

}  // namespace crosspoint::sip
