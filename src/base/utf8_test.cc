#include "base/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace crosspoint {
namespace {

TEST(Utf8, CharactersAreAsLongAsTheirFirstByteSays) {
  EXPECT_EQ(utf8CharacterBytes("ab"), 1U);
  EXPECT_EQ(utf8CharacterBytes("\xc3\xbcx"), 2U);
  EXPECT_EQ(utf8CharacterBytes("\xe2\x82\xac"), 3U);
  EXPECT_EQ(utf8CharacterBytes("\xf0\x9f\x98\x80"), 4U);
  EXPECT_EQ(utf8CharacterBytes(std::string(1, '\0')), 1U);
}

TEST(Utf8, WhatIsNoCharacterHasNoLength) {
  for (const char* text : {"", "\x80", "\xfc", "\xc3", "\xc3x", "\xe2\x82", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80",
                           "\xf4\x90\x80\x80", "\xf0\x80\x80\x80", "\xf5\x80\x80\x80"}) {
    EXPECT_EQ(utf8CharacterBytes(text), 0U) << text;
  }
}

}  // namespace
}  // namespace crosspoint
