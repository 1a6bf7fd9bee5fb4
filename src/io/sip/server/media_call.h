// One call of the echo or of the music number: what is answered to an offer, and the media that goes with it.
//
// Echo: audio and video, the codecs that it knows in the caller's order, payload types as offered; what comes goes back
// (see reflection.h). Music: audio in PCMU or PCMA. A section that neither can do is refused; hold and resume by
// re-INVITE are followed. Datagrams are taken only from the address that the caller announced (its port may differ, RFC
// 4961).
#pragma once
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "core/params/session.h"
#include "io/sip/server/media_port.h"
#include "io/sip/server/melody.h"
#include "io/sip/timer_queue.h"

namespace crosspoint::sip {

class MediaCall {
 public:
  enum class Kind : std::uint8_t { Echo, Music };

  // `root`, `timers`, `random` and `packets` (which is counted up) must outlive the call.
  MediaCall(Kind kind, su_root_t* root, TimerQueue& timers, Random& random, const IpAddress& address,
            std::uint64_t& packets);
  ~MediaCall();
  MediaCall(const MediaCall&) = delete;
  MediaCall& operator=(const MediaCall&) = delete;

  // The answer to an offer, or nothing if no section of it can be used (488).
  std::optional<std::string> answer(const std::string& offer);
  // An offer of our own, for an INVITE without one; nothing if there are no ports.
  std::optional<std::string> offer();
  // The answer to it.
  void setAnswer(const std::string& answer);

 private:
  // At most one of a kind.
  struct Stream {
    std::unique_ptr<MediaPort> port;
    SocketAddress rtp, rtcp;  // where it goes; of port 0: nowhere
    bool rtcpMux = false;
    bool sends = false;
    Melody::Law law = Melody::Law::Mu;
    std::uint8_t payloadType = 0;
  };

  Stream* streamFor(MediaKind kind);
  MediaSection answerSection(const MediaSection& offered, std::array<bool, 2>& used);
  std::vector<Codec> usable(const MediaSection& offered) const;
  void follow(Stream& stream, const MediaSection& remote, bool sends);
  std::string write(std::vector<MediaSection> sections);
  void receive(MediaKind kind, MediaSocket socket, MutableBytes datagram, const SocketAddress& source);
  void play();
  void schedulePlay();

  Kind kind_;
  su_root_t* root_;
  TimerQueue& timers_;
  Random& random_;
  IpAddress address_;
  std::uint64_t& packets_;
  std::uint64_t sessionId_, sessionVersion_ = 0;
  std::array<std::unique_ptr<Stream>, 2> streams_;  // audio, video

  Melody melody_;
  std::uint32_t ssrc_, timestamp_;
  std::uint16_t sequence_;
  TimePoint nextPlay_{};
  TimerQueue::Id playTimer_ = TimerQueue::Id::None;
};

}  // namespace crosspoint::sip
