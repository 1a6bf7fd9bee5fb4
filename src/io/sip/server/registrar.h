// Who is registered where: the location table of the embedded server (RFC 3261 §10.3). Sans-IO.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/time.h"
#include "core/sip/uri.h"

namespace crosspoint::sip {

struct Binding {
  Uri contact;
  SocketAddress source;   // where the REGISTER came from: reaches the phone even if its Contact does not
  std::string transport;  // "udp", "tcp"
  TimePoint expires;
  std::string callId;
  std::uint32_t cseq = 0;
};

class Registrar {
 public:
  struct Config {
    std::chrono::seconds expiresDefault{3600}, expiresMin{10}, expiresMax{7200};
    std::size_t usersMax = 10'000;
    std::size_t contactsPerUserMax = 8;
  };
  struct ContactUpdate {
    Uri uri;
    std::optional<std::uint32_t> expires;  // of this contact
  };
  struct Update {
    std::string user;
    std::vector<ContactUpdate> contacts;
    bool allContacts = false;              // "Contact: *"
    std::optional<std::uint32_t> expires;  // Expires header
    std::string callId;
    std::uint32_t cseq = 0;
    SocketAddress source;
    std::string transport;
  };

  explicit Registrar(Config config) : config_(config) {}

  // 200, or 400 (a "*" with something else than expires 0), 423 (an expiry below the minimum), 500 (a CSeq that runs
  // backwards), 503 (no room for another user). Anything but 200 changes nothing.
  int update(TimePoint now, const Update& update);

  // Newest first. Empty: nobody.
  std::vector<Binding> lookup(TimePoint now, const std::string& user) const;
  // Registered now, or once.
  bool isKnown(const std::string& user) const { return users_.contains(user); }
  // A binding, of whatever user, whose Contact names this host and port: where in-dialog requests for it really go.
  const Binding* findByContact(TimePoint now, const Uri& uri) const;

  // Forgets what has expired, which no lookup gives any more; to be called now and then.
  void expire(TimePoint now);
  std::size_t registeredUsers() const;
  std::size_t contacts() const;

 private:
  struct User {
    std::vector<Binding> bindings;  // newest last
    TimePoint lastSeen;
  };
  std::optional<std::chrono::seconds> lifetime(const Update& update, const ContactUpdate& contact) const;
  bool isOutOfOrder(const Update& update) const;
  bool makeRoom(const std::string& user);
  void apply(TimePoint now, User& user, const Update& update, const ContactUpdate& contact);

  Config config_;
  std::map<std::string, User> users_;
  std::map<std::string, std::string> userByContact_;  // the user that registered a host and port last
};

}  // namespace crosspoint::sip
