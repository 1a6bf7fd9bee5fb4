// HTTP and WebSockets between the pages and the gateway, in virtual time: requests in parallel, each with its own
// delay, sockets in order. Both are cut now and then, at any moment, and the two ends hear of it at different times or
// not at all.
//
// It is what io/http is to the bridge: it tells which replies were written and which connections have gone.
#pragma once
#include <functional>
#include <unordered_map>

#include "base/random.h"
#include "bridge/page.h"
#include "tests/sim/clock.h"
#include "tests/sim/network.h"

namespace crosspoint::sim {

class Web {
 public:
  // A page. Called for what it has asked for, also after it has given that up: a reply may have left before.
  class Client {
   public:
    virtual ~Client() = default;
    virtual bool counts() const = 0;  // it keeps count: whatever becomes of a reply, nothing is lost
    virtual void handleReply(const bridge::PageReply& reply) = 0;
    virtual void handleLost(bridge::RequestId request) = 0;  // no reply will come
    virtual void handleSocketOpen(bridge::RequestId socket) = 0;
    virtual void handleFrame(const bridge::PageReply& frame) = 0;
    virtual void handleSocketClosed(bridge::RequestId socket, std::uint16_t code) = 0;  // 1006: cut
  };
  struct Gateway {
    std::function<void(bridge::PageRequest&&)> request;
    std::function<void(bridge::RequestId)> closed, delivered;
  };
  struct Counters {
    std::uint64_t requests = 0, socketsOpened = 0, socketsCut = 0, framesUp = 0, framesDown = 0, framesLost = 0;
  };

  Web(Clock& clock, Network& network, Random& random, unsigned lostPermille, Gateway gateway)
      : clock_(clock), network_(network), random_(random), lostPermille_(lostPermille), gateway_(std::move(gateway)) {}

  bridge::RequestId next() { return bridge::RequestId{++last_}; }

  // The page's side. A request, the opening of a socket, or a message on an open one.
  void send(Client& client, bridge::PageRequest&& request);
  void close(bridge::RequestId request);  // it gives up a request, or closes a socket
  void cut(bridge::RequestId socket);     // the network does

  // The gateway's side.
  void reply(bridge::PageReply&& reply);

  const Counters& counters() const { return counters_; }

 private:
  struct Exchange {
    Client* client = nullptr;
    bool socket = false;
    TimePoint upArrives{}, downArrives{};  // of what was sent last on a socket
    bool upCut = false, downCut = false;   // what arrives from now on does not
    bool pageHeard = false;                // that the socket has gone, or it has closed it itself
    bool gatewayHeard = false;
    bool replied = false;  // to a request: the reply is on its way
  };
  void sendRequest(bridge::RequestId id, bridge::PageRequest&& request);
  void openSocket(bridge::RequestId id, bridge::PageRequest&& request);
  void sendFrame(bridge::SocketMessage&& message);
  void deliverReply(Exchange& exchange, bridge::PageReply&& reply);
  void deliverFrame(Exchange& exchange, bridge::PageReply&& reply);
  void tellPage(bridge::RequestId socket, std::uint16_t code);
  void tellGateway(bridge::RequestId socket);
  void forgetIfOver(bridge::RequestId socket);
  bool lost() { return random_.below(1000) < lostPermille_; }
  Exchange* find(bridge::RequestId id);

  Clock& clock_;
  Network& network_;
  Random& random_;
  const unsigned lostPermille_;
  Gateway gateway_;
  std::unordered_map<bridge::RequestId, Exchange> exchanges_;
  std::uint64_t last_ = 0;
  Counters counters_;
};

}  // namespace crosspoint::sim
