// Where an INVITE goes after 3xx responses (RFC 3261 §8.1.3.4): contacts in the order of their q, each address once,
// and no more than a bound, however often one is redirected from one to the next.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "core/sip/message.h"

namespace crosspoint::sip {

class Redirection {
 public:
  Redirection() = default;
  // `first` is where the INVITE has gone already.
  Redirection(const Uri& first, std::size_t triesMax);

  // True if this is one to follow: a proxy to use (305) or another service (380) is not an address to be called.
  static bool follows(int status) { return status == 300 || status == 301 || status == 302; }
  void handle(const Response& redirect);
  bool redirected() const { return !contacts_.empty(); }
  // The next address, or nothing: all were tried, or enough.
  std::optional<Uri> next();
  // Of the last 3xx.
  const std::vector<NameAddr>& contacts() const { return contacts_; }

 private:
  struct Candidate {
    int q = 1000;  // thousandths
    Uri uri;
  };
  bool secure_ = false;
  std::size_t triesLeft_ = 0;
  std::vector<std::string> known_;
  std::vector<Candidate> waiting_;
  std::vector<NameAddr> contacts_;
};

}  // namespace crosspoint::sip
