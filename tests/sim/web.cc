#include "tests/sim/web.h"

#include <utility>

namespace crosspoint::sim {
namespace {

constexpr std::uint16_t kCut = 1006;  // RFC 6455 §7.1.5

}  // namespace

Web::Exchange* Web::find(bridge::RequestId id) {
  const auto found = exchanges_.find(id);
  return found == exchanges_.end() ? nullptr : &found->second;
}

// ---- the page's side ----

void Web::send(Client& client, bridge::PageRequest&& request) {
  if (auto* message = std::get_if<bridge::SocketMessage>(&request)) return sendFrame(std::move(*message));
  const bool socket = std::holds_alternative<bridge::SocketOpen>(request);
  bridge::RequestId id{};
  std::visit(
      [&](const auto& what) {
        if constexpr (requires { what.request; })
          id = what.request;
        else
          id = what.socket;
      },
      request);
  exchanges_[id] = {.client = &client, .socket = socket, .upArrives = clock_.now(), .downArrives = clock_.now()};
  if (socket)
    openSocket(id, std::move(request));
  else
    sendRequest(id, std::move(request));
}

void Web::sendRequest(bridge::RequestId id, bridge::PageRequest&& request) {
  ++counters_.requests;
  if (lost()) {  // on the way to the gateway
    clock_.after(network_.delay(), [this, id] {
      if (const Exchange* exchange = find(id)) exchange->client->handleLost(id);
      exchanges_.erase(id);
    });
    return;
  }
  Exchange& exchange = exchanges_.at(id);
  exchange.upArrives = clock_.now() + network_.delay();
  clock_.at(exchange.upArrives,
            [this, request = std::move(request)]() mutable { gateway_.request(std::move(request)); });
}

// A proxy may swallow the handshake, or its reply: then the gateway has a socket of which the page knows nothing.
void Web::openSocket(bridge::RequestId id, bridge::PageRequest&& request) {
  if (lost()) {
    if (random_.below(2) == 0) clock_.after(network_.delay(), [this, id] { tellPage(id, kCut); });
    return;
  }
  ++counters_.socketsOpened;
  const TimePoint arrives = clock_.now() + network_.delay();
  Exchange& exchange = exchanges_.at(id);
  exchange.upArrives = arrives;
  exchange.downArrives = arrives + network_.delay();
  clock_.at(arrives, [this, request = std::move(request)]() mutable { gateway_.request(std::move(request)); });
  clock_.at(exchange.downArrives, [this, id] {
    const Exchange* opened = find(id);
    if (opened != nullptr && !opened->downCut && !opened->pageHeard) opened->client->handleSocketOpen(id);
  });
  if (lost()) cut(id);
}

void Web::sendFrame(bridge::SocketMessage&& message) {
  const auto id = message.socket;
  Exchange* exchange = find(id);
  if (exchange == nullptr) return;
  ++counters_.framesUp;
  exchange->upArrives = std::max(exchange->upArrives, clock_.now() + network_.delay());
  clock_.at(exchange->upArrives, [this, id, message = std::move(message)]() mutable {
    const Exchange* carrier = find(id);
    if (carrier == nullptr || carrier->upCut || carrier->gatewayHeard)
      ++counters_.framesLost;
    else
      gateway_.request(std::move(message));
  });
}

void Web::close(bridge::RequestId id) {
  Exchange* exchange = find(id);
  if (exchange == nullptr) return;
  exchange->upArrives = std::max(exchange->upArrives, clock_.now() + network_.delay());
  const bool socket = exchange->socket;
  clock_.at(exchange->upArrives, [this, id, socket] {
    Exchange* closed = find(id);
    if (closed == nullptr || closed->upCut) return;
    if (socket) return tellGateway(id);
    closed->gatewayHeard = true;
    gateway_.closed(id);
    if (!closed->replied) exchanges_.erase(id);
  });
  if (!socket) return;
  exchange->pageHeard = true;
  forgetIfOver(id);
}

// What is under way in either direction is lost from some moment on. One end may hear of it much later than the other:
// the gateway by its pings, the page only because nothing is confirmed.
void Web::cut(bridge::RequestId id) {
  Exchange* exchange = find(id);
  if (exchange == nullptr || !exchange->socket) return;
  ++counters_.socketsCut;
  const auto soon = [this] { return Duration(std::chrono::milliseconds(random_.below(60))); };
  clock_.after(soon(), [this, id] {
    if (Exchange* broken = find(id)) broken->upCut = true;
  });
  clock_.after(soon(), [this, id] {
    if (Exchange* broken = find(id)) broken->downCut = true;
  });
  const bool gatewayIsLate = random_.below(3) == 0;
  clock_.after(std::chrono::milliseconds(60 + random_.below(gatewayIsLate ? 80'000 : 2'000)),
               [this, id] { tellGateway(id); });
  if (random_.below(3) == 0) return;
  clock_.after(std::chrono::milliseconds(60 + random_.below(2'000)), [this, id] { tellPage(id, kCut); });
}

// ---- the gateway's side ----

void Web::reply(bridge::PageReply&& reply) {
  Exchange* exchange = find(reply.request);
  if (exchange == nullptr) return;
  if (exchange->socket)
    deliverFrame(*exchange, std::move(reply));
  else
    deliverReply(*exchange, std::move(reply));
}

// Whether a reply was written and whether it was read are two things where the connection breaks. A client that counts
// must not notice; to any other the two are the same here (docs/protocols/signalling.md section 2 has what it can
// lose).
void Web::deliverReply(Exchange& exchange, bridge::PageReply&& reply) {
  exchange.replied = true;
  bool read = true, written = true;
  if (lost()) {
    const bool counts = exchange.client->counts();
    read = counts && random_.below(3) == 0;
    written = counts && random_.below(2) == 0;
  }
  clock_.after(network_.delay(), [this, reply = std::move(reply), read, written] {
    const Exchange over = exchanges_.at(reply.request);
    exchanges_.erase(reply.request);
    if (over.gatewayHeard) return;  // that the page has given it up
    if (written)
      gateway_.delivered(reply.request);
    else
      gateway_.closed(reply.request);
    if (read)
      over.client->handleReply(reply);
    else
      over.client->handleLost(reply.request);
  });
}

void Web::deliverFrame(Exchange& exchange, bridge::PageReply&& reply) {
  const auto id = reply.request;
  exchange.downArrives = std::max(exchange.downArrives, clock_.now() + network_.delay());
  if (reply.form == bridge::PageReply::Form::Close) {
    exchange.upCut = true;  // what still comes is thrown away
    clock_.after(Duration(0), [this, id] { tellGateway(id); });
    clock_.at(exchange.downArrives, [this, id, code = reply.closeCode] {
      const Exchange* carrier = find(id);
      if (carrier != nullptr && !carrier->downCut) tellPage(id, code);
    });
    return;
  }
  ++counters_.framesDown;
  clock_.at(exchange.downArrives, [this, id, reply = std::move(reply)] {
    const Exchange* carrier = find(id);
    if (carrier == nullptr || carrier->downCut || carrier->pageHeard)
      ++counters_.framesLost;
    else
      carrier->client->handleFrame(reply);
  });
}

// ---- both ----

void Web::tellPage(bridge::RequestId socket, std::uint16_t code) {
  Exchange* exchange = find(socket);
  if (exchange == nullptr || std::exchange(exchange->pageHeard, true)) return;
  Client* client = exchange->client;
  forgetIfOver(socket);
  client->handleSocketClosed(socket, code);
}

void Web::tellGateway(bridge::RequestId socket) {
  Exchange* exchange = find(socket);
  if (exchange == nullptr || std::exchange(exchange->gatewayHeard, true)) return;
  gateway_.closed(socket);
  forgetIfOver(socket);
}

void Web::forgetIfOver(bridge::RequestId socket) {
  const Exchange* exchange = find(socket);
  if (exchange != nullptr && exchange->pageHeard && exchange->gatewayHeard) exchanges_.erase(socket);
}

}  // namespace crosspoint::sim
