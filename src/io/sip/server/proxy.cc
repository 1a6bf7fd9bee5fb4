#include "io/sip/server/proxy.h"

#include <algorithm>

#include "io/sip/agent.h"
#include "io/sip/from_sofia.h"
#include "io/sip/server/digest.h"
#include "io/sip/to_sofia.h"

namespace crosspoint::sip {
namespace {

constexpr int kTimerFactor = 64;
constexpr unsigned kMaxForwards = 70;
constexpr std::string_view kMarkSeparator = ".";

// §16.7 step 6: 6xx first, else the lowest class; within a class one that asks the caller to do something.
int rank(int status) {
  if (status >= 600) return 0;
  if (status == 401 || status == 407 || status == 415 || status == 420 || status == 484) return 40;
  if (status == 408 || status == 487) return 48;  // says least
  return status / 100 * 10 + 5;
}

bool isInternal(const sip_t* message) { return !message || nta_sip_is_internal(message); }

int statusOf(const sip_t* message) { return message && message->sip_status ? message->sip_status->st_status : 408; }

url_string_t* asUrlString(const url_t* url) { return reinterpret_cast<url_string_t*>(const_cast<url_t*>(url)); }

std::string transportOfUri(const std::string& uri) {
  const auto parsed = Uri::parse(uri);
  return parsed && parsed->transport() == "tcp" ? "tcp" : "udp";
}

// A response as it goes to the previous hop: without the Via that was ours.
MessagePointer withoutOurVia(nta_outgoing_t* outgoing) {
  const MessagePointer received(nta_outgoing_getresponse(outgoing));
  MessagePointer copy = received ? copyForForwarding(received.get()) : nullptr;
  sip_t* sip = copy ? sip_object(copy.get()) : nullptr;
  if (!sip || !sip_via_remove(copy.get(), sip) || !sip->sip_via) return nullptr;
  return copy;
}

}  // namespace

struct Proxy::Branch {
  Context* context = nullptr;
  Home home;  // holds `destination`
  url_t* destination = nullptr;
  Target target;
  nta_outgoing_t* outgoing = nullptr;
  bool provisional = false;
  bool final = false;
  bool cancelled = false;
  bool cancelWaits = false;
};

struct Proxy::Context {
  Proxy* owner = nullptr;
  std::uint64_t id = 0;
  MessagePointer request;
  nta_incoming_t* incoming = nullptr;
  std::string mark;
  bool isInvite = false;
  bool answered = false;   // a final response was passed on
  bool cancelled = false;  // by the caller or by timer C
  bool timedOut = false;   // timer C has fired
  std::vector<std::unique_ptr<Branch>> branches;
  MessagePointer best;
  int bestStatus = 0;
  TimerQueue::Id timer = TimerQueue::Id::None;
  std::string cancelReason;
};

Proxy::Proxy(nta_agent_t* agent, TimerQueue& timers, Config config)
    : agent_(agent), timers_(timers), config_(std::move(config)) {}

Proxy::~Proxy() {
  for (auto& [id, context] : contexts_) {
    timers_.cancel(context->timer);
    nta_incoming_bind(context->incoming, nullptr, nullptr);
    for (auto& branch : context->branches) nta_outgoing_destroy(branch->outgoing);
  }
}

bool Proxy::full() const {
  return contexts_.size() >= config_.transactionsMax || serverTransactionsOf(agent_) >= 2 * config_.transactionsMax;
}

std::string Proxy::loopMark(const sip_t* request) const {
  const auto tag = [](const sip_addr_t* address) { return std::string(address ? text(address->a_tag) : ""); };
  const auto uri = [](const url_t* url) {
    const auto plain = uriFromSofia(url);
    return plain ? plain->toString() : std::string();
  };
  std::string subject = uri(request->sip_request->rq_url) + "|" + tag(request->sip_from) + "|" + tag(request->sip_to);
  subject += "|" + std::string(text(request->sip_call_id->i_id)) + "|" + std::to_string(request->sip_cseq->cs_seq);
  if (request->sip_route) subject += "|" + uri(request->sip_route->r_url);
  return md5Hex(subject).substr(0, 16);
}

bool Proxy::isLoop(const sip_t* request, const std::string& mark) const {
  const std::string ending = std::string(kMarkSeparator) + mark;
  const std::string port = std::to_string(config_.self.port);
  for (const sip_via_t* via = request->sip_via; via; via = via->v_next) {
    if (text(via->v_port) == port && text(via->v_branch).ends_with(ending)) return true;
  }
  return false;
}

void Proxy::addRecordRoute(msg_t* message, const std::string& in, const std::string& out) {
  const auto route = [this](const std::string& transport) {
    return "<sip:" + config_.self.toString() + (transport == "tcp" ? ";transport=tcp" : "") + ";lr>";
  };
  sip_t* sip = sip_object(message);
  sip_add_make(message, sip, sip_record_route_class, route(in).c_str());
  // RFC 5658: one for each side where the transport changes.
  if (in != out) sip_add_make(message, sip, sip_record_route_class, route(out).c_str());
}

MessagePointer Proxy::copyFor(msg_t* request, const Target& target) {
  MessagePointer copy = copyForForwarding(request);
  sip_t* sip = copy ? sip_object(copy.get()) : nullptr;
  if (!sip) return nullptr;
  su_home_t* home = msg_home(copy.get());
  if (!target.requestUri.empty()) {
    url_t* url = url_make(home, target.requestUri.c_str());
    if (!url) return nullptr;
    const sip_request_t* old = sip->sip_request;
    auto* line = sip_request_create(home, old->rq_method, old->rq_method_name, asUrlString(url), nullptr);
    if (!line ||
        msg_header_insert(copy.get(), reinterpret_cast<msg_pub_t*>(sip), reinterpret_cast<msg_header_t*>(line)) < 0) {
      return nullptr;
    }
  }
  const unsigned long left = sip->sip_max_forwards ? sip->sip_max_forwards->mf_count : kMaxForwards + 1;
  auto* hops = sip_max_forwards_make(home, std::to_string(left > 0 ? left - 1 : 0).c_str());
  msg_header_insert(copy.get(), reinterpret_cast<msg_pub_t*>(sip), reinterpret_cast<msg_header_t*>(hops));
  return copy;
}

bool Proxy::addBranch(Context& context, const Target& target) {
  auto branch = std::make_unique<Branch>();
  branch->context = &context;
  branch->target = target;
  branch->destination = url_make(branch->home, target.nextHop.c_str());
  MessagePointer copy = branch->destination ? copyFor(context.request.get(), target) : nullptr;
  if (!copy) return false;
  const sip_method_t method = sip_object(copy.get())->sip_request->rq_method;
  const bool startsDialog = method == sip_method_invite || method == sip_method_subscribe || method == sip_method_refer;
  if (startsDialog) {
    addRecordRoute(copy.get(), transportOf(agent_, context.request.get()), transportOfUri(target.nextHop));
  }
  const std::string id = "z9hG4bK" +
                         md5Hex(config_.secret + ":" + std::to_string(context.id) + ":" +
                                std::to_string(context.branches.size()) + ":" + context.mark)
                             .substr(0, 16) +
                         std::to_string(context.id) + std::string(kMarkSeparator) + context.mark;
  branch->outgoing =
      nta_outgoing_mcreate(agent_, &Proxy::handleResponse, branch.get(), asUrlString(branch->destination), copy.get(),
                           NTATAG_BRANCH_KEY(id.c_str()), TAG_END());
  if (!branch->outgoing) return false;
  static_cast<void>(copy.release());
  context.branches.push_back(std::move(branch));
  return true;
}

void Proxy::forward(MessagePointer request, const std::vector<Target>& targets, const std::string& mark) {
  auto created = std::make_unique<Context>();
  Context& context = *created;
  sip_t* sip = sip_object(request.get());
  context.owner = this;
  context.id = ++last_;
  context.isInvite = sip->sip_request->rq_method == sip_method_invite;
  context.mark = mark;
  context.incoming = nta_incoming_create(agent_, nullptr, msg_ref(request.get()), sip, TAG_END());
  if (!context.incoming) return;
  context.request = std::move(request);
  nta_incoming_bind(context.incoming, &Proxy::handleAckOrCancel, &context);
  contexts_.emplace(context.id, std::move(created));
  if (context.isInvite) {
    nta_incoming_treply(context.incoming, SIP_100_TRYING, TAG_END());
    context.timer = timers_.after(config_.timerC, [this, id = context.id] {
      Context& late = *contexts_.at(id);
      late.cancelled = late.timedOut = true;
      cancelBranches(late);
    });
  }
  for (const auto& target : targets) addBranch(context, target);
  if (context.branches.empty()) finish(context, 500);
}

void Proxy::forwardAck(MessagePointer request, const Target& target) {
  Home home;
  url_t* destination = url_make(home, target.nextHop.c_str());
  MessagePointer copy = destination ? copyFor(request.get(), target) : nullptr;
  if (copy) nta_msg_tsend(agent_, copy.release(), asUrlString(destination), TAG_END());
}

void Proxy::forwardStray(MessagePointer response) {
  const sip_t* sip = sip_object(response.get());
  const int status = sip->sip_status->st_status;
  if (sip->sip_cseq->cs_method != sip_method_invite || status < 200 || status >= 300) return;
  const sip_via_t* via = sip->sip_via;
  if (!via || !via->v_next || text(via->v_port) != std::to_string(config_.self.port)) return;
  if (text(via->v_branch).find(kMarkSeparator) == std::string_view::npos || via->v_next->v_maddr) return;
  MessagePointer copy = copyForForwarding(response.get());
  if (copy) nta_msg_tsend(agent_, copy.release(), nullptr, TAG_END());
}

int Proxy::handleResponse(void* context, nta_outgoing_t*, const sip_t* message) {
  auto& branch = *static_cast<Branch*>(context);
  Context& call = *branch.context;
  Proxy& self = *call.owner;
  const int status = statusOf(message);
  if (status >= 200) {
    self.handleFinal(call, branch, message);
    return 0;
  }
  branch.provisional = true;
  if (branch.cancelWaits) self.cancelBranch(call, branch);
  // A caller that demands reliable responses gets only such ones: nta would turn any other into one of its own making.
  const sip_t* request = sip_object(call.request.get());
  const bool demanded = request->sip_require && sip_has_feature(request->sip_require, "100rel");
  if (status > 100 && !call.answered && (!demanded || message->sip_rseq)) {
    if (auto copy = withoutOurVia(branch.outgoing)) nta_incoming_mreply(call.incoming, copy.release());
  }
  return 0;
}

void Proxy::handleFinal(Context& context, Branch& branch, const sip_t* message) {
  const int status = statusOf(message);
  if (branch.final) {  // one more 2xx of a branch that has answered
    if (auto* response = nta_outgoing_getresponse(branch.outgoing); response && !isInternal(message)) {
      forwardStray(MessagePointer(response));
    }
    return;
  }
  if (isInternal(message) && status != 408 && !branch.provisional && !branch.target.fallback.empty() &&
      !context.cancelled) {
    const Target second{branch.target.requestUri, branch.target.fallback, {}};
    branch.final = true;
    if (!addBranch(context, second)) settle(context);
    return;
  }
  branch.final = true;
  if (isInternal(message)) {
    if (!context.best) context.bestStatus = context.bestStatus ? context.bestStatus : status == 408 ? 408 : 503;
    return settle(context);
  }
  auto copy = withoutOurVia(branch.outgoing);
  if (!copy) return settle(context);
  if (status < 300) {
    const bool first = !context.answered;
    if (first) {
      pass(context, std::move(copy));
    } else if (auto* response = nta_outgoing_getresponse(branch.outgoing)) {
      forwardStray(MessagePointer(response));
    }
    cancelBranches(context);
    return settle(context);
  }
  if (!context.best || rank(status) < rank(context.bestStatus)) {
    context.best = std::move(copy);
    context.bestStatus = status;
  }
  if (status >= 600) cancelBranches(context);  // §16.7 step 5
  settle(context);
}

void Proxy::pass(Context& context, MessagePointer response) {
  context.answered = true;
  nta_incoming_mreply(context.incoming, response.release());
}

// When the last branch has ended, so does the context.
void Proxy::settle(Context& context) {
  if (std::any_of(context.branches.begin(), context.branches.end(), [](const auto& b) { return !b->final; })) return;
  if (context.answered) return forget(context.id);
  if (context.timedOut && context.bestStatus == 487) return finish(context, 408);
  if (context.best) {
    pass(context, std::move(context.best));
    return forget(context.id);
  }
  finish(context, context.bestStatus ? context.bestStatus : 408);
}

void Proxy::finish(Context& context, int status) {
  if (!context.answered) nta_incoming_treply(context.incoming, status, sip_status_phrase(status), TAG_END());
  context.answered = true;
  forget(context.id);
}

int Proxy::handleAckOrCancel(void* call, nta_incoming_t*, const sip_t* message) {
  auto& context = *static_cast<Context*>(call);
  if (!message || !message->sip_request || message->sip_request->rq_method != sip_method_cancel) return 0;
  context.cancelled = true;
  const auto reasons = reasonsFromSofia(message);
  if (!reasons.empty()) context.cancelReason = textOf(reasons.front());
  context.owner->cancelBranches(context);
  return 0;
}

void Proxy::cancelBranches(Context& context) {
  if (!context.isInvite) return;
  bool waiting = false;
  for (auto& branch : context.branches) {
    if (branch->final) continue;
    waiting = true;
    cancelBranch(context, *branch);
  }
  if (!waiting) return;
  // §16.8: a branch that does not even answer its CANCEL counts as timed out.
  timers_.cancel(context.timer);
  context.timer = timers_.after(kTimerFactor * config_.t1, [this, id = context.id] {
    Context& late = *contexts_.at(id);
    finish(late, late.bestStatus ? late.bestStatus : 408);
  });
}

void Proxy::cancelBranch(Context& context, Branch& branch) {
  if (branch.final || branch.cancelled) return;
  branch.cancelWaits = !branch.provisional;
  if (branch.cancelWaits) return;
  branch.cancelled = true;
  // RFC 3326: the phones that did not answer shall not count the call as missed.
  const std::string reason =
      context.answered ? "SIP;cause=200;text=\"Call completed elsewhere\"" : context.cancelReason;
  sendCancel(agent_, branch.outgoing, branch.destination, reason);
}

void Proxy::forget(std::uint64_t id) {
  const auto found = contexts_.find(id);
  if (found == contexts_.end()) return;
  const auto context = std::move(found->second);
  contexts_.erase(found);
  timers_.cancel(context->timer);
  for (auto& branch : context->branches) nta_outgoing_destroy(branch->outgoing);
  nta_incoming_destroy(context->incoming);
}

}  // namespace crosspoint::sip
