// The one way to sofia-sip's headers: its context types must be the same in every translation unit.
//
// Every context is an untyped pointer here. The contexts that sofia-sip gets from this folder are never pointers to
// objects that could be gone when a callback comes; where that could happen they are numbers in a table.
#pragma once

#define SU_ROOT_MAGIC_T void
#define SU_TIMER_ARG_T void
#define SU_WAKEUP_ARG_T void
#define NTA_AGENT_MAGIC_T void
#define NTA_LEG_MAGIC_T void
#define NTA_OUTGOING_MAGIC_T void
#define NTA_INCOMING_MAGIC_T void

#include <sofia-sip/su.h>
#include <sofia-sip/su_alloc.h>
#include <sofia-sip/su_wait.h>
//
#include <sofia-sip/msg_addr.h>
#include <sofia-sip/msg_header.h>
#include <sofia-sip/msg_parser.h>
#include <sofia-sip/nta.h>
#include <sofia-sip/nta_stateless.h>
#include <sofia-sip/nta_tport.h>
#include <sofia-sip/sip.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_parser.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_tag.h>
#include <sofia-sip/sip_util.h>
#include <sofia-sip/tport.h>
#include <sofia-sip/tport_tag.h>
#include <sofia-sip/url.h>

#include <memory>
#include <string_view>

namespace crosspoint::sip {

struct MessageDeleter {
  void operator()(msg_t* message) const { msg_destroy(message); }
};
// One reference to a sofia-sip message.
using MessagePointer = std::unique_ptr<msg_t, MessageDeleter>;

// sofia-sip's text, where nothing means empty.
inline std::string_view text(const char* value) { return value ? std::string_view(value) : std::string_view(); }

// Memory for one conversion, given back at the end of the scope.
class Home {
 public:
  Home() { su_home_init(home_); }
  ~Home() { su_home_deinit(home_); }
  Home(const Home&) = delete;
  Home& operator=(const Home&) = delete;
  operator su_home_t*() { return home_; }

 private:
  su_home_t home_[1] = {};
};

}  // namespace crosspoint::sip
