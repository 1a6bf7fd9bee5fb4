// As much of an HTTP/1.1 client as the load needs: one keep-alive connection, one request at a time, Content-Length bodies.
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
  std::string post(const std::string& target, const std::string& body);
  // A request whose reply is fetched with tryRead(), which never waits.
  void beginGet(const std::string& target);
  std::optional<std::string> tryRead();

 private:
  void write(const std::string& text);
  std::string read();
  std::optional<std::string> parse();

  loop::FileDescriptor socket_;
  std::string received_;
};

}  // namespace crosspoint::bench
