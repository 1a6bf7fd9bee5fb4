// An HTTP request and its reply as plain values.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"

namespace crosspoint::http {

// One request that waits for its reply. Counts up from 1, never used twice by one Server.
enum class RequestId : std::uint64_t {};

struct Header {
  std::string name, value;
};

struct Request {
  std::string method;  // "GET", upper case as it came
  std::string path;    // percent-decoded, begins with "/"
  std::string query;   // behind the first "?", as it came (signalling.md section 1: decoded by whoever reads it)
  std::vector<Header> headers;
  std::string body;
  SocketAddress remote;
  bool secure = false;     // came over TLS
  bool webSocket = false;  // asks for one as RFC 6455 wants it: Server::accept() opens it

  // Value of the first header of that name, without regard to case; empty if there is none.
  std::string_view header(std::string_view name) const;
};

struct Response {
  int status = 200;
  std::string contentType = "text/plain; charset=utf-8";
  std::string body;
  std::vector<Header> headers;  // none of Content-Type, Content-Length, Connection, Access-Control-*, Vary
  bool close = false;           // end the connection behind this reply
};

// ASCII, without regard to case.
bool namesEqual(std::string_view a, std::string_view b);

std::string_view reasonPhrase(int status);

// %XX becomes its byte, everything else stays ("+" too). Nothing for a broken escape or a NUL byte.
std::optional<std::string> percentDecode(std::string_view text);
// Value of `name` in "a=1&b=2", percent-decoded; nothing if there is none or its escapes are broken.
std::optional<std::string> queryValue(std::string_view query, std::string_view name);

}  // namespace crosspoint::http
