#include "core/sip/shown_text.h"

#include <gtest/gtest.h>

#include "base/utf8.h"

namespace crosspoint::sip {
namespace {

const std::string kReplaced = "\xef\xbf\xbd";

TEST(ShownText, OrdinaryTextStays) {
  for (const std::string text : {"", "Busy Here", "Zo\xc3\xab \xe2\x82\xac \xf0\x9f\x98\x80", "<b>&amp;\"'\\"}) {
    EXPECT_EQ(shownText(text), text);
  }
}

TEST(ShownText, ControlsAndBytesThatAreNoCharacterAreReplacedOneByOne) {
  EXPECT_EQ(shownText("a\r\nb"), "a" + kReplaced + kReplaced + "b");
  EXPECT_EQ(shownText(std::string("a\0b\x1b\x7f", 5)), "a" + kReplaced + "b" + kReplaced + kReplaced);
  EXPECT_EQ(shownText("J\xfcrgen"), "J" + kReplaced + "rgen");
  EXPECT_EQ(shownText("\xc2\x85\xc2\x9f\xc2\xa0"), kReplaced + kReplaced + "\xc2\xa0") << "C1, but not what follows it";
  EXPECT_EQ(shownText("a\tb"), "a b");
}

TEST(ShownText, NothingTurnsTheDirectionOfWriting) {
  for (const std::string text :
       {"\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaa", "\xe2\x80\xae", "\xe2\x81\xa6", "\xe2\x81\xa9"}) {
    EXPECT_EQ(shownText(text), kReplaced);
  }
  EXPECT_EQ(shownText("\xe2\x80\xa7\xe2\x80\xaf"), "\xe2\x80\xa7\xe2\x80\xaf");
}

TEST(ShownText, IsBoundedAtACharacter) {
  const std::string text = shownText(std::string(kShownBytesMax - 1, 'x') + "\xc3\xab");
  EXPECT_EQ(text, std::string(kShownBytesMax - 1, 'x'));
  EXPECT_LE(shownText(std::string(100'000, '\xff')).size(), kShownBytesMax);
}

}  // namespace
}  // namespace crosspoint::sip
