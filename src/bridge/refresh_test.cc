// Refreshes of a call's session (RFC 4028) by re-INVITE, with a far end that the test plays itself.
#include <gtest/gtest.h>

#include "bridge/bridge_fixture.h"

namespace crosspoint::bridge::test {
namespace {

struct RefreshTest : testing::Test, BridgeWorld {
  static std::string sdpOf(const SocketAddress& address, const char* codec) {
    return "v=0\r\no=- 1 1 IN IP4 10.2.0.1\r\ns=-\r\nc=IN IP4 " + address.ip.toString() + "\r\nt=0 0\r\nm=audio " +
           std::to_string(address.port) + " RTP/AVP 96\r\na=rtpmap:96 " + codec + "\r\n";
  }
  // The page's call has been answered by a far end without UPDATE and without session timers.
  void establish(Page& caller) {
    intercept = [this](const std::string&, const sip::SendRequest& sent) {
      if (sent.request.method == sip::Method::Invite) invites.push_back(sent);
      return sent.request.method == sip::Method::Invite;
    };
    caller.call("2001");
    run(100ms);
    respond(invites.at(0), 200, "OK", sdpOf(a, "PCMU/8000"));
    run(100ms);
    caller.takeProvisionalAnswer();
    caller.takeAnswer();
    expectConnected(caller);
  }
  // Where the page's next packet goes.
  SocketAddress spokenTo(Page& caller) {
    SocketAddress reached;
    watch = [&](const SocketAddress& from, const SocketAddress& to, Bytes) {
      if (from != caller.address() && (to == a || to == b)) reached = to;
    };
    caller.speak({.sequenceNumber = ++sequence_});
    run(50ms);
    watch = {};
    return reached;
  }

  const SocketAddress a{IpAddress::v4(0x0a020001), 41000}, b{IpAddress::v4(0x0a020001), 42000};
  std::vector<sip::SendRequest> invites;

 private:
  std::uint16_t sequence_ = 0;
};

TEST_F(RefreshTest, SaysWhatWasSaidBeforeInTheSameWords) {
  Page& caller = ourPage("1001");
  establish(caller);
  run(15min);
  ASSERT_EQ(invites.size(), 2u);
  EXPECT_EQ(invites[1].request.body, invites[0].request.body);
}

TEST_F(RefreshTest, AnAnswerToItThatCannotBeUsedChangesNothing) {
  Page& caller = ourPage("1001");
  establish(caller);
  EXPECT_EQ(spokenTo(caller), a);
  run(15min);
  ASSERT_EQ(invites.size(), 2u);
  respond(invites[1], 200, "OK", sdpOf(b, "G729/8000"));
  run(100ms);
  EXPECT_TRUE(log.has("the answer to a session refresh cannot be used"));
  caller.restartIce();
  caller.offer();
  run(1s);
  EXPECT_EQ(spokenTo(caller), a);
}

}  // namespace
}  // namespace crosspoint::bridge::test
