// The whole program but for its command line: starts the parts in the right order, passes requests and replies between
// HTTP and the workers, and stops everything in the right order.
//
//   Gateway gateway(configuration);
//   if (auto started = gateway.start(); !started) fail(started.error());
//   gateway.run();   // until SIGINT, SIGTERM or stop()
#pragma once
#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "base/address.h"
#include "gateway/configuration.h"

namespace crosspoint::gateway {

class Gateway {
 public:
  struct Addresses {
    SocketAddress http, sip;
    std::optional<SocketAddress> sipServer;  // if it is embedded
    std::string root;                        // folder of the page; empty: none was found
  };

  explicit Gateway(const Configuration& configuration);
  ~Gateway();

  // Everything listens afterwards. One sentence if something could not be had.
  std::expected<Addresses, std::string> start();
  // On the calling thread. The first signal ends calls and registrations, for a few seconds at most; a second one ends
  // it at once.
  void run();
  // As a signal does. Any thread.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// "ready http=… sip=… sip-server=… pid=…": what a program that started us waits for.
std::string readyLine(const Gateway::Addresses& addresses, int pid);

}  // namespace crosspoint::gateway
