#include "io/sip/agent.h"

#include <sofia-sip/su_tag_io.h>

#include <charconv>
#include <cstring>

#include "io/loop/clock.h"
#include "io/sip/sofia_log.h"

namespace crosspoint::sip {
namespace {

// A response repeats Via, Record-Route, From, To, Call-ID and CSeq of its request: they must leave room in a datagram.
constexpr std::size_t kRepeatedBytesMax = 16 * 1024;
constexpr unsigned kNeverMilliseconds = NTA_TIME_MAX;
constexpr unsigned kIncompleteMessageMilliseconds = 30'000;
constexpr unsigned kChainMax = 5;  // certificates between a server's and its authority's

std::string hostText(const std::string& address) {
  return address.find(':') == std::string::npos ? address : "[" + address + "]";
}

std::string bindUrl(const AgentConfig& config, const char* transport, std::uint16_t port) {
  const bool differs = !config.publicAddress.empty() && config.publicAddress != config.bindAddress;
  const bool tls = transport && transport == std::string_view("tls");  // which nta knows by the scheme
  std::string url = (tls ? "sips:" : "sip:") + hostText(differs ? config.publicAddress : config.bindAddress);
  url += ":" + (port ? std::to_string(port) : std::string("*"));
  if (transport && !tls) url += std::string(";transport=") + transport;
  if (differs) url += ";maddr=" + hostText(config.bindAddress);
  return url;
}

std::size_t sizeOf(const void* header) {
  std::size_t bytes = 0;
  for (auto* h = static_cast<const msg_header_t*>(header); h; h = h->sh_next) {
    const auto encoded = msg_header_e(nullptr, 0, h, 0);
    bytes += encoded > 0 ? static_cast<std::size_t>(encoded) : 0;
  }
  return bytes;
}

IpAddress addressOf(const sip_via_t& via) {
  std::string_view host = text(via.v_host);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return IpAddress::parse(host).value_or(IpAddress());
}

bool isPort(const char* port) {
  if (!port || !*port) return true;
  unsigned value = 0;
  const auto* end = port + std::strlen(port);
  const auto [parsed, error] = std::from_chars(port, end, value);
  return error == std::errc{} && parsed == end && value > 0 && value <= 65535;
}

// Only servers' certificates are looked at: who may send to us is decided by address (SipTransport::Config).
std::expected<void, std::string> addTls(nta_agent_t* agent, const AgentConfig& config) {
  const auto files = TlsFiles::make(*config.tls, loop::wallNow());
  if (!files) return std::unexpected("TLS: " + files.error());
  const std::string url = bindUrl(config, "tls", config.tlsPort);
  errno = 0;
  const int added = nta_agent_add_tport(
      agent, reinterpret_cast<const url_string_t*>(url.c_str()), TPTAG_CERTIFICATE(files->folder().c_str()),
      TPTAG_TLS_VERIFY_POLICY(config.tls->verify ? TPTLS_VERIFY_SUBJECTS_OUT : TPTLS_VERIFY_NONE),
      TPTAG_TLS_VERIFY_DEPTH(kChainMax), TPTAG_TLS_VERIFY_DATE(1),
      TPTAG_IDLE(static_cast<unsigned>(config.idle.count())),
      TPTAG_KEEPALIVE(static_cast<unsigned>(config.keepAlive.count())), TPTAG_TIMEOUT(kIncompleteMessageMilliseconds),
      TPTAG_SDWN_ERROR(0), TPTAG_STUN_SERVER(0), TAG_END());
  if (added >= 0) return {};
  return std::unexpected(hostText(config.bindAddress) + ":" + std::to_string(config.tlsPort) +
                         " (TLS): " + std::strerror(errno ? errno : EADDRINUSE));
}

bool isTls(const sip_via_t& via) { return text(via.v_protocol).ends_with("/TLS"); }

SocketAddress addressIn(const sip_via_t& via) {
  const std::uint16_t port = isTls(via) ? 5061 : 5060;
  return {addressOf(via), via.v_port ? static_cast<std::uint16_t>(std::atoi(via.v_port)) : port};
}

}  // namespace

std::expected<AgentPointer, std::string> createAgent(su_root_t* root, const AgentConfig& config, nta_message_f* handle,
                                                     void* context) {
  tapSofiaLog();
  const std::string place = hostText(config.bindAddress) + ":" + std::to_string(config.port);
  if (!IpAddress::parse(config.bindAddress)) return std::unexpected(place + ": not a numeric address");
  if (!config.udp && !config.tcp) return std::unexpected(place + ": neither UDP nor TCP is wanted");
  const std::string url = bindUrl(config, config.udp && config.tcp ? nullptr : config.udp ? "udp" : "tcp", config.port);
  const auto t1 = static_cast<unsigned>(config.t1.count());
  errno = 0;
  AgentPointer agent(nta_agent_create(
      root, reinterpret_cast<url_string_t*>(-1), handle, context, NTATAG_UA(config.userAgent), NTATAG_SIP_T1(t1),
      NTATAG_SIP_T1X64(64 * t1), NTATAG_SIP_T2(static_cast<unsigned>(config.t2.count())),
      NTATAG_SIP_T4(static_cast<unsigned>(config.t4.count())), NTATAG_TIMER_C(kNeverMilliseconds),
      NTATAG_MAXSIZE(config.messageBytesMax), NTATAG_UDP_MTU(static_cast<unsigned>(config.udpBytesMax)),
      NTATAG_PASS_100(1), NTATAG_CANCEL_487(0), NTATAG_USE_TIMESTAMP(0), NTATAG_CLIENT_RPORT(1), TAG_END()));
  if (!agent) return std::unexpected(place + ": " + std::strerror(errno ? errno : ENOMEM));
  if (nta_agent_add_tport(agent.get(), reinterpret_cast<const url_string_t*>(url.c_str()),
                          TPTAG_IDLE(static_cast<unsigned>(config.idle.count())),
                          TPTAG_KEEPALIVE(static_cast<unsigned>(config.keepAlive.count())),
                          TPTAG_TIMEOUT(kIncompleteMessageMilliseconds), TPTAG_SDWN_ERROR(0), TPTAG_STUN_SERVER(0),
                          TAG_END()) < 0) {
    return std::unexpected(place + ": " + std::strerror(errno ? errno : EADDRINUSE));
  }
  if (auto listening = config.tls ? addTls(agent.get(), config) : std::expected<void, std::string>(); !listening) {
    return std::unexpected(listening.error());
  }
  return agent;
}

SocketAddress boundAddress(const nta_agent_t* agent) {
  for (const sip_via_t* via = nta_agent_via(agent); via; via = via->v_next) {
    if (!isTls(*via)) return addressIn(*via);
  }
  return {};
}

SocketAddress tlsAddress(const nta_agent_t* agent) {
  for (const sip_via_t* via = nta_agent_via(agent); via; via = via->v_next) {
    if (isTls(*via)) return addressIn(*via);
  }
  return {};
}

std::vector<IpAddress> ownAddresses(const nta_agent_t* agent) {
  std::vector<IpAddress> addresses;
  for (const sip_via_t* via = nta_agent_via(agent); via; via = via->v_next) addresses.push_back(addressOf(*via));
  return addresses;
}

SocketAddress fromSofia(const su_sockaddr_t& address) {
  SocketAddress result;
  if (address.su_family == AF_INET) {
    result.ip = IpAddress::v4(ntohl(address.su_sin.sin_addr.s_addr));
  } else if (address.su_family == AF_INET6) {
    result.ip = IpAddress::v6(Bytes(address.su_sin6.sin6_addr.s6_addr, 16));
  }
  result.port = ntohs(address.su_port);
  return result;
}

std::optional<SocketAddress> sourceOf(msg_t* message) {
  const su_sockaddr_t* address = msg_addr(message);
  if (!address || (address->su_family != AF_INET && address->su_family != AF_INET6)) return std::nullopt;
  return fromSofia(*address);
}

std::string transportOf(nta_agent_t* agent, msg_t* message) {
  const tport_t* transport = tport_delivered_by(nta_agent_tports(agent), message);
  const tp_name_t* name = transport ? tport_name(transport) : nullptr;
  return name && name->tpn_proto ? name->tpn_proto : "udp";
}

bool mayBeAnswered(const sip_t* message) {
  const sip_via_t* via = message->sip_via;
  if (!via || !message->sip_from || !message->sip_to || !message->sip_call_id || !message->sip_cseq) return false;
  // RFC 3261 §18.2.2 lets "maddr" redirect responses; nobody needs it, and what does not resolve cannot be sent to.
  if (via->v_maddr || !isPort(via->v_port) || !isPort(via->v_rport)) return false;
  return sizeOf(via) + sizeOf(message->sip_record_route) + sizeOf(message->sip_from) + sizeOf(message->sip_to) +
             sizeOf(message->sip_call_id) + sizeOf(message->sip_cseq) <=
         kRepeatedBytesMax;
}

MessagePointer copyForForwarding(msg_t* message) {
  sip_t* sip = sip_object(message);
  if (!sip) return nullptr;
  for (auto* bad = reinterpret_cast<msg_header_t*>(sip->sip_error); bad;) {
    auto* next = bad->sh_next;
    msg_header_remove(message, reinterpret_cast<msg_pub_t*>(sip), bad);
    bad = next;
  }
  sip->sip_error = nullptr;
  return MessagePointer(msg_copy(message));
}

std::size_t serverTransactionsOf(nta_agent_t* agent) {
  usize_t used = 0;
  nta_agent_get_stats(agent, NTATAG_S_IRQ_HASH_USED_REF(used), TAG_END());
  return used;
}

AgentCounters countersOf(nta_agent_t* agent) {
  usize_t bad = 0, requests = 0, responses = 0, sentRequests = 0, sentResponses = 0;
  nta_agent_get_stats(agent, NTATAG_S_BAD_MESSAGE_REF(bad), NTATAG_S_RECV_REQUEST_REF(requests),
                      NTATAG_S_RECV_RESPONSE_REF(responses), NTATAG_S_SENT_REQUEST_REF(sentRequests),
                      NTATAG_S_SENT_RESPONSE_REF(sentResponses), TAG_END());
  return {bad, requests, responses, sentRequests, sentResponses};
}

bool sendCancel(nta_agent_t* agent, nta_outgoing_t* invite, const url_t* destination, const std::string& reason) {
  const MessagePointer original(nta_outgoing_getrequest(invite));
  const sip_t* from = original ? sip_object(original.get()) : nullptr;
  if (!from || !from->sip_via || !from->sip_via->v_branch) return false;
  msg_t* message = nta_msg_create(agent, 0);
  sip_t* cancel = sip_object(message);
  su_home_t* home = msg_home(message);
  sip_via_t via = *from->sip_via;  // RFC 3261 §9.1: a single Via, the top one of the request
  via.v_next = nullptr;
  cancel->sip_request = sip_request_create(home, SIP_METHOD_CANCEL,
                                           reinterpret_cast<const url_string_t*>(from->sip_request->rq_url), nullptr);
  cancel->sip_cseq = sip_cseq_create(home, from->sip_cseq->cs_seq, SIP_METHOD_CANCEL);
  const bool added = sip_add_dup(message, cancel, reinterpret_cast<sip_header_t*>(&via)) == 0 &&
                     sip_add_dup(message, cancel, reinterpret_cast<sip_header_t*>(from->sip_from)) == 0 &&
                     sip_add_dup(message, cancel, reinterpret_cast<sip_header_t*>(from->sip_to)) == 0 &&
                     sip_add_dup(message, cancel, reinterpret_cast<sip_header_t*>(from->sip_call_id)) == 0 &&
                     sip_add_dup(message, cancel, reinterpret_cast<sip_header_t*>(from->sip_route)) == 0 &&
                     sip_add_dup(message, cancel, reinterpret_cast<sip_header_t*>(from->sip_max_forwards)) == 0 &&
                     cancel->sip_request && cancel->sip_cseq;
  if (added && !reason.empty()) sip_add_make(message, cancel, sip_reason_class, reason.c_str());
  nta_outgoing_t* sent =
      added ? nta_outgoing_mcreate(agent, nullptr, nullptr, reinterpret_cast<const url_string_t*>(destination), message,
                                   NTATAG_BRANCH_KEY(via.v_branch), NTATAG_USER_VIA(1), NTATAG_PASS_100(0), TAG_END())
            : nullptr;
  if (!sent) msg_destroy(message);
  if (sent) nta_outgoing_destroy(sent);
  return sent != nullptr;
}

}  // namespace crosspoint::sip
