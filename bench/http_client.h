// As much of an HTTP/1.1 client as the load needs: one keep-alive connection, one request at a time, Content-Length
// bodies.
#pragma once
#include <optional>
#include <string>

#include "base/address.h"
#include "io/loop/file_descriptor.h"

namespace crosspoint::bench {

// Throws std::runtime_error when the connection fails.
class HttpClient {
 public:
  explicit HttpClient(const SocketAddress& server);
  std::string get(const std::string& target);
  // Requests whose reply is fetched with tryRead(), which never waits.
  void beginGet(const std::string& target);
  void beginPost(const std::string& target, const std::string& body);
  std::optional<std::string> tryRead();

 private:
  void write(const std::string& text);
  std::optional<std::string> parse();

  loop::FileDescriptor socket_;
  std::string received_;
};

// The SSID in what /sign_in replied. Throws std::runtime_error if there is none.
std::string ssidOf(const std::string& signedIn);

}  // namespace crosspoint::bench
