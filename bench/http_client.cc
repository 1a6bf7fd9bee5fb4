#include "bench/http_client.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <charconv>
#include <cstring>
#include <stdexcept>

namespace crosspoint::bench {

HttpClient::HttpClient(const SocketAddress& server) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(server.port);
  std::memcpy(&address.sin_addr, server.ip.bytes().data(), 4);
  if (::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    throw std::runtime_error("cannot connect by HTTP");
  }
  const int yes = 1;
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

void HttpClient::write(const std::string& text) {
  if (::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size())) {
    throw std::runtime_error("the HTTP connection was closed");
  }
}

std::optional<std::string> HttpClient::parse() {
  const auto end = received_.find("\r\n\r\n");
  if (end == std::string::npos) return std::nullopt;
  const auto at = received_.find("Content-Length: ");
  std::size_t length = 0;
  if (at < end) std::from_chars(received_.data() + at + 16, received_.data() + end, length);
  if (received_.size() < end + 4 + length) return std::nullopt;
  std::string body = received_.substr(end + 4, length);
  received_.erase(0, end + 4 + length);
  return body;
}

std::string HttpClient::get(const std::string& target) {
  beginGet(target);
  for (;;) {
    if (auto body = parse()) return *body;
    char buffer[4096];
    const auto size = ::recv(socket_.get(), buffer, sizeof buffer, 0);
    if (size <= 0) throw std::runtime_error("the HTTP connection was closed");
    received_.append(buffer, static_cast<std::size_t>(size));
  }
}

std::optional<std::string> HttpClient::tryRead() {
  char buffer[4096];
  for (ssize_t size; (size = ::recv(socket_.get(), buffer, sizeof buffer, MSG_DONTWAIT)) != -1;) {
    if (size == 0) throw std::runtime_error("the HTTP connection was closed");
    received_.append(buffer, static_cast<std::size_t>(size));
  }
  return parse();
}

void HttpClient::beginGet(const std::string& target) {
  write("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
}

void HttpClient::beginPost(const std::string& target, const std::string& body) {
  write("POST " + target +
        " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded; charset=UTF-8\r\n"
        "Content-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body);
}

std::string ssidOf(const std::string& signedIn) {
  if (!signedIn.starts_with("id=")) throw std::runtime_error("cannot sign in: " + signedIn);
  return signedIn.substr(3, signedIn.find('\n') - 3);
}

}  // namespace crosspoint::bench
