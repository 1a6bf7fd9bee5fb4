// Configuration files, right and wrong.
#include "gateway/configuration.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "gateway/schema.h"

namespace crosspoint::gateway {
namespace {

using testing::HasSubstr;

std::string problemsOf(std::string_view text) {
  const auto result = parseConfiguration(text, "test.toml");
  if (result) return "none";
  std::string all;
  for (const auto& problem : result.error()) all += problem.toString() + "\n";
  return all;
}

TEST(Configuration, AnEmptyFileGivesTheDefaults) {
  const auto result = parseConfiguration("", "empty.toml");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->rsmp.httpPort, 8086);
  EXPECT_EQ(result->http.address.toString(), "127.0.0.1");
  EXPECT_TRUE(result->sip.embedded());
  EXPECT_EQ(result->sipServer.port, 5060);
  EXPECT_EQ(result->http.sessionTimeout, std::chrono::seconds(60));
}

TEST(Configuration, ReadsEveryKindOfValue) {
  const auto result = parseConfiguration(R"(
[rsmp]
http-port = 0
web-enable-dtls = false
[http]
address = "::1"
allowed-origins = ["https://a.example", "https://b.example"]
session-timeout = 5
[sip]
server = "sip:pbx.example.com:5062;transport=tcp"
[media]
public-address = "192.0.2.7"
stun-servers = ["stun:192.0.2.1:3478", "[2001:db8::1]:3478"]
rtp-port-min = 30000
rtp-port-max = 30999
nap-us = 1000
[auth]
policy = "password"
anonymous = false
[log]
level = "debug"
)",
                                         "test.toml");
  ASSERT_TRUE(result) << result.error()[0].toString();
  EXPECT_EQ(result->rsmp.httpPort, 0);
  EXPECT_FALSE(result->rsmp.webEnableDtls);
  EXPECT_EQ(result->http.address.toString(), "::1");
  EXPECT_EQ(result->http.allowedOrigins.size(), 2U);
  EXPECT_EQ(result->http.sessionTimeout, std::chrono::seconds(5));
  EXPECT_EQ(result->sip.server, "sip:pbx.example.com:5062;transport=tcp");
  EXPECT_FALSE(result->sip.embedded());
  EXPECT_EQ(result->media.publicAddress->toString(), "192.0.2.7");
  EXPECT_EQ(result->media.stunServers[1].toString(), "[2001:db8::1]:3478");
  EXPECT_EQ(result->media.rtpPortMax, 30999);
  EXPECT_EQ(result->media.nap, std::chrono::microseconds(1000));
  EXPECT_EQ(result->auth.policy, AuthPolicy::Password);
  EXPECT_FALSE(result->auth.anonymous);
  EXPECT_EQ(result->log.level, LogLevel::Debug);
}

TEST(Configuration, ATypoIsFoundWithItsLineAndASuggestion) {
  EXPECT_EQ(problemsOf("[rsmp]\n\nhtp-port = 1\n"),
            "test.toml:3: [rsmp] has no key \"htp-port\": did you mean \"http-port\"?\n");
  EXPECT_EQ(problemsOf("[sipserver]\nport = 1\n"),
            "test.toml:1: there is no section [sipserver]: did you mean [sip-server]?\n");
  EXPECT_EQ(problemsOf("[sip]\nearly-media = true\n"),
            "test.toml:2: [sip] has no key \"early-media\": it belongs to [media]\n");
  EXPECT_EQ(problemsOf("http-port = 1\n"),
            "test.toml:1: there is no section [http-port]: \"http-port\" is a key of [rsmp]\n");
  EXPECT_EQ(problemsOf("rsmp = 1\n"), "test.toml:1: [rsmp] is a section, not a key\n");
  EXPECT_EQ(problemsOf("[log]\nsomething = 1\n"), "test.toml:2: [log] has no key \"something\"\n");
}

TEST(Configuration, AWrongTypeOrRangeSaysWhatIsExpected) {
  EXPECT_EQ(problemsOf("[rsmp]\nhttp-port = \"8086\"\n"),
            "test.toml:2: [rsmp] http-port must be a port from 0 to 65535\n");
  EXPECT_EQ(problemsOf("[rsmp]\nhttp-port = 65536\n"),
            "test.toml:2: [rsmp] http-port must be a port from 0 to 65535\n");
  EXPECT_EQ(problemsOf("[rsmp]\nhttp-port = -1\n"), "test.toml:2: [rsmp] http-port must be a port from 0 to 65535\n");
  EXPECT_THAT(problemsOf("[http]\nbehind-proxy = 1\n"), HasSubstr("must be true or false"));
  EXPECT_THAT(problemsOf("[http]\naddress = \"localhost\"\n"), HasSubstr("must be an IP address"));
  EXPECT_THAT(problemsOf("[http]\nallowed-origins = \"*\"\n"), HasSubstr("must be a list of origins"));
  EXPECT_TRUE(parseConfiguration("[http]\nallowed-origins = [\"loopback\", \"null\"]\n", "x"));
  EXPECT_THAT(problemsOf("[http]\nallowed-origins = [1]\n"), HasSubstr("wrong type"));
  EXPECT_THAT(problemsOf("[http]\nsession-timeout = 1.5\n"), HasSubstr("wrong type"));
  EXPECT_THAT(problemsOf("[sip]\nserver = \"pbx.example.com\"\n"), HasSubstr("must be \"embedded\", or a URI"));
  EXPECT_THAT(problemsOf("[sip]\nserver = \"sip:pbx;transport=sctp\"\n"), HasSubstr("udp, tcp or tls"));
  EXPECT_THAT(problemsOf("[sip]\noutbound-proxy = \"pbx\"\n"), HasSubstr("udp, tcp or tls"));
  EXPECT_THAT(problemsOf("[sip]\naccept-from = [\"10.0.0.1/8\"]\n"), HasSubstr("addresses and prefixes"));
  EXPECT_THAT(problemsOf("[sip]\ndns-servers = [\"192.0.2.53\"]\n"), HasSubstr("with port"));
  EXPECT_THAT(problemsOf("[media]\nstun-servers = [\"stun.example.com:3478\"]\n"), HasSubstr("numeric"));
  EXPECT_THAT(problemsOf("[media]\nnap-us = 2000\n"), HasSubstr("from 0 to 1000"));
  EXPECT_THAT(problemsOf("[sip]\nattached-data-header = \"Contact\"\n"), HasSubstr("that SIP does not use itself"));
  EXPECT_THAT(problemsOf("[sip]\nmin-se = 60\n"), HasSubstr("seconds from 90"));
  EXPECT_THAT(problemsOf("[log]\nlevel = \"loud\"\n"), HasSubstr("one of \"error\", \"warning\", \"info\", \"debug\""));
}

TEST(Configuration, EveryProblemIsReportedNotOnlyTheFirst) {
  EXPECT_EQ(problemsOf("[rsmp]\nhttp-port = true\nx = 1\n[nonsense]\n"),
            "test.toml:2: [rsmp] http-port must be a port from 0 to 65535\n"
            "test.toml:3: [rsmp] has no key \"x\"\n"
            "test.toml:4: there is no section [nonsense]\n");
}

TEST(Configuration, WhatIsNoTomlIsReportedWithItsLine) {
  EXPECT_THAT(problemsOf("[rsmp]\nhttp-port 8086\n"), HasSubstr("test.toml:2: this is not TOML: "));
}

TEST(Configuration, OutsideOfLoopbackNeedsTlsAndAPolicy) {
  const std::string open = "[http]\naddress = \"0.0.0.0\"\n";
  EXPECT_THAT(problemsOf(open),
              HasSubstr("test.toml:2: [http] address is not loopback: browsers would talk in the clear"));
  EXPECT_THAT(problemsOf(open), HasSubstr("say who may sign in"));
  EXPECT_THAT(problemsOf(open + "behind-proxy = true\n"), HasSubstr("say who may sign in"));
  EXPECT_EQ(problemsOf(open + "behind-proxy = true\n[auth]\npolicy = \"open\"\n"), "none");
  EXPECT_EQ(problemsOf(open + "tls-certificate = \"c\"\ntls-key = \"k\"\n[auth]\npolicy = \"password\"\n" +
                       "[sip-server]\npassword = \"x\"\n"),
            "none");
  EXPECT_THAT(problemsOf("[sip-server]\naddress = \"192.0.2.1\"\n"), HasSubstr("set [sip-server] password"));
  EXPECT_EQ(problemsOf("[sip-server]\naddress = \"192.0.2.1\"\npassword = \"x\"\n"), "none");
}

TEST(Configuration, PasswordsAreAskedForOnlyWhereSomebodyChecksThem) {
  const std::string wanted = "[auth]\npolicy = \"password\"\n";
  EXPECT_THAT(problemsOf(wanted), HasSubstr("test.toml:2: [auth] policy is \"password\", but the embedded SIP server"));
  EXPECT_EQ(problemsOf(wanted + "[sip-server]\npassword = \"x\"\n"), "none");
  EXPECT_EQ(problemsOf(wanted + "[sip]\nserver = \"sip:127.0.0.1:5070\"\n"), "none");
}

TEST(Configuration, KeysThatBelongTogetherAreChecked) {
  EXPECT_THAT(problemsOf("[http]\ntls-key = \"k\"\n"),
              HasSubstr("test.toml:2: [http] tls-certificate and tls-key belong together"));
  EXPECT_THAT(problemsOf("[media]\nrtp-port-min = 4000\n"), HasSubstr("belong together"));
  EXPECT_THAT(problemsOf("[media]\nrtp-port-min = 4001\nrtp-port-max = 4002\n"), HasSubstr("holds no even port"));
  EXPECT_THAT(problemsOf("[media]\naddress = \"0.0.0.0\"\n"), HasSubstr("public-address"));
  EXPECT_THAT(problemsOf("[sip]\naddress = \"0.0.0.0\"\n"), HasSubstr("public-address"));
  EXPECT_THAT(problemsOf("[sip]\nsession-expires = 89\n"), HasSubstr("at least min-se"));
  EXPECT_EQ(problemsOf("[sip]\nsession-expires = 0\nattached-data-header = \"X-Data\"\n"), "none");
  EXPECT_THAT(problemsOf("[media]\nice-port = 65535\nworkers = 2\n"), HasSubstr("65535"));
}

TEST(Configuration, AServerElsewhereNeedsAddressesThatReachIt) {
  const std::string server = "[sip]\nserver = \"sip:192.0.2.9\"\n";
  EXPECT_THAT(problemsOf(server), HasSubstr("[sip] address is loopback"));
  EXPECT_THAT(problemsOf(server), HasSubstr("[media] address is loopback"));
  EXPECT_EQ(problemsOf(server + "address = \"192.0.2.2\"\n[media]\naddress = \"192.0.2.2\"\n"), "none");
  EXPECT_EQ(problemsOf("[sip]\nserver = \"sip:127.0.0.1:5070\"\n"), "none");
}

TEST(Configuration, OverridesWinAndTextNeedsNoQuotes) {
  const auto result = readConfiguration("", {"rsmp.http-port=9000", "http.address=::1", "log.level = debug"});
  ASSERT_TRUE(result) << result.error()[0].toString();
  EXPECT_EQ(result->rsmp.httpPort, 9000);
  EXPECT_EQ(result->http.address.toString(), "::1");
  const auto wrong = readConfiguration("", {"rsmp.port=9000", "nonsense"});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().size(), 2U);
}

TEST(Configuration, AFileThatCannotBeReadIsAProblemWithItsName) {
  const auto result = readConfiguration("/none/crosspoint.toml");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error()[0].toString(), "/none/crosspoint.toml: the file cannot be read");
}

TEST(Configuration, TheDocumentedFileStatesEveryKeyWithItsDefault) {
  const std::string file = CROSSPOINT_SOURCE_DIR "/deploy/crosspoint.toml";
  const auto documented = readConfiguration(file);
  ASSERT_TRUE(documented) << documented.error()[0].toString();
  std::stringstream text;
  text << std::ifstream(file).rdbuf();
  for (const Key& key : schema())
    EXPECT_THAT(text.str(), HasSubstr("\n" + std::string(key.name) + " = ")) << key.section;
  const Configuration defaults;
  EXPECT_EQ(documented->rsmp.httpPort, defaults.rsmp.httpPort);
  EXPECT_EQ(documented->http.pollHold, defaults.http.pollHold);
  EXPECT_EQ(documented->http.connectionsMax, defaults.http.connectionsMax);
  EXPECT_EQ(documented->http.allowedOrigins, defaults.http.allowedOrigins);
  EXPECT_EQ(documented->sip.server, defaults.sip.server);
  EXPECT_EQ(documented->sip.registerExpires, defaults.sip.registerExpires);
  EXPECT_EQ(documented->sip.noAnswer, defaults.sip.noAnswer);
  EXPECT_EQ(documented->sip.sessionExpires, defaults.sip.sessionExpires);
  EXPECT_EQ(documented->sip.minSe, defaults.sip.minSe);
  EXPECT_EQ(documented->sip.attachedDataHeader, defaults.sip.attachedDataHeader);
  EXPECT_EQ(documented->sipServer.port, defaults.sipServer.port);
  EXPECT_EQ(documented->media.nap, defaults.media.nap);
  EXPECT_EQ(documented->media.workers, defaults.media.workers);
  EXPECT_EQ(documented->auth.policy, defaults.auth.policy);
  EXPECT_EQ(documented->log.level, defaults.log.level);
}

TEST(Configuration, SaysHowTheSipServerIsReached) {
  const auto udp = parseConfiguration("[sip]\nserver = \"sip:pbx.test\"\n", "x");
  EXPECT_FALSE(udp->sip.tls());
  const auto tls = parseConfiguration("[sip]\nserver = \"sips:pbx.test\"\naccept-from = [\"10.0.0.0/8\"]\n", "x");
  EXPECT_TRUE(tls->sip.tls());
  EXPECT_EQ(tls->sip.acceptFrom, std::vector{sip::AddressRange::parse("10.0.0.0/8").value()});
  const auto proxied = parseConfiguration(
      "[sip]\nserver = \"sip:pbx.test\"\noutbound-proxy = \"sip:edge.test;transport=tls\"\noptions-interval = 0\n",
      "x");
  EXPECT_EQ(proxied->sip.firstHop(), "sip:edge.test;transport=tls");
  EXPECT_TRUE(proxied->sip.tls());
  EXPECT_EQ(proxied->sip.optionsInterval.count(), 0);
}

TEST(Configuration, TlsNeedsANameToCheckAndAKeyItsCertificate) {
  EXPECT_THAT(problemsOf("[sip]\nserver = \"sip:127.0.0.1:5061;transport=tls\"\n"), HasSubstr("set [sip] domain"));
  EXPECT_EQ(problemsOf("[sip]\nserver = \"sip:127.0.0.1:5061;transport=tls\"\ndomain = \"pbx.test\"\n"), "none");
  EXPECT_EQ(problemsOf("[sip]\nserver = \"sip:127.0.0.1:5061;transport=tls\"\ntls-verify = false\n"), "none");
  EXPECT_THAT(problemsOf("[sip]\ntls-key = \"k.pem\"\n"), HasSubstr("no tls-certificate"));
}

}  // namespace
}  // namespace crosspoint::gateway
