// Attached data as a SIP header.
#include "bridge/attached_data.h"

#include <gtest/gtest.h>

#include <cctype>
#include <cstring>

#include "bridge/text.h"

namespace crosspoint::bridge {
namespace {

using Items = std::vector<roap::AttachedItem>;

constexpr std::string_view kName = "X-Attached-Data";

std::optional<Items> decoded(std::vector<std::string> values) {
  std::vector<sip::Header> headers{{"X-Other", "a=b"}};
  for (auto& value : values) headers.push_back({"x-attached-DATA", std::move(value)});
  return decodeAttachedData(headers, kName);
}

TEST(AttachedData, IsPercentEncodedPairs) {
  EXPECT_EQ(encodeAttachedData(Items{{"account", "4711"}, {"name", "J\xc3\xbcrgen & Co"}}),
            "account=4711&name=J%C3%BCrgen%20%26%20Co");
  EXPECT_EQ(encodeAttachedData({}), "");
}

TEST(AttachedData, WhateverItHoldsComesBackAsItWas) {
  const Items items{{"a&b=c", "1+1=2&x=%41"},
                    {"\xe6\xbc\xa2\xe5\xad\x97", "\xf0\x9f\x98\x80"},
                    {"OFFER", "ERROR errorType {"},
                    {"", "no key"},
                    {"no value", ""},
                    {"lines", std::string("a\r\nVia: SIP/2.0/UDP evil\r\n\r\nb\0c", 32)},
                    {"twice", "1"},
                    {"twice", "2"}};
  const auto value = encodeAttachedData(items);
  ASSERT_TRUE(value);
  for (const char c : *value)
    EXPECT_TRUE(std::isalnum(static_cast<unsigned char>(c)) || std::strchr("-._~%&=", c)) << c;
  EXPECT_EQ(decoded({*value}), items);
}

TEST(AttachedData, TravelsWholeOrNotAtAll) {
  EXPECT_TRUE(encodeAttachedData(Items{{"k", std::string(kAttachedHeaderBytesMax - 2, 'x')}}));
  EXPECT_FALSE(encodeAttachedData(Items{{"k", std::string(kAttachedHeaderBytesMax - 1, 'x')}}));
  EXPECT_FALSE(encodeAttachedData(Items{{"k", "v"}, {"k", std::string(kAttachedHeaderBytesMax / 2, '&')}}));
  EXPECT_TRUE(decoded({"k=" + std::string(kAttachedHeaderBytesMax - 2, 'x')}));
  EXPECT_FALSE(decoded({"k=" + std::string(kAttachedHeaderBytesMax - 1, 'x')}));
  EXPECT_FALSE(decoded({std::string(3000, 'x'), std::string(3000, 'y')}));
  std::string many;
  for (std::size_t i = 0; i <= roap::kAttachedItemsMax; ++i) many += "a=1&";
  EXPECT_FALSE(decoded({many}));
}

TEST(AttachedData, WhatAnotherEndWroteByHandIsTakenKindly) {
  EXPECT_EQ(decoded({"name=John Smith+&half=%4&bad=%zz&flag&&x==y="}),
            (Items{{"name", "John Smith+"}, {"half", "%4"}, {"bad", "%zz"}, {"flag", ""}, {"x", "=y="}}));
  EXPECT_EQ(decoded({"a=1", "b=2"}), (Items{{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(decoded({}), Items{});
  EXPECT_EQ(decoded({""}), Items{});
  EXPECT_EQ(decoded({"latin=J%FCrgen"}), (Items{{"latin", "J\xef\xbf\xbdrgen"}}));
}

TEST(AttachedData, AHeaderThatSipUsesItselfIsRefused) {
  for (const auto* name : {"Via", "CONTACT", "x", "", "X Y", "X:Y", "X\r\nY", "Refer-To", "session-expires", "Accept"})
    EXPECT_FALSE(isAttachedDataHeader(name)) << name;
  EXPECT_FALSE(isAttachedDataHeader(std::string(65, 'x')));
  for (const auto* name : {"X-Attached-Data", "x-genesys", "My_Data"}) EXPECT_TRUE(isAttachedDataHeader(name)) << name;
}

TEST(Text, BytesThatAreNoCharacterBecomeTheReplacementCharacter) {
  EXPECT_EQ(asUtf8("plain \xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80"), "plain \xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80");
  const std::string replaced = "\xef\xbf\xbd";
  EXPECT_EQ(asUtf8("a\xff"), "a" + replaced);
  EXPECT_EQ(asUtf8("\xc3"), replaced);
  EXPECT_EQ(asUtf8("\xc0\xaf"), replaced + replaced);                                // overlong
  EXPECT_EQ(asUtf8("\xe0\x80\xaf"), replaced + replaced + replaced);                 // overlong
  EXPECT_EQ(asUtf8("\xed\xa0\x80"), replaced + replaced + replaced);                 // a surrogate
  EXPECT_EQ(asUtf8("\xf4\x90\x80\x80"), replaced + replaced + replaced + replaced);  // beyond Unicode
  EXPECT_EQ(asUtf8("\xe2\x82x"), replaced + replaced + "x");
}

}  // namespace
}  // namespace crosspoint::bridge
