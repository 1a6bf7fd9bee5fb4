// OpenSSL's side of the datagrams: a BIO that reads the one datagram at hand and collects what is written, one write a
// datagram.
//
// It also takes hold of OpenSSL's retransmission timer. OpenSSL 3.0 and 3.1 compare the timer with the machine's clock;
// so that this clock decides nothing, the timer is always set an hour ahead (see Session), and expire() sets it back to
// when it is due.
#pragma once
#include <vector>

#include "base/bytes.h"

struct bio_st;
struct bio_method_st;
struct timeval;

namespace crosspoint::dtls {

class Transport {
 public:
  enum class TimerChange : std::uint8_t { None, Started, Stopped };

  explicit Transport(std::size_t datagramBytesMax) : datagramBytesMax_(datagramBytesMax) {}

  // A BIO for SSL_set_bio(), which takes it over. This object must outlive it.
  bio_st* makeBio();

  Bytes incoming;                   // taken by OpenSSL's next read
  std::vector<ByteVector> written;  // since it was last cleared
  TimerChange timerChange = TimerChange::None;

  // From now on OpenSSL takes its timer, if one runs, to be due.
  void expire();

 private:
  static int read(bio_st* bio, char* into, int size);
  static int write(bio_st* bio, const char* from, int size);
  static long control(bio_st* bio, int command, long number, void* pointer);
  static const bio_method_st* method();

  std::size_t datagramBytesMax_;
  timeval* timer_ = nullptr;  // inside OpenSSL's connection
};

}  // namespace crosspoint::dtls
