// Questions to a name server on loopback.
#include "io/dns/resolver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/dns/name_server_for_test.h"

namespace crosspoint::dns {
namespace {

using namespace std::chrono_literals;

// The smallest loop around a resolver.
class Questions : public testing::Test {
 protected:
  Resolver make(std::chrono::milliseconds timeout = 1s) {
    return Resolver({.servers = {server.address()}, .timeout = timeout, .tries = 1},
                    [this](int fd, bool read, bool write) {
                      watched.erase(fd);
                      if (read || write) watched[fd] = static_cast<short>((read ? POLLIN : 0) | (write ? POLLOUT : 0));
                    });
  }
  void runUntil(Resolver& resolver, const bool& done) {
    while (!done) {
      std::vector<pollfd> waits;
      for (const auto& [fd, events] : watched) waits.push_back({.fd = fd, .events = events, .revents = 0});
      const auto left = resolver.nextTimeout();
      ASSERT_TRUE(left.has_value()) << "nothing is open, and no answer came";
      ::poll(waits.data(), waits.size(), static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(*left).count()));
      for (const auto& wait : waits) {
        if (wait.revents) resolver.handleReady(wait.fd, (wait.revents & ~POLLOUT) != 0, (wait.revents & POLLOUT) != 0);
      }
      resolver.handleTimeout();
    }
  }
  std::expected<std::vector<Service>, Error> services(Resolver& resolver, const std::string& name) {
    std::expected<std::vector<Service>, Error> result;
    bool done = false;
    resolver.findServices(name, [&](auto found) { result = std::move(found), done = true; });
    runUntil(resolver, done);
    return result;
  }
  std::expected<Addresses, Error> addresses(Resolver& resolver, const std::string& name) {
    std::expected<Addresses, Error> result;
    bool done = false;
    resolver.findAddresses(name, false, [&](auto found) { result = std::move(found), done = true; });
    runUntil(resolver, done);
    return result;
  }

  test::NameServer server;
  std::map<int, short> watched;
};

TEST_F(Questions, ServicesComeAsTheServerHasThem) {
  server.setServices("_sip._udp.example.test", {{20, 0, 5062, "b.example.test"}, {10, 5, 5060, "a.example.test"}});
  auto resolver = make();
  EXPECT_THAT(
      services(resolver, "_sip._udp.example.test").value(),
      testing::UnorderedElementsAre(Service{20, 0, 5062, "b.example.test"}, Service{10, 5, 5060, "a.example.test"}));
}

TEST_F(Questions, AnAddressComesWithItsLifetime) {
  server.setAddress("a.example.test", *IpAddress::parse("192.0.2.7"));
  auto resolver = make();
  const auto found = addresses(resolver, "a.example.test");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->list, std::vector<IpAddress>{*IpAddress::parse("192.0.2.7")});
  EXPECT_EQ(found->lifetime, 1s);
}

TEST_F(Questions, WhatIsNotThereIsSaidToBeNone) {
  auto resolver = make();
  EXPECT_EQ(services(resolver, "_sip._udp.nobody.test").error(), Error::None);
  EXPECT_EQ(addresses(resolver, "nobody.test").error(), Error::None);
  server.setServices("_sip._tcp.closed.test", {{0, 0, 0, "."}});
  EXPECT_EQ(services(resolver, "_sip._tcp.closed.test").error(), Error::None) << "RFC 2782: not available";
}

TEST_F(Questions, ASilentServerIsAFailure) {
  server.fallSilent();
  auto resolver = make(20ms);
  EXPECT_EQ(services(resolver, "_sip._udp.example.test").error(), Error::Failed);
}

TEST_F(Questions, TheEndCallsBackWhatIsOpen) {
  server.fallSilent();
  std::optional<Error> error;
  {
    auto resolver = make();
    resolver.findServices("_sip._udp.example.test", [&](const auto& found) { error = found.error(); });
    EXPECT_FALSE(error.has_value());
  }
  EXPECT_EQ(error, Error::Failed);
  EXPECT_TRUE(watched.empty());
}

}  // namespace
}  // namespace crosspoint::dns
