// The program `crosspoint`: its command line. What it does is in gateway.h.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>

#include "gateway/configuration.h"
#include "gateway/gateway.h"

namespace {

using namespace crosspoint::gateway;

constexpr int kStartFailed = 1;
constexpr int kBadConfiguration = 2;
constexpr const char* kVersion = "crosspoint 0.1.0";

int report(const Problems& problems) {
  for (const auto& problem : problems) std::fprintf(stderr, "%s\n", problem.toString().c_str());
  return kBadConfiguration;
}

int check(const std::string& file) {
  const auto configuration = readConfiguration(file);
  if (!configuration) return report(configuration.error());
  std::printf("%s: correct\n", file.c_str());
  return 0;
}

void welcome(const Configuration& configuration, const Gateway::Addresses& addresses) {
  std::printf("%s\n", readyLine(addresses, ::getpid()).c_str());
  const char* scheme = configuration.http.tlsKey.empty() ? "http" : "https";
  if (addresses.root.empty()) {
    std::printf("Signalling at %s://%s (no page was found to serve: [http] root)\n", scheme,
                addresses.http.toString().c_str());
  } else {
    std::printf("Page and signalling at %s://%s/\n", scheme, addresses.http.toString().c_str());
  }
  if (addresses.sipServer) {
    std::printf("SIP phones register at %s with any number\n", addresses.sipServer->toString().c_str());
  } else {
    std::printf("Calls go through %s\n", configuration.sip.server.c_str());
  }
  std::printf("Ctrl-C stops\n");
  std::fflush(stdout);
}

int run(const std::string& file, const std::vector<std::string>& overrides) {
  const auto configuration = readConfiguration(file, overrides);
  if (!configuration) return report(configuration.error());
  std::signal(SIGPIPE, SIG_IGN);  // a client that goes away is an error of its write
  Gateway gateway(*configuration);
  const auto started = gateway.start();
  if (!started) {
    std::fprintf(stderr, "Crosspoint cannot start: %s\n", started.error().c_str());
    return kStartFailed;
  }
  welcome(*configuration, *started);
  gateway.run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Crosspoint: calls between web pages (WebRTC) and SIP", "crosspoint");
  app.set_version_flag("--version", kVersion);
  std::string file, checked;
  std::vector<std::string> overrides;
  std::optional<int> port;
  const auto addRunOptions = [&](CLI::App& target) {
    target.add_option("--config", file, "TOML file; without one everything has its default, on loopback");
    target.add_option("--set", overrides, "SECTION.KEY=VALUE: wins over the file; can be repeated")->take_all();
    target.add_option("--port", port, "the same as --set rsmp.http-port=PORT");
  };
  addRunOptions(app);
  auto* runCommand = app.add_subcommand("run", "start the gateway (the same as no command at all)");
  addRunOptions(*runCommand);
  auto* checkCommand =
      app.add_subcommand("check", "say whether a configuration file is correct, and what is wrong where");
  checkCommand->add_option("FILE", checked, "TOML file")->required();
  app.require_subcommand(0, 1);
  app.footer("Every key, with its default: deploy/crosspoint.toml");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kBadConfiguration;
  }
  try {
    if (*checkCommand) return check(checked);
    if (port) overrides.push_back("rsmp.http-port=" + std::to_string(*port));
    return run(file, overrides);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "Crosspoint cannot start: %s\n", error.what());
    return kStartFailed;
  }
}
