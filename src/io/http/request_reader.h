// Bytes of a connection into one request (RFC 9112), without a socket: what a stranger sends meets this class first.
//
// Beast's parser does the reading; the limits, the form of the target and the status for what is wrong are ours.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "io/http/message.h"

namespace crosspoint::http {

class RequestReader {
 public:
  enum class State : std::uint8_t { Reading, Complete, Failed };

  RequestReader(std::size_t headerBytesMax, std::size_t bodyBytesMax);
  ~RequestReader();

  // Takes bytes from the front and says how many. The rest must be given again, with more behind it; once Complete or
  // Failed nothing more is taken.
  std::size_t feed(std::string_view bytes);

  State state() const { return state_; }
  // Failed: the status to answer with (400, 413, 417, 431, 501, 505). The connection cannot be used any more.
  int failure() const { return failure_; }
  // The header is whole, and asks for "100 Continue" before the body is sent. True once.
  bool takeExpectContinue();
  // The Origin header, as far as the header was read.
  std::string origin() const;
  // Complete: whether another request may follow on the connection.
  bool keepAlive() const { return keepAlive_; }
  // Complete: the request, once. `remote` and `secure` are the caller's to fill.
  Request take();

 private:
  class Parser;
  void fail(int status);
  void handleHeader();

  std::unique_ptr<Parser> parser_;
  std::size_t headerBytesMax_, bodyBytesMax_;
  State state_ = State::Reading;
  int failure_ = 0;
  bool headerDone_ = false, expectContinue_ = false, keepAlive_ = false;
  std::string path_, query_;
};

}  // namespace crosspoint::http
