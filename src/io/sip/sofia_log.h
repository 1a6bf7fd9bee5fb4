// What sofia-sip would only write to its log: why a connection could not be had. Nothing of it is written anywhere; the
// latest complaint is kept for whoever must explain a failure.
//
// Of the SIP thread: each thread has a complaint of its own.
#pragma once
#include <string>

namespace crosspoint::sip {

// Takes sofia-sip's log lines from standard error. Harmless twice.
void tapSofiaLog();
// Why a connection could not be had, as a phrase ("the server's certificate is not accepted: certificate has expired"):
// the complaint of the last seconds, one about certificates first if `tls`; without `tls` empty if there was none.
std::string recentComplaint(bool tls);

}  // namespace crosspoint::sip
