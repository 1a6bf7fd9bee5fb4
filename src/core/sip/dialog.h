// One SIP dialog as plain data (RFC 3261 §12): ids, route set, sequence numbers, remote target.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/sip/message.h"

namespace crosspoint::sip {

// Where the first request goes and what it is made of: what a dialog is before the far end has answered.
struct DialogSeed {
  std::string callId;
  NameAddr local, remote;  // local.tag is ours
  NameAddr contact;        // ours
  Uri target;              // Request-URI
  Uri server;              // where requests go whose own target has no host, and the first of all
  std::uint32_t cseq = 0;  // of the last request sent
};

class Dialog {
 public:
  // From a response with a To tag, or a 2xx, to the request that `seed` describes (§12.1.2).
  static Dialog fromResponse(const DialogSeed& seed, const Response& response);
  // From a request outside dialogs that has a Contact (§12.1.1).
  static Dialog fromRequest(const Request& request, std::string localTag, NameAddr contact, Uri server);

  const std::string& callId() const { return callId_; }
  const std::string& localTag() const { return local_.tag; }
  const std::string& remoteTag() const { return remote_.tag; }
  const NameAddr& remote() const { return remote_; }

  // The next request in this dialog: everything but the body and what only the method knows. Not for ACK.
  Request makeRequest(Method method);
  // ACK for a 2xx to the INVITE with that sequence number (§13.2.2.4).
  SendAck makeAck(std::uint32_t inviteCseq, const std::vector<Authorization>& authorizations) const;
  Uri destination() const;
  std::uint32_t& localCseq() { return localCseq_; }
  const NameAddr& contact() const { return contact_; }  // ours

  // §12.2.2: false if the request is older than one that was seen already.
  bool acceptCseq(std::uint32_t cseq);
  // Target refresh by a re-INVITE or UPDATE, or by a 2xx to one (§12.2.1.2, §12.2.2). The route set stays.
  void refreshTarget(const Message& message);
  // The 2xx that confirms an early dialog brings the final route set (§13.2.2.4).
  void confirm(const Response& response);

 private:
  Request addressed(Method method) const;
  void setRoutesFromResponse(const Response& response);

  std::string callId_;
  NameAddr local_, remote_, contact_;
  Uri target_, server_;
  bool targetKnown_ = false;      // the far end has given a Contact
  std::vector<NameAddr> routes_;  // in the order in which our requests name them
  std::uint32_t localCseq_ = 0;
  std::optional<std::uint32_t> remoteCseq_;
};

// A response to `request` with its From, To, Call-ID and CSeq, and the standard phrase unless `reason` is given.
// `localTag` is put into To where the request has none.
Response makeResponse(const Request& request, int status, std::string_view localTag, std::string_view reason = {});

}  // namespace crosspoint::sip
