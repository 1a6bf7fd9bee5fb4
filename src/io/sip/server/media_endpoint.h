// The party behind the numbers `echo` and `music`: a SIP user agent of its own, on a port of its own, to which the
// embedded server sends their calls like to any phone. Its dialogs are core/sip's, its transactions a SipTransport's.
//
// start() and stop() are called from another thread than the SipThread; all else happens on it.
#pragma once
#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include "base/address.h"
#include "io/sip/sip_thread.h"

namespace crosspoint::sip {

class MediaEndpoint {
 public:
  struct Config {
    std::string bindAddress;
    std::string echoUser, musicUser;  // empty: none
    std::size_t callsMax = 100;       // beyond: 486
    std::chrono::seconds callMax{3600};
  };

  MediaEndpoint(SipThread& thread, Config config);
  ~MediaEndpoint();  // stops

  std::expected<void, std::string> start();
  void stop();

  // Where the server finds `user`.
  std::string uriOf(const std::string& user) const;
  // On the SIP thread.
  std::size_t calls() const;
  std::uint64_t packets() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace crosspoint::sip
