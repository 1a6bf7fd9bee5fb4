#include "bench/gateway_process.h"

#include <stdexcept>

namespace crosspoint::bench {
namespace {

std::vector<std::string> command(const std::string& binary, const std::vector<std::string>& settings) {
  std::vector<std::string> words = {binary};
  for (const char* common : {"rsmp.http-port=0", "sip-server.port=0", "media.workers=1", "log.level=warning"}) {
    words.insert(words.end(), {"--set", common});
  }
  for (const auto& setting : settings) words.insert(words.end(), {"--set", setting});
  return words;
}

}  // namespace

GatewayProcess::GatewayProcess(const std::string& binary, int cpu, const std::vector<std::string>& settings)
    : process_(command(binary, settings), cpu) {
  const std::string ready = process_.readLine();
  const auto at = ready.find("http=");
  const auto http =
      at == std::string::npos ? std::nullopt : SocketAddress::parse(ready.substr(at + 5, ready.find(' ', at) - at - 5));
  if (!http) throw std::runtime_error("the gateway did not start: " + ready);
  http_ = *http;
}

}  // namespace crosspoint::bench
