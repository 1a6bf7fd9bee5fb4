// The datagram BIO.
#include "core/dtls/transport.h"

#include <openssl/bio.h>
#include <openssl/ssl.h>  // and with it struct timeval

#include <algorithm>
#include <memory>

#include "base/check.h"

namespace crosspoint::dtls {
namespace {

constexpr std::size_t kWrittenMax = 64;  // datagrams; a flight has about ten. Beyond this they are dropped as if lost

Transport& of(BIO* bio) { return *static_cast<Transport*>(BIO_get_data(bio)); }

}  // namespace

int Transport::read(BIO* bio, char* into, int size) {
  Transport& transport = of(bio);
  BIO_clear_retry_flags(bio);
  if (transport.incoming.empty()) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const std::size_t taken = std::min(transport.incoming.size(), static_cast<std::size_t>(size));
  std::memcpy(into, transport.incoming.data(), taken);
  transport.incoming = {};  // as with a socket, what does not fit is lost
  return static_cast<int>(taken);
}

int Transport::write(BIO* bio, const char* from, int size) {
  Transport& transport = of(bio);
  BIO_clear_retry_flags(bio);
  const Bytes bytes(reinterpret_cast<const std::uint8_t*>(from), static_cast<std::size_t>(size));
  auto& written = transport.written;
  if (!written.empty() && written.back().size() + bytes.size() <= transport.datagramBytesMax_) {
    written.back().insert(written.back().end(), bytes.begin(), bytes.end());
  } else if (written.size() < kWrittenMax) {
    written.emplace_back(bytes.begin(), bytes.end());
  }
  return size;
}

long Transport::control(BIO* bio, int command, long /*number*/, void* pointer) {
  switch (command) {
    case BIO_CTRL_FLUSH:
      return 1;
    case BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT: {
      Transport& transport = of(bio);
      transport.timer_ = static_cast<timeval*>(pointer);
      const bool runs = transport.timer_->tv_sec != 0 || transport.timer_->tv_usec != 0;
      transport.timerChange = runs ? TimerChange::Started : TimerChange::Stopped;
      return 1;
    }
    default:
      return 0;  // BIO_CTRL_DGRAM_GET_MTU_OVERHEAD among them: sizes are those of our datagrams
  }
}

void Transport::expire() {
  if (timer_ && (timer_->tv_sec != 0 || timer_->tv_usec != 0)) *timer_ = {.tv_sec = 1, .tv_usec = 0};
}

const BIO_METHOD* Transport::method() {
  struct Free {
    void operator()(BIO_METHOD* made) const { BIO_meth_free(made); }
  };
  static const std::unique_ptr<BIO_METHOD, Free> kMethod = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "datagrams");
    CROSSPOINT_CHECK(made != nullptr);
    BIO_meth_set_read(made, &Transport::read);
    BIO_meth_set_write(made, &Transport::write);
    BIO_meth_set_ctrl(made, &Transport::control);
    return std::unique_ptr<BIO_METHOD, Free>(made);
  }();
  return kMethod.get();
}

BIO* Transport::makeBio() {
  BIO* bio = BIO_new(method());
  CROSSPOINT_CHECK(bio != nullptr);
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  return bio;
}

}  // namespace crosspoint::dtls
