#include "io/sip/sofia_log.h"

#include <sofia-sip/su_log.h>

#include <cstdio>
#include <string_view>
#include <utility>

#include "io/loop/clock.h"

extern "C" {
extern su_log_t nta_log[];
extern su_log_t tport_log[];
}

namespace crosspoint::sip {
namespace {

constexpr unsigned kComplaints = 3;  // sofia-sip's level for what went wrong with one peer

// By the beginnings of sofia-sip 1.12.11's formats; another version's lines say nothing, and then nothing is explained.
constexpr std::string_view kCertificate = "  err %i:%s";                     // tls_verify_cb()
constexpr std::string_view kSubject = "%s(%p): Peer Subject Mismatch (%s)";  // tls_post_connection_check()
constexpr std::string_view kUnreached = "nta: %s (%u): %s%s (%u) with ";     // outgoing_print_tport_error()

constexpr Duration kRecent = std::chrono::seconds(3);  // several requests may fail of one cause

struct Complaint {
  std::string phrase;
  TimePoint when;

  void note(std::string said) {
    phrase = std::move(said);
    when = loop::monotonicNow();
  }
  bool isRecent() const { return !phrase.empty() && loop::monotonicNow() - when < kRecent; }
};

struct Complaints {
  Complaint certificate, connection;
};

Complaints& complaints() {
  thread_local Complaints latest;
  return latest;
}

void heard(void*, const char* format, va_list arguments) {
  const std::string_view text(format);
  Complaints& latest = complaints();
  if (text.starts_with(kCertificate)) {
    va_arg(arguments, int);
    latest.certificate.note("the server's certificate is not accepted: " + std::string(va_arg(arguments, const char*)));
  } else if (text.starts_with(kSubject)) {
    va_arg(arguments, const char*);
    va_arg(arguments, void*);
    latest.certificate.note("the server's certificate is not accepted: it is not for " +
                            std::string(va_arg(arguments, const char*)));
  } else if (text.starts_with(kUnreached)) {
    va_arg(arguments, const char*);
    va_arg(arguments, unsigned);
    va_arg(arguments, const char*);
    latest.connection.note("the server cannot be reached: " + std::string(va_arg(arguments, const char*)));
  }
}

}  // namespace

void tapSofiaLog() {
  for (su_log_t* log : {nta_log, tport_log}) {
    su_log_redirect(log, heard, nullptr);
    su_log_set_level(log, kComplaints);
  }
}

std::string recentComplaint(bool tls) {
  const Complaints& latest = complaints();
  if (tls && latest.certificate.isRecent()) return latest.certificate.phrase;
  if (latest.connection.isRecent()) return latest.connection.phrase;
  return tls ? "the server ended the TLS handshake or does not speak TLS" : std::string();
}

}  // namespace crosspoint::sip
