// Real descriptions: what we read out of each, and what we write from that.
#include <gtest/gtest.h>

#include "core/sdp/sdp.h"
#include "tests/golden/golden_file.h"
#include "tests/golden/sdp_dump.h"

namespace crosspoint {
namespace {

class SdpGolden : public testing::TestWithParam<std::string> {};

TEST_P(SdpGolden, IsReadAndWrittenAsExpected) {
  const auto text = test::readGolden("sdp", GetParam() + ".sdp");
  const auto description = sdp::parse(text);
  ASSERT_TRUE(description) << "line " << description.error().line << ": " << description.error().message;
  test::expectGolden("sdp", GetParam() + ".params", test::dump(*description));
  test::expectGolden("sdp", GetParam() + ".written", sdp::write(*description));
}

TEST_P(SdpGolden, IsTheSameAfterWritingAndReadingAgain) {
  auto description = sdp::parse(test::readGolden("sdp", GetParam() + ".sdp"));
  ASSERT_TRUE(description);
  for (auto& section : description->sections) {
    std::erase_if(section.candidates, [](const Candidate& c) { return c.transport == CandidateTransport::Tcp; });
  }
  EXPECT_EQ(sdp::parse(sdp::write(*description)), description);
}

INSTANTIATE_TEST_SUITE_P(Files, SdpGolden, testing::ValuesIn(test::goldenNames("sdp", ".sdp")),
                         [](const auto& file) { return file.param; });

}  // namespace
}  // namespace crosspoint
