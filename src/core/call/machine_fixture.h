// For tests of the machine: a page, caller unless said otherwise, and a SIP far end; codecs and media to say.
#pragma once
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "core/call/machine.h"

namespace crosspoint::call::test {

inline const Codec kOpus{.payloadType = 111, .name = "opus", .clockRate = 48000, .channels = 2};
inline const Codec kPcmu{.payloadType = 0, .name = "PCMU", .clockRate = 8000};
inline const Codec kPcma{.payloadType = 8, .name = "PCMA", .clockRate = 8000};
inline const Codec kG722{.payloadType = 9, .name = "G722", .clockRate = 8000};
inline const Codec kDigits{.payloadType = 126, .name = "telephone-event", .clockRate = 8000};
inline const Codec kVp8{
    .payloadType = 96, .name = "VP8", .clockRate = 90000, .feedback = {"nack", "nack pli", "goog-remb"}};

inline Media audio(std::vector<Codec> codecs, Direction direction = Direction::SendRecv) {
  return {Stream{std::move(codecs), direction}, Stream{}};
}
inline Media withVideo(Media media) {
  media[1] = {{kVp8}, Direction::SendRecv};
  return media;
}

// What the machine puts out is kept by kind.
struct MachineTest : testing::Test {
  Machine::Config config;
  std::unique_ptr<Machine> made;
  TimePoint now{};
  std::vector<Machine::Output> outputs;

  Machine& machine() {
    if (!made) made = std::make_unique<Machine>(config);
    return *made;
  }
  template <typename T>
  std::vector<T> take() {
    while (auto output = machine().pollOutput()) outputs.push_back(std::move(*output));
    std::vector<T> taken;
    std::erase_if(outputs, [&](auto& output) {
      if (auto* match = std::get_if<T>(&output)) {
        taken.push_back(*match);
        return true;
      }
      return false;
    });
    return taken;
  }
  void establish(Media offer = audio({kOpus, kPcmu, kDigits}), Media answer = audio({kPcmu, kDigits})) {
    machine().handleOffer(now, Side::Caller, offer);
    machine().handleAnswer(now, Side::Callee, answer);
    ASSERT_EQ(machine().state(), State::Active);
    take<Machine::SendOffer>();
    outputs.clear();
  }
};

}  // namespace crosspoint::call::test
