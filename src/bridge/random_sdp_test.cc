// Far ends whose session descriptions are well-formed but make no sense, at random: in INVITEs, re-INVITEs, UPDATEs and
// in every answer. The gateway may refuse them and may end the call, but nothing else, and nothing is left behind.
#include <gtest/gtest.h>

#include "bridge/bridge_fixture.h"
#include "tests/support/seeded_random.h"

namespace crosspoint::bridge::test {
namespace {

class RandomSdpWorld : public BridgeWorld {
 public:
  explicit RandomSdpWorld(unsigned seed) : random_(seed) {}

  // How many offers and answers the gateway has taken in the call.
  std::size_t play() {
    Page& page = draw(2) == 0 ? signedIn("1001") : ourPage("1001");
    Phone& phone = this->phone("2001");
    page.video = draw(3) == 0;
    phone.describeOtherwise = [this] { return description(); };
    begin(page, phone);
    for (int step = 0; step < 8; ++step) {
      act(page, phone);
      run(std::chrono::seconds(20));  // whoever has not answered by now will not
      react(page);
      run(std::chrono::seconds(1));
    }
    page.hangUp();
    if (phone.established() || phone.ringing()) phone.hangUp();
    run(std::chrono::minutes(5));
    expectNothingLeft();
    return phone.descriptions().size();
  }

 private:
  std::size_t draw(std::size_t below) { return random_.below(below); }
  template <std::size_t N>
  std::string one(const char* const (&choices)[N]) {
    return choices[draw(N)];
  }
  bool mostly() { return draw(12) != 0; }

  void begin(Page& page, Phone& phone) {
    if (draw(2) == 0) {
      phone.onInvite = Phone::OnInvite::Answer;
      page.call("2001");
    } else {
      page.peerName = "2001";
      phone.call("1001", draw(4) != 0);
    }
    run(std::chrono::milliseconds(500));
    react(page);
    run(std::chrono::seconds(1));
  }
  void act(Page& page, Phone& phone) {
    if (!phone.established()) return;
    switch (draw(5)) {
      case 0:
        return phone.reInvite(draw(3) != 0);
      case 1:
        return phone.update();
      case 2:
        page.direction = static_cast<Direction>(draw(4));
        if (page.rtc && page.list().empty()) page.offer();
        return;
      case 3:
        if (!phone.described().sections.empty()) {
          phone.speak({.payloadType = static_cast<std::uint8_t>(draw(96)), .sequenceNumber = 1, .ssrc = 9});
        }
        return;
      default:
        return;
    }
  }
  // The page does what a page does, and forgets the rest.
  void react(Page& page) {
    const std::string list = page.list();
    if (list.find("ANSWER") != std::string::npos && page.rtc) page.takeAnswer();
    if (list.find("OFFER") != std::string::npos && mostly()) page.answerOffer();
    if (list.find("INVITE") != std::string::npos) {
      if (!page.rtc) page.connect(true);
      page.offer();
    }
    page.messages.clear();
  }

  std::string description() {
    std::string text = "v=0\r\no=- 1 " + std::to_string(++version_) + " IN IP4 10.2.0.1\r\ns=-\r\n";
    if (mostly()) text += "c=IN IP4 " + address() + "\r\n";
    text += "t=0 0\r\n";
    if (draw(4) == 0) text += "a=" + one(kDirections) + "\r\n";
    const std::size_t sections = mostly() ? 1 + draw(2) : draw(6);
    for (std::size_t i = 0; i < sections; ++i) text += section(i);
    return text;
  }
  std::string address() {
    return mostly() ? "10.2.0.1" : one({"0.0.0.0", "224.0.0.1", "127.0.0.1", "255.255.255.255"});
  }
  std::string section(std::size_t index) {
    const bool video = index > 0 && mostly();
    std::string text = "m=" + (mostly() ? std::string(video ? "video" : "audio") : one(kMedia)) + " ";
    text += mostly() ? "30002" : one({"0", "1", "9", "65535", "65534"});
    text += " " + (mostly() ? std::string("RTP/AVP") : one(kProtocols));
    std::string maps;
    for (std::size_t count = 1 + draw(5); count > 0; --count) {
      const std::string type = mostly() ? one({"0", "8", "96", "101"}) : std::to_string(draw(128));
      text += " " + type;
      if (draw(2) == 0) maps += "a=rtpmap:" + type + " " + one(kCodecs) + "\r\n";
      if (draw(4) == 0) maps += "a=fmtp:" + type + " " + one({"0-15", "minptime=10", "=", ";;"}) + "\r\n";
    }
    text += "\r\n";
    if (!mostly()) text += "c=IN IP4 " + address() + "\r\n";
    text += maps;
    if (draw(2) == 0) text += "a=" + one(kDirections) + "\r\n";
    if (draw(4) == 0) text += "a=" + one({"rtcp:1", "rtcp:65535", "rtcp-mux", "ptime:0", "mid:0", "mid:1"}) + "\r\n";
    return text;
  }

  static constexpr const char* kDirections[] = {"sendrecv", "sendonly", "recvonly", "inactive"};
  static constexpr const char* kMedia[] = {"audio", "video", "application", "text", "image"};
  static constexpr const char* kProtocols[] = {"RTP/SAVP", "RTP/AVPF", "UDP/TLS/RTP/SAVPF", "udptl", "TCP/MSRP"};
  static constexpr const char* kCodecs[] = {
      "PCMU/8000", "PCMA/8000",   "opus/48000/2",          "VP8/90000", "telephone-event/8000", "PCMU/16000",
      "G729/8000", "opus/8000/1", "telephone-event/48000", "CN/8000",   "pcmu/8000/2"};

  crosspoint::test::SeededRandom random_;
  unsigned version_ = 0;
};

TEST(RandomSdp, NonsenseIsRefusedOrEndsTheCall) {
  constexpr unsigned kSeeds = 200;
  std::size_t taken = 0;
  for (unsigned seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    taken += RandomSdpWorld(seed).play();
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(taken, 2 * kSeeds) << "too few of the calls have come to anything";
}

}  // namespace
}  // namespace crosspoint::bridge::test
