// Any bytes, in pieces whose sizes the input chooses, as a connection delivers them.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "io/http/request_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using crosspoint::http::RequestReader;
  if (size < 1) return 0;
  const std::size_t piece = data[0] + 1U;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::string waiting;
  auto reader = std::make_unique<RequestReader>(1024, 2048);
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    waiting += bytes.substr(at, piece);
    for (;;) {
      const auto taken = reader->feed(waiting);
      if (taken > waiting.size()) std::abort();
      waiting.erase(0, taken);
      (void)reader->takeExpectContinue();
      (void)reader->origin();
      if (reader->state() == RequestReader::State::Failed) {
        if (reader->failure() < 400 || reader->failure() > 505) std::abort();
        return 0;
      }
      if (reader->state() == RequestReader::State::Reading) break;
      const auto request = reader->take();
      if (request.method.empty() || request.path.empty() || request.body.size() > 2048) std::abort();
      (void)crosspoint::http::queryValue(request.query, "id");
      reader = std::make_unique<RequestReader>(1024, 2048);  // pipelined
    }
    if (waiting.size() > 1024 + 256) std::abort();  // an endless header must fail
  }
  return 0;
}
