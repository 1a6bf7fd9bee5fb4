// Requests from where none is accepted outside a dialog, on real loopback sockets.
#include <gtest/gtest.h>
#include <poll.h>

#include "io/sip/phone_for_test.h"

namespace crosspoint::sip {
namespace {

using test::Phone;
using namespace std::chrono_literals;

class Strangers : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(thread.start()); }
  static SipTransport::Config config(std::size_t transactionsMax = 1'000) {
    SipTransport::Config config;
    config.acceptAll = false;
    config.serverTransactionsMax = transactionsMax;
    config.t1 = 20ms;
    config.t2 = 80ms;
    config.t4 = 100ms;
    return config;
  }
  // The status line of the answer to an OPTIONS; what comes to the core is answered with 481 there.
  std::string ask(Phone& phone, const std::string& toParameters) {
    const std::string id = std::to_string(++last_);
    const auto socket =
        test::say(phone.sip().boundAddress(),
                  "OPTIONS sip:p@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;rport;branch=z9hG4bK" + id +
                      "\r\nFrom: <sip:x@x>;tag=1\r\nTo: <sip:p@x>" + toParameters + "\r\nCall-ID: " + id +
                      "\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n");
    pollfd answered{.fd = socket.get(), .events = POLLIN, .revents = 0};
    const auto end = std::chrono::steady_clock::now() + test::kDeadline;
    while (::poll(&answered, 1, 1) == 0 && std::chrono::steady_clock::now() < end) {
      if (phone.heard<RequestReceived>() > 0) phone.respond(phone.next<RequestReceived>(), 481);
    }
    char buffer[65536];
    const auto size = ::recv(socket.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    const std::string answer(buffer, size > 0 ? static_cast<std::size_t>(size) : 0);
    return answer.substr(0, answer.find('\r'));
  }
  int answeredByCore(Phone& phone) {
    int count = 0;
    while (count < 50 && ask(phone, ";tag=t").starts_with("SIP/2.0 481")) ++count;
    return count;
  }
  SipThread thread;

 private:
  int last_ = 0;
};

TEST_F(Strangers, ATagWithoutAValueBringsNobodyIn) {
  Phone phone(thread, "p", {}, "udp", config());
  EXPECT_EQ(ask(phone, ""), "SIP/2.0 403 Forbidden");
  EXPECT_EQ(ask(phone, ";tag"), "SIP/2.0 403 Forbidden");
  EXPECT_EQ(ask(phone, ";TAG;x=y"), "SIP/2.0 403 Forbidden");
  EXPECT_TRUE(ask(phone, ";tag=").starts_with("SIP/2.0 400"));
  EXPECT_EQ(phone.sip().stats().strangers, 3U);
}

// RFC 3261 §17.2.2: an answer is kept for 64*T1, to meet repetitions.
TEST_F(Strangers, WhatIsAnsweredCountsUntilNoRepetitionCanComeAndStrangersGetAQuarter) {
  Phone closed(thread, "c", {}, "udp", config(8));
  EXPECT_EQ(answeredByCore(closed), 2);
  auto known = config(8);
  known.acceptFrom = {*AddressRange::parse("127.0.0.1")};
  Phone open(thread, "o", {}, "udp", known);
  EXPECT_EQ(answeredByCore(open), 8);
  EXPECT_GT(open.sip().stats().refused, 0U);
  const auto end = std::chrono::steady_clock::now() + test::kDeadline;
  while (!ask(open, ";tag=t").starts_with("SIP/2.0 481")) ASSERT_LT(std::chrono::steady_clock::now(), end);
}

}  // namespace
}  // namespace crosspoint::sip
