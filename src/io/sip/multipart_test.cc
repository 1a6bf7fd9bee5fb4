// Session descriptions in bodies of several parts.
#include "io/sip/multipart.h"

#include <gtest/gtest.h>

namespace crosspoint::sip {
namespace {

std::string sdpIn(std::string_view type, std::string_view body) {
  const auto part = findSdpPart(type, body);
  return part ? std::string(part->body) : "none";
}

TEST(Multipart, GivesTheFirstSessionDescription) {
  constexpr std::string_view kBody =
      "--x\r\ncontent-type: text/plain\r\n\r\nhello\r\n--x\r\nContent-Type: Application/SDP; charset=utf-8\r\n\r\n"
      "v=0\r\n--x\r\nContent-Type: application/sdp\r\n\r\nv=1\r\n--x--\r\n";
  EXPECT_EQ(sdpIn("multipart/mixed;boundary=x", kBody), "v=0\r\n");
  EXPECT_EQ(sdpIn("Multipart/Alternative; a=b; Boundary=\"x\"", kBody), "v=0\r\n");
  EXPECT_EQ(findSdpPart("multipart/mixed;boundary=x", kBody)->contentType, "Application/SDP; charset=utf-8");
}

TEST(Multipart, LooksIntoABodyInsideABody) {
  constexpr std::string_view kBody =
      "--o\nContent-Type: multipart/alternative;boundary=i\n\n--i\nContent-Type: "
      "application/sdp\n\nv=0\n--i--\n--o--\n";
  EXPECT_EQ(sdpIn("multipart/mixed;boundary=o", kBody), "v=0\n");
}

TEST(Multipart, GivesNothingWhereThereIsNothing) {
  constexpr std::string_view kSdp = "--x\n\nContent-Type: application/sdp\n\nv=0\n--x--\n";
  EXPECT_EQ(sdpIn("multipart/mixed;boundary=x", kSdp), "none") << "the part has no header: it is plain text";
  EXPECT_EQ(sdpIn("multipart/mixed", kSdp), "none");
  EXPECT_EQ(sdpIn("multipart/mixed;boundary=", kSdp), "none");
  EXPECT_EQ(sdpIn("multipart/mixed;boundary=y", kSdp), "none");
  EXPECT_EQ(sdpIn("application/sdp", kSdp), "none");
  EXPECT_EQ(sdpIn("multipart/mixed;boundary=x", ""), "none");
  EXPECT_EQ(sdpIn("multipart/mixed;boundary=x", "--x"), "none");
  EXPECT_EQ(sdpIn("multipart/mixed;boundary=x", "--x--\nContent-Type: application/sdp\n\nv=0\n"), "none");
  EXPECT_EQ(sdpIn("multipart/mixed;boundary=x",
                  "--x\nContent-Type: application/sdp\nContent-Transfer-Encoding: base64\n\ndj0w\n--x--\n"),
            "none");
}

TEST(Multipart, EndsWhereTheBodyEnds) {
  EXPECT_EQ(sdpIn("multipart/mixed;boundary=x", "--x\nContent-Type: application/sdp\n\nv=0\n"), "v=0\n");
  EXPECT_EQ(sdpIn("multipart/mixed;boundary=x", "--x\nContent-Type: application/sdp\n"), "");
}

TEST(Multipart, StopsAtItsBounds) {
  std::string deep = "Content-Type: application/sdp\n\nv=0\n";
  for (int i = 4; i >= 1; --i) {
    const std::string b = "b" + std::to_string(i);
    deep = "Content-Type: multipart/mixed;boundary=" + b + "\n\n--" + b + "\n" + deep + "--" + b + "--\n";
  }
  const auto firstBody = deep.find("\n\n") + 2;
  EXPECT_EQ(sdpIn("multipart/mixed;boundary=b1", std::string_view(deep).substr(firstBody)), "none");
  std::string wide;
  for (std::size_t i = 0; i < kMultipartPartsMax; ++i) wide += "--x\n\nfiller\n";
  EXPECT_EQ(sdpIn("multipart/mixed;boundary=x", wide + "--x\nContent-Type: application/sdp\n\nv=0\n--x--\n"), "none");
}

}  // namespace
}  // namespace crosspoint::sip
