// The far end gives up a codec in a call: the one that the page may be sending at that moment.
#include <gtest/gtest.h>

#include "bridge/bridge_fixture.h"

namespace crosspoint::bridge::test {
namespace {

struct CodecLossTest : testing::Test, BridgeWorld {
  void begin() {
    page_ = &signedIn("1001");
    phone_ = &phone("2001");
    establish(*page_, *phone_);  // PCMU and PCMA were agreed
    page_->messages.clear();
  }
  void phoneSpeaksOnly(const Codec& codec, bool byUpdate = false) {
    phone().codecs = {codec, Phone::digits()};
    if (byUpdate)
      phone().update();
    else
      phone().reInvite();
    run(50ms);
  }
  // How many of three packets arrive at the phone.
  std::size_t heardAtPhone(std::uint8_t payloadType) {
    const auto before = phone().received.size();
    for (int i = 0; i < 3; ++i) {
      page().speak({.payloadType = payloadType, .sequenceNumber = ++sequence_, .timestamp = sequence_ * 160u});
      run(20ms);
    }
    return phone().received.size() - before;
  }
  std::size_t heardAtPage(std::uint8_t payloadType) {
    const auto before = page().received.size();
    for (int i = 0; i < 3; ++i) {
      phone().speak(
          {.payloadType = payloadType, .sequenceNumber = ++sequence_, .timestamp = sequence_ * 160u, .ssrc = 0x77});
      run(20ms);
    }
    return page().received.size() - before;
  }
  Page& page() { return *page_; }
  Phone& phone() { return *phone_; }
  using BridgeWorld::page;
  using BridgeWorld::phone;

 private:
  Page* page_ = nullptr;
  Phone* phone_ = nullptr;
  std::uint16_t sequence_ = 100;
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
