// DTLS datagrams as strangers send them, before and after a handshake. The input is a list of datagrams, each behind
// two bytes of length.
#include "core/dtls/session.h"

using namespace crosspoint;

namespace {

constexpr TimePoint kNow{std::chrono::seconds(1)};
constexpr std::size_t kDatagramsMax = 32;

const dtls::Context& context() {
  static const dtls::Context kContext(crypto::Certificate::selfSigned(WallTime{std::chrono::hours(480'000)}));
  return kContext;
}

void drain(dtls::Session& session) {
  while (session.pollOutput()) {
  }
}

void feed(dtls::Session& session, Bytes input) {
  ByteReader reader(input);
  for (std::size_t i = 0; i < kDatagramsMax; ++i) {
    const auto size = reader.read<std::uint16_t>();
    if (!size) return;
    const auto datagram = reader.take(std::min<std::size_t>(*size, reader.rest().size()));
    session.handleDatagram(kNow, *datagram);
    drain(session);
  }
}

// Two connected ends would cost a millisecond an input, so one pair serves until an input has done harm, which is the
// failure.
struct ConnectedPair {
  ConnectedPair() {
    client.setRemoteFingerprints(kNow, {context().fingerprint()});
    server.setRemoteFingerprints(kNow, {context().fingerprint()});
    for (int round = 0; round < 4; ++round) {
      carry(client, server);
      carry(server, client);
    }
    check();
  }
  void check() const {
    if (client.state() != dtls::Session::State::Connected || server.state() != dtls::Session::State::Connected)
      __builtin_trap();
  }
  static void carry(dtls::Session& from, dtls::Session& to) {
    while (auto output = from.pollOutput()) {
      if (auto* datagram = std::get_if<dtls::Session::SendDatagram>(&*output)) to.handleDatagram(kNow, datagram->bytes);
    }
  }
  dtls::Session client{context(), dtls::Role::Client, {}, kNow};
  dtls::Session server{context(), dtls::Role::Server, {}, kNow};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (auto role : {dtls::Role::Client, dtls::Role::Server}) {
    dtls::Session session(context(), role, {}, kNow);
    session.setRemoteFingerprints(kNow, {context().fingerprint()});
    drain(session);
    feed(session, {data, size});
    if (auto timeout = session.nextTimeout()) session.handleTimeout(*timeout);
    drain(session);
    if (session.state() == dtls::Session::State::Connected) __builtin_trap();
  }
  static ConnectedPair pair;
  feed(pair.client, {data, size});
  feed(pair.server, {data, size});
  pair.check();
  return 0;
}
