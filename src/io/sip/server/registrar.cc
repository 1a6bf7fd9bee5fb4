#include "io/sip/server/registrar.h"

#include <algorithm>

namespace crosspoint::sip {
namespace {

std::uint16_t portOf(const Uri& uri) { return uri.port ? uri.port : uri.scheme == "sips" ? 5061 : 5060; }

// What tells one phone from another: host, port and transport of its Contact.
std::string contactKey(const Uri& uri) {
  std::string key = uri.host + ":" + std::to_string(portOf(uri)) + (uri.transport() == "tcp" ? "/tcp" : "/udp");
  for (char& c : key) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return key;
}

}  // namespace

std::optional<std::chrono::seconds> Registrar::lifetime(const Update& update, const ContactUpdate& contact) const {
  const auto asked = contact.expires ? contact.expires : update.expires;
  if (!asked) return config_.expiresDefault;
  if (*asked == 0) return std::chrono::seconds(0);
  if (std::chrono::seconds(*asked) < config_.expiresMin) return std::nullopt;
  return std::min(std::chrono::seconds(*asked), config_.expiresMax);
}

bool Registrar::isOutOfOrder(const Update& update) const {
  const auto found = users_.find(update.user);
  if (found == users_.end()) return false;
  // An equal CSeq is the same request once more, whose response was lost.
  return std::any_of(found->second.bindings.begin(), found->second.bindings.end(), [&](const Binding& binding) {
    return binding.callId == update.callId && update.cseq < binding.cseq;
  });
}

// True if `user` may be in the table: it is, there is room, or a user that is not registered any more can be forgotten.
bool Registrar::makeRoom(const std::string& user) {
  if (users_.contains(user) || users_.size() < config_.usersMax) return true;
  auto oldest = users_.end();
  for (auto it = users_.begin(); it != users_.end(); ++it) {
    if (!it->second.bindings.empty()) continue;
    if (oldest == users_.end() || it->second.lastSeen < oldest->second.lastSeen) oldest = it;
  }
  if (oldest == users_.end()) return false;
  users_.erase(oldest);
  return true;
}

int Registrar::update(TimePoint now, const Update& update) {
  if (update.allContacts && (!update.contacts.empty() || update.expires.value_or(1) != 0))
    return 400;  // RFC 3261 §10.3
  for (const auto& contact : update.contacts) {
    if (!lifetime(update, contact)) return 423;
  }
  if (isOutOfOrder(update)) return 500;
  if (update.contacts.empty() && !update.allContacts) return 200;  // a query
  if (!makeRoom(update.user)) return 503;
  User& user = users_[update.user];
  user.lastSeen = now;
  if (update.allContacts) {
    for (const auto& binding : user.bindings) userByContact_.erase(contactKey(binding.contact));
    user.bindings.clear();
  }
  for (const auto& contact : update.contacts) apply(now, user, update, contact);
  return 200;
}

void Registrar::apply(TimePoint now, User& user, const Update& update, const ContactUpdate& contact) {
  // The same host and port is the same phone, even if it made itself a new user part after a restart.
  const std::string key = contactKey(contact.uri);
  std::erase_if(user.bindings, [&](const Binding& old) { return contactKey(old.contact) == key; });
  const auto life = *lifetime(update, contact);
  userByContact_.erase(key);
  if (life == std::chrono::seconds(0)) return;
  if (user.bindings.size() >= config_.contactsPerUserMax) {
    userByContact_.erase(contactKey(user.bindings.front().contact));
    user.bindings.erase(user.bindings.begin());
  }
  user.bindings.push_back({.contact = contact.uri,
                           .source = update.source,
                           .transport = update.transport,
                           .expires = now + life,
                           .callId = update.callId,
                           .cseq = update.cseq});
  userByContact_[key] = update.user;
}

std::vector<Binding> Registrar::lookup(TimePoint now, const std::string& user) const {
  std::vector<Binding> result;
  const auto found = users_.find(user);
  if (found == users_.end()) return result;
  for (const auto& binding : found->second.bindings) {
    if (binding.expires > now) result.insert(result.begin(), binding);
  }
  return result;
}

const Binding* Registrar::findByContact(TimePoint now, const Uri& uri) const {
  const auto named = userByContact_.find(contactKey(uri));
  const auto user = named == userByContact_.end() ? users_.end() : users_.find(named->second);
  if (user == users_.end()) return nullptr;
  for (const auto& binding : user->second.bindings) {
    if (binding.expires > now && contactKey(binding.contact) == named->first) return &binding;
  }
  return nullptr;
}

void Registrar::expire(TimePoint now) {
  for (auto& [name, user] : users_) {
    std::erase_if(user.bindings, [&](const Binding& binding) {
      if (binding.expires > now) return false;
      userByContact_.erase(contactKey(binding.contact));
      return true;
    });
  }
}

std::size_t Registrar::registeredUsers() const {
  return static_cast<std::size_t>(
      std::count_if(users_.begin(), users_.end(), [](const auto& entry) { return !entry.second.bindings.empty(); }));
}

std::size_t Registrar::contacts() const {
  std::size_t count = 0;
  for (const auto& [name, user] : users_) count += user.bindings.size();
  return count;
}

}  // namespace crosspoint::sip
