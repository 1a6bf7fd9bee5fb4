// The far end gives up a codec in a call: the one that the page may be sending at that moment.
#include <gtest/gtest.h>

#include "bridge/one_call_fixture.h"

namespace crosspoint::bridge::test {
namespace {

struct CodecLossTest : OneCallTest {  // PCMU and PCMA are agreed
  void phoneSpeaksOnly(const Codec& codec, bool byUpdate = false) {
    phone().codecs = {codec, Phone::digits()};
    if (byUpdate)
      phone().update();
    else
      phone().reInvite();
    run(50ms);
  }
  // How many of three packets arrive at the other end.
  std::size_t heardAtPhone(std::uint8_t payloadType) {
    pageVoice_.payloadType = payloadType;
    return heard(phone().received, pageVoice_, [this](const RtpSample& packet) { page().speak(packet); });
  }
  std::size_t heardAtPage(std::uint8_t payloadType) {
    phoneVoice_.payloadType = payloadType;
    return heard(page().received, phoneVoice_, [this](const RtpSample& packet) { phone().speak(packet); });
  }

 private:
  RtpSample pageVoice_{.sequenceNumber = 100, .timestamp = 16'000};
  RtpSample phoneVoice_{.sequenceNumber = 100, .timestamp = 16'000, .ssrc = 0x77};
};

TEST_F(CodecLossTest, TheFarEndIsAnsweredAtOnceAndThePageIsToldWhatItMaySend) {
  begin();
  phoneSpeaksOnly(kPcma);
  EXPECT_TRUE(phone().offersFailed.empty());
  EXPECT_EQ(phone().described().sections.at(0).codecs.at(0), kPcma);
  EXPECT_EQ(heardAtPhone(0), 0u);  // the phone said that it does not understand that
  EXPECT_EQ(heardAtPage(8), 3u);   // the page always did
  EXPECT_EQ(page().list(), "OFFER");
  EXPECT_EQ(codecNames(page().answerOffer()).at(0), "PCMA");
  run(50ms);
  EXPECT_EQ(page().list(), "OK");
  EXPECT_EQ(heardAtPhone(8), 3u);
  EXPECT_EQ(sentCount(sip::Method::Invite), 1u);  // the far end hears nothing more of it
}

TEST_F(CodecLossTest, AnUpdateThatSaysSoIsTreatedAlike) {
  begin();
  phoneSpeaksOnly(kPcma, true);
  EXPECT_TRUE(phone().offersFailed.empty());
  EXPECT_EQ(codecNames(page().answerOffer()).at(0), "PCMA");
  run(50ms);
  EXPECT_EQ(heardAtPhone(8), 3u);
}

TEST_F(CodecLossTest, APageThatSendsTheOtherOneAlreadyLosesNothing) {
  begin();
  EXPECT_EQ(heardAtPhone(8), 3u);
  phoneSpeaksOnly(kPcma);
  EXPECT_EQ(heardAtPhone(8), 3u);
  page().answerOffer();
  run(50ms);
  EXPECT_EQ(heardAtPhone(8), 3u);
}

TEST_F(CodecLossTest, APageThatDoesNotAnswerKeepsItsCall) {
  begin();
  phoneSpeaksOnly(kPcma);
  run(60s);
  EXPECT_TRUE(phone().established());
  EXPECT_EQ(page().list(), "OFFER");
  EXPECT_EQ(heardAtPage(8), 3u);
  EXPECT_EQ(heardAtPhone(8), 3u);
}

TEST_F(CodecLossTest, WhatComesBackIsUsableAtOnceAndThePageIsNotBothered) {
  begin();
  phoneSpeaksOnly(kPcma);
  page().answerOffer();
  run(50ms);
  page().messages.clear();
  phone().codecs = {kPcmu, kPcma, Phone::digits()};
  phone().reInvite();
  run(1s);
  EXPECT_EQ(page().list(), "");
  EXPECT_EQ(heardAtPage(0), 3u);
  EXPECT_EQ(heardAtPhone(8), 3u);
}

}  // namespace
}  // namespace crosspoint::bridge::test
