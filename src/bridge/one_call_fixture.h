// For tests: one page and one phone, in a call or on the way to it.
#pragma once
#include <gtest/gtest.h>

#include "bridge/bridge_fixture.h"

namespace crosspoint::bridge::test {

struct OneCallTest : testing::Test, BridgeWorld {
  // A page that has called a phone, or was called by it: not the same ones, so that a test may try both.
  void begin(bool pageCalls = true) {
    if (pageCalls) {
      meet(signedIn("1001"), phone("2001"));
      establish(page(), phone());
    } else {
      meet(signedIn("1002"), phone("2002"));
      establish(phone(), page());
    }
    EXPECT_EQ(page().list(), "");
  }
  // They are there, and no more.
  void meet(Page& page, Phone& phone) {
    page_ = &page;
    phone_ = &phone;
  }
  Page& page() { return *page_; }
  Phone& phone() { return *phone_; }
  using BridgeWorld::page;
  using BridgeWorld::phone;

  void pageOffers(Direction direction, Duration wait = 500ms) {
    page().offer(direction);
    run(wait);
  }
  // And has its answer.
  void pageChanges(Direction direction) {
    pageOffers(direction);
    page().takeAnswer();
  }
  // The page is asked only if that changes something for it.
  void phoneChanges(Direction direction) {
    phone().reInvite(direction);
    run(500ms);
    page().answerIfOffered();
    run(500ms);
    page().messages.clear();
  }
  Direction toldToPage() { return page().remote->sections.at(0).direction; }
  Direction toldToPhone() { return phone().described().sections.at(0).direction; }

 private:
  Page* page_ = nullptr;
  Phone* phone_ = nullptr;
};

}  // namespace crosspoint::bridge::test
