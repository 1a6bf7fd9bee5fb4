// What people do in the simulation: at random, and now and then all at once.
#include "tests/sim/world.h"

namespace crosspoint::sim {
namespace {

constexpr const char* kEvents[] = {"hold", "talk", "hold", "talk", "presence", "options"};

}  // namespace

// Now and then the SIP server is gone for a while, and has forgotten everybody when it comes back.
void World::restartServer() {
  if (closing_) return;
  sip_.restart(std::chrono::seconds(1 + random_.below(random_.below(3) == 0 ? 40 : 5)));
  clock_.after(std::chrono::seconds(100 + random_.below(500)), [this] { restartServer(); });
}

std::string World::anybody() {
  switch (random_.below(12)) {
    case 0:
      return "9999";
    case 1:
      return kGroup;
    case 2:
      return kBigGroup;
    case 3:
    case 4:
    case 5:
      return anyPage().user();
    default:
      return anyPhone().user();
  }
}

void World::startCall(Page& page) {
  ++started_;
  const auto choice = random_.below(10);
  if (choice < 7)
    page.call(random_.below(20) == 0 ? "self" : anybody());
  else
    anyPhone().call(page.user());
}

// The phone that the page talks to, if it does.
Phone* World::farEnd(const Page& page) {
  for (const auto& phone : phones_) {
    if (phone->callWith(page.user()) != nullptr) return phone.get();
  }
  return nullptr;
}

// To the far end of another page's call in its place, or to somebody who knows nothing of it.
void World::transferByPage(Page& page) {
  if (!page.line().counts()) return;  // an extension: clients in the field know nothing of it
  if (random_.below(3) == 0) return page.transfer(anybody());
  const auto first = random_.below(pages_.size());
  for (std::size_t i = 0; i < pages_.size(); ++i) {
    const Page& other = *pages_[(first + i) % pages_.size()];
    const bool possible = &other != &page && other.state() == Page::State::InCall && !other.dialog().empty();
    if (possible && random_.below(4) != 0) return page.transferTo(other);
  }
  page.transfer(anybody());
}

void World::actOnLine(Page& page) {
  switch (random_.below(12)) {
    case 0:
      page.line().lose();
      break;
    case 1:
    case 2:
    case 3:
      page.line().probe();
      break;
    case 4:
    case 5:
    case 6:
    case 7:
      page.line().change();
      break;
    default:
      page.line().cut();
      break;
  }
}

void World::actByPhone(Phone& phone, const std::string& page) {
  switch (random_.below(24)) {
    case 0:
    case 1:
      phone.offerAgain(page, random_.below(4) == 0 ? Direction::Inactive : Direction::SendOnly);
      break;
    case 2:
    case 3:
    case 4:
    case 5:
      phone.offerAgain(page, Direction::SendRecv);
      break;
    case 6:
      phone.askForOffer(page);
      break;
    case 7:
      phone.move(page);
      break;
    case 8:
      phone.sendInfos(page);
      break;
    case 9:
    case 10:
      phone.hangUp(page);
      break;
    case 11:
    case 12:
      phone.update(page, random_.below(3) == 0 ? Direction::SendOnly : Direction::SendRecv);
      break;
    case 13:
      phone.notify(page, kEvents[random_.below(std::size(kEvents))]);
      break;
    case 14:
      phone.transfer(page, anybody());
      break;
    case 15:
      anyPhone().takeOver(phone, page);
      break;
    case 16:
    case 17:
      phone.consult(page, anybody());
      break;
    default:
      break;
  }
}

void World::actInCall(Page& page) {
  Phone* phone = farEnd(page);
  switch (random_.below(24)) {
    case 0:
      if (page.mayOffer()) page.offerAgain(Direction::Inactive, false);
      break;
    case 1:
    case 2:
      if (page.mayOffer()) page.offerAgain(Direction::SendRecv, random_.below(3) == 0);
      break;
    case 3:
      if (page.mayOffer()) page.renew();
      break;
    case 4:
      page.sendInfos();
      break;
    case 5:
      page.hangUp();
      break;
    case 6:  // both at once
      if (page.mayOffer()) page.offerAgain(Direction::SendRecv, false);
      if (phone != nullptr)
        phone->offerAgain(page.user(), random_.below(2) == 0 ? Direction::SendOnly : Direction::SendRecv);
      break;
    case 7:
      transferByPage(page);
      break;
    case 8:
    case 9:
    case 10:
      actOnLine(page);
      break;
    default:
      if (phone != nullptr) actByPhone(*phone, page.user());
      break;
  }
}

void World::actIdle(Page& page) {
  if (random_.below(200) == 0)
    page.signOut();
  else if (random_.below(15) == 0)
    actOnLine(page);
  else if (!closing_ && started_ < config_.calls && random_.below(3) == 0)
    startCall(page);
}

void World::act(Page& page) {
  const bool leaves = random_.below(200) == 0;
  switch (page.state()) {
    case Page::State::Out:
      if (!closing_) page.signIn();
      break;
    case Page::State::SigningIn:
      break;
    case Page::State::Idle:
      actIdle(page);
      break;
    case Page::State::Ringing:
      if (random_.below(5) == 0 || closing_)
        page.reject();
      else if (random_.below(6) == 0)
        actOnLine(page);
      else
        page.accept();
      break;
    case Page::State::Calling:
      if (random_.below(8) == 0 || closing_)
        page.hangUp();
      else if (random_.below(6) == 0)
        actOnLine(page);
      break;
    case Page::State::InCall:
      if (closing_)
        page.hangUp();
      else if (leaves && random_.below(2) == 0)
        page.signOut();
      else if (leaves)
        page.vanish();
      else
        actInCall(page);
      break;
  }
  const bool talks = page.state() == Page::State::InCall && random_.below(10) == 0;  // without touching anything
  clock_.after(std::chrono::milliseconds(200 + random_.below(talks ? 40'000 : 4000)), [this, &page] { act(page); });
}

}  // namespace crosspoint::sim
