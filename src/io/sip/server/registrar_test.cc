#include "io/sip/server/registrar.h"

#include <gtest/gtest.h>

namespace crosspoint::sip {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{std::chrono::hours(1)};

Registrar::Update registration(const std::string& user, const std::string& contact, std::uint32_t expires = 60) {
  return {.user = user,
          .contacts = {{.uri = *Uri::parse(contact), .expires = std::nullopt}},
          .expires = expires,
          .callId = contact,
          .cseq = 1,
          .source = {},
          .transport = "udp"};
}

TEST(Registrar, ForgetsAContactExactlyWhenItExpires) {
  Registrar registrar({});
  ASSERT_EQ(registrar.update(kStart, registration("1", "sip:1@10.0.0.1:5062")), 200);
  EXPECT_EQ(registrar.lookup(kStart + 60s - 1ns, "1").size(), 1U);
  EXPECT_TRUE(registrar.lookup(kStart + 60s, "1").empty());
  registrar.expire(kStart + 60s);
  EXPECT_EQ(registrar.registeredUsers(), 0U);
  EXPECT_TRUE(registrar.isKnown("1"));
}

TEST(Registrar, GivesTheNewestContactFirst) {
  Registrar registrar({});
  registrar.update(kStart, registration("1", "sip:1@10.0.0.1"));
  registrar.update(kStart, registration("1", "sip:1@10.0.0.2"));
  EXPECT_EQ(registrar.lookup(kStart, "1").front().contact.host, "10.0.0.2");
}

TEST(Registrar, APhoneThatRestartedWithAnotherUserPartReplacesItself) {
  Registrar registrar({});
  registrar.update(kStart, registration("1", "sip:1-abc@10.0.0.1:5062"));
  registrar.update(kStart, registration("1", "sip:1-xyz@10.0.0.1:5062"));
  ASSERT_EQ(registrar.lookup(kStart, "1").size(), 1U);
  EXPECT_EQ(registrar.lookup(kStart, "1").front().contact.user, "1-xyz");
}

TEST(Registrar, AStarWithExpiresZeroRemovesAll) {
  Registrar registrar({});
  registrar.update(kStart, registration("1", "sip:1@10.0.0.1"));
  registrar.update(kStart, registration("1", "sip:1@10.0.0.2"));
  Registrar::Update all{.user = "1",
                        .contacts = {},
                        .allContacts = true,
                        .expires = 5,
                        .callId = "x",
                        .cseq = 1,
                        .source = {},
                        .transport = "udp"};
  EXPECT_EQ(registrar.update(kStart, all), 400);
  all.expires = 0;
  EXPECT_EQ(registrar.update(kStart, all), 200);
  EXPECT_EQ(registrar.contacts(), 0U);
  EXPECT_EQ(registrar.findByContact(kStart, *Uri::parse("sip:1@10.0.0.1")), nullptr);
}

TEST(Registrar, ARegistrationThatWasOvertakenChangesNothing) {
  Registrar registrar({});
  auto update = registration("1", "sip:1@10.0.0.1");
  update.cseq = 5;
  EXPECT_EQ(registrar.update(kStart, update), 200);
  EXPECT_EQ(registrar.update(kStart, update), 200);  // the same again: its answer was lost
  update.cseq = 4;
  update.expires = 0;
  EXPECT_EQ(registrar.update(kStart, update), 500);
  EXPECT_EQ(registrar.contacts(), 1U);
}

TEST(Registrar, KeepsAContactAtMostAsLongAsItsMaximum) {
  Registrar registrar({.expiresMax = 100s});
  registrar.update(kStart, registration("1", "sip:1@10.0.0.1", 1'000'000));
  EXPECT_TRUE(registrar.lookup(kStart + 100s, "1").empty());
}

TEST(Registrar, FindsWhoseContactAnAddressIs) {
  Registrar registrar({});
  registrar.update(kStart, registration("1", "sip:1@10.0.0.1:5062"));
  EXPECT_NE(registrar.findByContact(kStart, *Uri::parse("sip:any@10.0.0.1:5062")), nullptr);
  EXPECT_EQ(registrar.findByContact(kStart, *Uri::parse("sip:any@10.0.0.1:5063")), nullptr);
  EXPECT_EQ(registrar.findByContact(kStart, *Uri::parse("sip:any@10.0.0.1:5062;transport=tcp")), nullptr);
}

TEST(Registrar, AUserWhoIsGoneMakesRoomForANewOne) {
  Registrar registrar({.usersMax = 1});
  registrar.update(kStart, registration("1", "sip:1@10.0.0.1"));
  EXPECT_EQ(registrar.update(kStart, registration("2", "sip:2@10.0.0.2")), 503);
  registrar.update(kStart, registration("1", "sip:1@10.0.0.1", 0));
  EXPECT_EQ(registrar.update(kStart, registration("2", "sip:2@10.0.0.2")), 200);
  EXPECT_FALSE(registrar.isKnown("1"));
}

}  // namespace
}  // namespace crosspoint::sip
