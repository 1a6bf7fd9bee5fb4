#include "core/sdp/sdp.h"

#include <gtest/gtest.h>

namespace crosspoint {
namespace {

const std::string kHead = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";

SessionDescription parsed(const std::string& text) {
  auto description = sdp::parse(text);
  EXPECT_TRUE(description) << description.error().line << ": " << description.error().message;
  return description.value_or(SessionDescription{});
}

sdp::ParseError parseError(const std::string& text) {
  const auto description = sdp::parse(text);
  EXPECT_FALSE(description);
  return description ? sdp::ParseError{} : description.error();
}

MediaSection section(const std::string& attributes, const std::string& mLine = "m=audio 4000 RTP/AVP 0") {
  auto description = parsed(kHead + mLine + "\r\n" + attributes);
  EXPECT_EQ(description.sections.size(), 1u);
  return description.sections.empty() ? MediaSection{} : description.sections[0];
}

TEST(Parse, NamesTheLineThatIsWrong) {
  EXPECT_EQ(parseError("").line, 0u);
  EXPECT_EQ(parseError("hello").line, 1u);
  EXPECT_EQ(parseError("o=- 1 1 IN IP4 127.0.0.1\r\n"),
            (sdp::ParseError{1, "the description does not start with v=0"}));
  EXPECT_EQ(parseError(kHead + "nonsense\r\n"), (sdp::ParseError{5, "the line is not of the form x=..."}));
  EXPECT_EQ(parseError(kHead + "m=audio 70000 RTP/AVP 0\r\n"),
            (sdp::ParseError{5, "the m-line's port is no 16-bit number"}));
  EXPECT_EQ(parseError(kHead + "m=audio 4000 RTP/AVP 0 128\r\n").line, 5u);
  EXPECT_EQ(parseError(kHead + "m=audio 4000\r\n").line, 5u);
  EXPECT_EQ(parseError(kHead + "m=\r\n").line, 5u);
}

TEST(Parse, ADescriptionWithoutSectionsIsNoError) { EXPECT_TRUE(parsed(kHead).sections.empty()); }

TEST(Parse, EachLimitEndsInAnErrorOrInACut) {
  EXPECT_EQ(parseError(kHead + std::string(sdp::kBytesMax, 'x')).line, 0u);
  EXPECT_EQ(parseError(kHead + "a=" + std::string(sdp::kLineBytesMax, 'x')).message, "the line is too long");
  std::string text = kHead;
  for (std::size_t i = 0; i < sdp::kLinesMax; ++i) text += "a=x\n";
  EXPECT_EQ(parseError(text).line, sdp::kLinesMax + 1);
  text = kHead;
  for (std::size_t i = 0; i <= sdp::kSectionsMax; ++i) text += "m=audio 1 RTP/AVP 0\n";
  EXPECT_EQ(parseError(text).line, 5 + sdp::kSectionsMax);
  text = "m=audio 1 RTP/AVP";
  for (std::size_t i = 0; i <= sdp::kFormatsMax; ++i) text += " 0";
  EXPECT_EQ(parseError(kHead + text).line, 5u);

  text.clear();
  for (std::size_t i = 0; i <= sdp::kCandidatesMax; ++i) text += "a=candidate:1 1 udp 1 192.0.2.1 4000 typ host\n";
  EXPECT_EQ(section(text).candidates.size(), sdp::kCandidatesMax);
  text.clear();
  for (std::size_t i = 0; i <= sdp::kSsrcsMax; ++i) text += "a=ssrc:" + std::to_string(i) + " cname:x\n";
  EXPECT_EQ(section(text).ssrcs.size(), sdp::kSsrcsMax);
}

TEST(Parse, AStaticPayloadNumberKeepsItsMeaningUnlessAnRtpmapSaysOtherwise) {
  const auto audio = section("a=rtpmap:8 iLBC/8000\r\n", "m=audio 4000 RTP/AVP 0 8 9 97");
  ASSERT_EQ(audio.codecs.size(), 3u);
  EXPECT_EQ(audio.codecs[0].name, "PCMU");
  EXPECT_EQ(audio.codecs[1].name, "iLBC");
  EXPECT_EQ(audio.codecs[2].name, "G722");
  EXPECT_EQ(audio.codecs[2].clockRate, 8000u);
}

TEST(Parse, AttributesMayComeInAnyOrder) {
  const auto audio =
      section("a=fmtp:96 useinbandfec=1\na=rtcp-fb:96 nack\na=rtpmap:96 opus/48000/2\n", "m=audio 9 RTP/AVP 96");
  ASSERT_EQ(audio.codecs.size(), 1u);
  EXPECT_EQ(audio.codecs[0].parameters, "useinbandfec=1");
  EXPECT_EQ(audio.codecs[0].feedback, std::vector<std::string>{"nack"});
  EXPECT_EQ(audio.codecs[0].channels, 2);
}

TEST(Parse, WhatASectionSaysOverridesWhatTheSessionSays) {
  const auto description = parsed(kHead + "c=IN IP4 192.0.2.1\na=ice-ufrag:session\na=ice-pwd:sessionpassword\n" +
                                  "a=setup:active\na=sendonly\n" + "m=audio 1 RTP/AVP 0\n" +
                                  "m=audio 2 RTP/AVP 0\nc=IN IP4 192.0.2.2\na=ice-ufrag:own\na=ice-pwd:ownpassword\n" +
                                  "a=setup:passive\na=recvonly\n");
  ASSERT_EQ(description.sections.size(), 2u);
  EXPECT_EQ(description.sections[0].ice, (IceCredentials{"session", "sessionpassword"}));
  EXPECT_EQ(description.sections[0].setup, DtlsSetup::Active);
  EXPECT_EQ(description.sections[0].direction, Direction::SendOnly);
  EXPECT_EQ(description.sections[0].connection, IpAddress::parse("192.0.2.1"));
  EXPECT_EQ(description.sections[1].ice, (IceCredentials{"own", "ownpassword"}));
  EXPECT_EQ(description.sections[1].setup, DtlsSetup::Passive);
  EXPECT_EQ(description.sections[1].direction, Direction::RecvOnly);
  EXPECT_EQ(description.sections[1].connection, IpAddress::parse("192.0.2.2"));
}

TEST(Parse, AnAttributeWithoutSenseIsPassedOver) {
  const auto audio = section(
      "a=fingerprint:sha-256 XX:YY\na=fingerprint:sha-256\na=candidate:nothing\na=rtpmap:0\na=ssrc:abc cname:x\n"
      "a=extmap:0 urn:x\na=extmap:999 urn:x\na=crypto:1\na=setup:holdconn\na=rtcp:x\na=ptime:soon\na=\na=:\n");
  EXPECT_TRUE(audio.fingerprints.empty());
  EXPECT_TRUE(audio.candidates.empty());
  EXPECT_TRUE(audio.ssrcs.empty());
  EXPECT_TRUE(audio.extensions.empty());
  EXPECT_TRUE(audio.crypto.empty());
  EXPECT_FALSE(audio.setup);
  EXPECT_FALSE(audio.rtcp);
  EXPECT_FALSE(audio.packetTimeMs);
  EXPECT_EQ(audio.codecs.size(), 1u);
}

TEST(Parse, AFingerprintWithOneBadDigitIsNoFingerprint) {
  EXPECT_EQ(section("a=fingerprint:SHA-256 0A:ff\n").fingerprints,
            (std::vector<Fingerprint>{{"sha-256", {0x0a, 0xff}}}));
  EXPECT_TRUE(section("a=fingerprint:sha-256 0A:fg\n").fingerprints.empty());
  EXPECT_TRUE(section("a=fingerprint:sha-256 0Aff\n").fingerprints.empty());
}

TEST(Parse, ALoneUfragMakesNoCredentials) { EXPECT_FALSE(section("a=ice-ufrag:abcd\n").ice); }

TEST(ParseCandidate, TakesBothFormsInWhichPagesSendThem) {
  const auto bare = sdp::parseCandidate("candidate:1 1 udp 2113937151 192.0.2.33 51412 typ host generation 0");
  const auto line = sdp::parseCandidate("a=candidate:1 1 UDP 2113937151 192.0.2.33 51412 typ host generation 0\r\n");
  ASSERT_TRUE(bare);
  EXPECT_EQ(bare, line);
  EXPECT_EQ(bare->address, SocketAddress::parse("192.0.2.33:51412"));
  EXPECT_EQ(bare->priority, 2113937151u);
}

TEST(ParseCandidate, KeepsAHostNameAsAName) {
  const auto candidate = sdp::parseCandidate("candidate:1 1 udp 1 b50ae80f-baca.local 51412 typ host");
  ASSERT_TRUE(candidate);
  EXPECT_EQ(candidate->hostName, "b50ae80f-baca.local");
  EXPECT_EQ(candidate->address.port, 51412);
}

TEST(ParseCandidate, RefusesWhatIsNone) {
  for (const char* text : {"", "candidate:", "candidate", "hello", "candidate:1 1 udp 1 192.0.2.1 1 typ",
                           "candidate:1 0 udp 1 192.0.2.1 1 typ host", "candidate:1 1 sctp 1 192.0.2.1 1 typ host",
                           "candidate:1 1 udp 4294967296 192.0.2.1 1 typ host",
                           "candidate:1 1 udp 1 192.0.2.1 65536 typ host", "candidate:1 1 udp 1 192.0.2.1 1 typ guest",
                           "candidate:1 1 udp 1 a/b 1 typ host", "candidate:1 1 udp 1 192.0.2.1 1 host"}) {
    EXPECT_FALSE(sdp::parseCandidate(text)) << text;
  }
  EXPECT_FALSE(sdp::parseCandidate("candidate:1 1 udp 1 " + std::string(sdp::kTokenBytesMax + 1, 'a') + " 1 typ host"));
}

TEST(WriteCandidate, GivesRelatedAddressesToAllButHostCandidates) {
  Candidate candidate{.foundation = "f", .priority = 5, .address = *SocketAddress::parse("192.0.2.1:4000")};
  EXPECT_EQ(sdp::writeCandidate(candidate), "candidate:f 1 udp 5 192.0.2.1 4000 typ host");
  candidate.type = CandidateType::ServerReflexive;
  EXPECT_EQ(sdp::writeCandidate(candidate), "candidate:f 1 udp 5 192.0.2.1 4000 typ srflx raddr 0.0.0.0 rport 0");
  candidate.related = SocketAddress::parse("[2001:db8::1]:9");
  EXPECT_EQ(sdp::writeCandidate(candidate), "candidate:f 1 udp 5 192.0.2.1 4000 typ srflx raddr 2001:db8::1 rport 9");
}

TEST(Write, NoValueCanAddALine) {
  SessionDescription description;
  description.name = "x\r\na=ice-lite";
  MediaSection audio;
  audio.mid = "0\na=inactive";
  audio.codecs.push_back({.payloadType = 96, .name = "opus\r\nm=video 9 RTP/AVP 0", .clockRate = 48000});
  audio.ice = IceCredentials{"u\nv", "p\rq"};
  description.sections.push_back(audio);
  const auto text = sdp::write(description);
  EXPECT_EQ(text.find("\na=ice-lite"), std::string::npos);
  EXPECT_EQ(text.find("\na=inactive"), std::string::npos);
  EXPECT_EQ(text.find("\nm=video"), std::string::npos);
  for (std::size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1)) {
    EXPECT_EQ(text[at - 1], '\r');
  }
}

TEST(Write, ARefusedSectionStillListsAFormat) {
  SessionDescription description;
  description.sections.push_back(
      {.kind = MediaKind::Video, .media = "video", .port = 0, .direction = Direction::Inactive});
  EXPECT_NE(sdp::write(description).find("m=video 0 RTP/AVP 0\r\n"), std::string::npos);
}

}  // namespace
}  // namespace crosspoint
