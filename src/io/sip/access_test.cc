// Ranges of addresses.
#include "io/sip/access.h"

#include <gtest/gtest.h>

namespace crosspoint::sip {
namespace {

bool holds(std::string_view range, std::string_view address) {
  return AddressRange::parse(range).value().contains(IpAddress::parse(address).value());
}

TEST(AddressRange, AnAddressAloneIsItself) {
  EXPECT_TRUE(holds("192.0.2.7", "192.0.2.7"));
  EXPECT_FALSE(holds("192.0.2.7", "192.0.2.8"));
  EXPECT_TRUE(holds("2001:db8::1", "2001:db8::1"));
}

TEST(AddressRange, APrefixHoldsWhatBeginsWithIt) {
  EXPECT_TRUE(holds("10.0.0.0/8", "10.255.1.2"));
  EXPECT_FALSE(holds("10.0.0.0/8", "11.0.0.0"));
  EXPECT_TRUE(holds("192.0.2.64/26", "192.0.2.127"));
  EXPECT_FALSE(holds("192.0.2.64/26", "192.0.2.128"));
  EXPECT_TRUE(holds("0.0.0.0/0", "203.0.113.9"));
  EXPECT_TRUE(holds("2001:db8::/33", "2001:db8:7fff::1"));
  EXPECT_FALSE(holds("2001:db8::/33", "2001:db8:8000::1"));
}

TEST(AddressRange, KeepsTheFamiliesApart) {
  EXPECT_FALSE(holds("0.0.0.0/0", "::1"));
  EXPECT_FALSE(holds("::/0", "127.0.0.1"));
}

TEST(AddressRange, RefusesWhatIsNone) {
  for (const char* text : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/8x", "10.0.0.0/-1", "10.0.0.1/8", "::/129",
                           "example.com", "10.0.0.0/8/8"}) {
    EXPECT_FALSE(AddressRange::parse(text)) << text;
  }
}

}  // namespace
}  // namespace crosspoint::sip
