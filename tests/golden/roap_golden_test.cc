// Bodies between pages and the gateway: what we read out of each, and what we write from that.
#include <gtest/gtest.h>

#include "core/roap/message.h"
#include "tests/golden/golden_file.h"

namespace crosspoint {
namespace {

class RoapGolden : public testing::TestWithParam<std::string> {};

std::string rewritten(const std::string& text) {
  const auto body = roap::parsePageBody(text);
  if (!body) return "error: " + body.error().message + "\n";
  if (const auto* message = std::get_if<roap::Message>(&*body)) return roap::toPage(*message) + "\n";
  if (const auto* info = std::get_if<roap::InfoMap>(&*body)) return "mapped: " + info->content + "\n";
  if (const auto* info = std::get_if<roap::InfoPeer>(&*body)) return "unmapped: " + info->content + "\n";
  if (const auto* transfer = std::get_if<roap::Transfer>(&*body))
    return "transfer to " + transfer->to +
           (transfer->replaces.empty() ? "\n" : " replacing " + transfer->replaces + "\n");
  return std::holds_alternative<roap::Bye>(*body) ? "bye\n" : "get statistics\n";
}

TEST_P(RoapGolden, IsReadAndWrittenAsExpected) {
  test::expectGolden("roap", GetParam() + ".written", rewritten(test::readGolden("roap", GetParam() + ".body")));
}

INSTANTIATE_TEST_SUITE_P(Files, RoapGolden, testing::ValuesIn(test::goldenNames("roap", ".body")),
                         [](const auto& file) { return file.param; });

}  // namespace
}  // namespace crosspoint
