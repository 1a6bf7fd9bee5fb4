// A phone for tests: one SipTransport, and what it hears, waited for with a generous deadline.
#pragma once
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <vector>

#include "io/loop/file_descriptor.h"
#include "io/sip/server/digest.h"
#include "io/sip/sip_transport.h"

namespace crosspoint::sip::test {

using namespace std::chrono_literals;

inline constexpr auto kDeadline = 20s;  // far beyond anything that works

inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// A UDP socket on loopback that gives up waiting at the deadline.
inline loop::FileDescriptor datagramSocket() {
  loop::FileDescriptor socket(::socket(AF_INET, SOCK_DGRAM, 0));
  const sockaddr_in any = loopback(0);
  const timeval wait{.tv_sec = std::chrono::seconds(kDeadline).count(), .tv_usec = 0};
  ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  return socket;
}

inline loop::FileDescriptor say(const SocketAddress& to, const std::string& datagram) {
  loop::FileDescriptor socket = datagramSocket();
  const sockaddr_in address = loopback(to.port);
  ::sendto(socket.get(), datagram.data(), datagram.size(), 0, reinterpret_cast<const sockaddr*>(&address),
           sizeof address);
  return socket;
}

// A TCP connection on loopback.
inline loop::FileDescriptor connectTo(const SocketAddress& to) {
  loop::FileDescriptor socket(::socket(AF_INET, SOCK_STREAM, 0));
  const sockaddr_in address = loopback(to.port);
  EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return socket;
}

// Sends one datagram and gives the first answer back; empty at the deadline.
inline std::string ask(const SocketAddress& to, const std::string& datagram) {
  const loop::FileDescriptor socket = say(to, datagram);
  char buffer[65536];
  const auto size = ::recv(socket.get(), buffer, sizeof buffer, 0);
  return std::string(buffer, size > 0 ? static_cast<std::size_t>(size) : 0);
}

class Phone {
 public:
  Phone(SipThread& thread, std::string user, const SocketAddress& server, std::string transport = "udp",
        SipTransport::Config config = {})
      : user_(std::move(user)),
        server_(server),
        transport_(std::move(transport)),
        sip_(
            thread, std::move(config), [](const Request&) { return 0U; },
            [this](unsigned, Incoming&& message) { keep(std::move(message)); }) {
    const auto started = sip_.start();
    EXPECT_TRUE(started) << started.error();
  }
  ~Phone() { sip_.stop(); }

  SipTransport& sip() { return sip_; }
  Uri contact() const { return uriAt(sip_.boundAddress(), user_); }
  Uri serverUri() const { return uriAt(server_, {}); }
  Uri uriAt(const SocketAddress& address, std::string user) const {
    Uri uri;
    uri.user = std::move(user);
    uri.host = address.ip.isV6() ? "[" + address.ip.toString() + "]" : address.ip.toString();
    uri.port = address.port;
    uri.parameters = {{"transport", transport_}};
    return uri;
  }

  // A request outside any dialog, to a user at the server.
  Request request(Method method, const std::string& to) {
    Request request;
    request.method = method;
    request.uri = uriAt(server_, to);
    request.uri.parameters.clear();
    request.from.uri = request.uri;
    request.from.uri.user = user_;
    request.from.tag = "from-" + std::to_string(++last_);
    request.to.uri = request.uri;
    request.callId = user_ + "-" + std::to_string(last_);
    request.cseq = 1;
    if (method != Method::Register) request.contacts = {NameAddr{.uri = contact()}};
    return request;
  }
  // The next request in the dialog that `first` (ours) and its `answer` made.
  Request inDialog(Method method, const Request& first, const Response& answer, std::uint32_t cseq) {
    Request request;
    request.method = method;
    request.uri = answer.contacts.empty() ? first.uri : answer.contacts.front().uri;
    request.from = first.from;
    request.to = answer.to;
    request.callId = first.callId;
    request.cseq = cseq;
    request.routes.assign(answer.recordRoutes.rbegin(), answer.recordRoutes.rend());
    request.contacts = {NameAddr{.uri = contact()}};
    return request;
  }
  // The next request in the dialog that `received` (the far end's INVITE) and our `answer` made.
  Request inDialogAsCallee(Method method, const Request& received, const Response& answer, std::uint32_t cseq) {
    Request request;
    request.method = method;
    request.uri = received.contacts.front().uri;
    request.from = answer.to;
    request.to = received.from;
    request.callId = received.callId;
    request.cseq = cseq;
    request.routes = received.recordRoutes;
    return request;
  }
  Uri destinationOf(const Request& request) const {
    return request.routes.empty() ? request.uri : request.routes.front().uri;
  }
  ClientTransactionId send(Request request) {
    const ClientTransactionId id{++last_};
    const Uri destination = request.routes.empty() && request.to.tag.empty() ? serverUri() : destinationOf(request);
    EXPECT_TRUE(sip_.send(0, SendRequest{id, std::move(request), destination}));
    return id;
  }
  void ack(const Request& invite, const Response& answer) {
    Request ack = inDialog(Method::Ack, invite, answer, invite.cseq);
    ack.contacts.clear();
    const Uri destination = destinationOf(ack);
    EXPECT_TRUE(sip_.send(0, SendAck{std::move(ack), destination}));
  }
  Response responseTo(const Request& request, int status) const {
    Response response;
    response.status = status;
    response.from = request.from;
    response.to = request.to;
    if (response.to.tag.empty()) response.to.tag = "to-" + user_;
    response.callId = request.callId;
    response.cseq = request.cseq;
    response.method = request.method;
    response.recordRoutes = request.recordRoutes;
    if (status < 300) response.contacts = {NameAddr{.uri = contact()}};
    return response;
  }
  Response respond(const RequestReceived& received, int status) {
    Response response = responseTo(received.request, status);
    EXPECT_TRUE(sip_.send(0, SendResponse{received.id, response}));
    return response;
  }

  // The next message of this kind for which `wanted` holds; others stay. Fails the test at the deadline.
  template <typename Kind>
  Kind next(const std::function<bool(const Kind&)>& wanted = [](const Kind&) { return true; }) {
    std::unique_lock lock(mutex_);
    std::optional<Kind> found;
    const bool inTime = changed_.wait_for(lock, kDeadline, [&] {
      for (auto it = heard_.begin(); it != heard_.end(); ++it) {
        const auto* message = std::get_if<Kind>(&*it);
        if (!message || !wanted(*message)) continue;
        found = *message;
        heard_.erase(it);
        return true;
      }
      return false;
    });
    EXPECT_TRUE(inTime) << user_ << " waited in vain";
    return found.value_or(Kind{});
  }
  Response response(ClientTransactionId id, int status) {
    return next<ResponseReceived>(
               [&](const ResponseReceived& message) { return message.id == id && message.response.status == status; })
        .response;
  }
  RequestReceived received(Method method) {
    return next<RequestReceived>([&](const RequestReceived& message) { return message.request.method == method; });
  }
  template <typename Kind>
  std::size_t heard() {
    std::lock_guard lock(mutex_);
    std::size_t count = 0;
    for (const auto& message : heard_) count += std::holds_alternative<Kind>(message) ? 1 : 0;
    return count;
  }

  // Registers, with the password where one is asked for. The final status.
  int registerAt(const std::string& password = {}, std::uint32_t expires = 60) {
    Request first = request(Method::Register, user_);
    first.contacts = {NameAddr{.uri = contact()}};
    first.expires = expires;
    Response answer = final(send(first));
    if (answer.status != 401 || password.empty() || answer.challenges.empty()) return answer.status;
    first.cseq = 2;
    first.authorizations = {answerTo(answer.challenges.front(), first, password)};
    return final(send(first)).status;
  }
  Response final(ClientTransactionId id) {
    return next<ResponseReceived>(
               [&](const ResponseReceived& message) { return message.id == id && message.response.status >= 200; })
        .response;
  }
  Authorization answerTo(const Challenge& challenge, const Request& request, const std::string& password) const {
    const auto plain = [&](const char* name) {
      std::string value(findParameter(challenge.parameters, name).value_or(""));
      std::erase(value, '"');
      return value;
    };
    const auto quoted = [](const std::string& value) { return "\"" + value + "\""; };
    const std::string uri = request.uri.toString();
    const std::string ha1 = md5Hex(user_ + ":" + plain("realm") + ":" + password);
    const std::string ha2 = md5Hex(std::string(toString(request.method)) + ":" + uri);
    const std::string response = md5Hex(ha1 + ":" + plain("nonce") + ":00000001:abc:auth:" + ha2);
    return {.proxy = challenge.proxy,
            .scheme = "Digest",
            .parameters = {{"username", quoted(user_)},
                           {"realm", quoted(plain("realm"))},
                           {"nonce", quoted(plain("nonce"))},
                           {"uri", quoted(uri)},
                           {"response", quoted(response)},
                           {"qop", "auth"},
                           {"nc", "00000001"},
                           {"cnonce", quoted("abc")}}};
  }

 private:
  void keep(Incoming&& message) {
    std::lock_guard lock(mutex_);
    heard_.push_back(std::move(message));
    changed_.notify_all();
  }

  std::string user_;
  SocketAddress server_;
  std::string transport_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Incoming> heard_;
  std::uint64_t last_ = 0;
  SipTransport sip_;  // last: it stops before what it delivers into goes
};

}  // namespace crosspoint::sip::test
