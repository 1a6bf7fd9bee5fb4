// Requests from bytes, without a socket.
#include "io/http/request_reader.h"

#include <gtest/gtest.h>

namespace crosspoint::http {
namespace {

constexpr std::size_t kHeaderMax = 1024, kBodyMax = 2048;

struct Outcome {
  RequestReader::State state;
  int failure = 0;
  Request request;
  std::string rest;
};

// Feeds `text` in pieces of `piece` bytes, as a socket would.
Outcome read(std::string_view text, std::size_t piece = 100'000) {
  RequestReader reader(kHeaderMax, kBodyMax);
  std::string waiting;
  for (std::size_t at = 0; at < text.size() && reader.state() == RequestReader::State::Reading; at += piece) {
    waiting += text.substr(at, piece);
    waiting.erase(0, reader.feed(waiting));
  }
  Outcome outcome{.state = reader.state(), .failure = reader.failure(), .rest = waiting};
  if (outcome.state == RequestReader::State::Complete) outcome.request = reader.take();
  return outcome;
}

int failureOf(std::string_view text) { return read(text).failure; }

const std::string kPost =
    "POST /message?from=Ab3&to=1020 HTTP/1.1\r\nHost: gw:8086\r\nOrigin: https://page\r\nContent-Length: 11\r\n\r\n"
    "INFO-MAP a=";

TEST(RequestReader, GivesMethodPathQueryHeadersAndBody) {
  const auto outcome = read(kPost);
  ASSERT_EQ(outcome.state, RequestReader::State::Complete);
  EXPECT_EQ(outcome.request.method, "POST");
  EXPECT_EQ(outcome.request.path, "/message");
  EXPECT_EQ(outcome.request.query, "from=Ab3&to=1020");
  EXPECT_EQ(outcome.request.header("oRIGIN"), "https://page");
  EXPECT_EQ(outcome.request.header("X-None"), "");
  EXPECT_EQ(outcome.request.body, "INFO-MAP a=");
}

TEST(RequestReader, EverySplitOfTheBytesGivesTheSameRequest) {
  for (std::size_t piece = 1; piece < kPost.size(); ++piece) {
    const auto outcome = read(kPost, piece);
    ASSERT_EQ(outcome.state, RequestReader::State::Complete) << piece;
    EXPECT_EQ(outcome.request.body, "INFO-MAP a=");
    EXPECT_EQ(outcome.request.headers.size(), 3U);
  }
}

TEST(RequestReader, LeavesThePipelinedRequestAlone) {
  const auto outcome = read(kPost + "GET / HTTP/1.1\r\n");
  EXPECT_EQ(outcome.state, RequestReader::State::Complete);
  EXPECT_EQ(outcome.rest, "GET / HTTP/1.1\r\n");
}

TEST(RequestReader, JoinsAChunkedBody) {
  const auto outcome = read(
      "POST /message HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nBYE\r\n1\r\n \r\n0\r\n\r\nrest", 7);
  ASSERT_EQ(outcome.state, RequestReader::State::Complete);
  EXPECT_EQ(outcome.request.body, "BYE ");
}

TEST(RequestReader, AnEmptyChunkedBodyMayComeInAnyPieces) {
  const std::string text = "POST /now HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
  for (std::size_t piece = 1; piece < text.size(); ++piece) {
    EXPECT_EQ(read(text, piece).state, RequestReader::State::Complete) << piece;
  }
  EXPECT_EQ(failureOf("POST /now HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nBYE\r\n\r\n"), 400);
}

TEST(RequestReader, DecodesThePathAndLeavesTheQueryAlone) {
  const auto request = read("GET /a%20b+c?x=%41+1?y HTTP/1.1\r\nHost: a\r\n\r\n").request;
  EXPECT_EQ(request.path, "/a b+c");
  EXPECT_EQ(request.query, "x=%41+1?y");
}

TEST(RequestReader, AcceptsTheAbsoluteFormOfATarget) {
  EXPECT_EQ(read("GET http://gw:8086/wait?id=1 HTTP/1.1\r\nHost: gw\r\n\r\n").request.path, "/wait");
  EXPECT_EQ(read("GET http://gw HTTP/1.1\r\nHost: gw\r\n\r\n").request.path, "/");
  EXPECT_EQ(read("GET HTTP://gw?q HTTP/1.1\r\nHost: gw\r\n\r\n").request.query, "q");
}

TEST(RequestReader, RefusesWhatIsNoHttp) {
  EXPECT_EQ(failureOf("nonsense\r\n\r\n"), 400);
  EXPECT_EQ(failureOf("\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"), 400);  // TLS on the plain port
  EXPECT_EQ(failureOf("GET / HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n"), 400);
  EXPECT_EQ(failureOf("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), 505);
  EXPECT_EQ(failureOf("GET / HTTP/1.1\r\n\r\n"), 400) << "no Host";
  EXPECT_EQ(failureOf("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 400);
  EXPECT_EQ(failureOf("GET nowhere HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(failureOf("GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(failureOf("GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
}

TEST(RequestReader, RefusesAmbiguousLengths) {
  EXPECT_EQ(failureOf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"), 400);
  EXPECT_EQ(failureOf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"), 400);
  EXPECT_EQ(failureOf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
  EXPECT_EQ(failureOf("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n"), 501);
}

TEST(RequestReader, RefusesTooMuch) {
  EXPECT_EQ(failureOf("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(kHeaderMax, 'x')), 431);
  EXPECT_EQ(failureOf("GET /" + std::string(2 * kHeaderMax, 'x')), 431);
  EXPECT_EQ(failureOf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2049\r\n\r\n"), 413);
  EXPECT_EQ(failureOf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n"), 400);
  EXPECT_EQ(
      failureOf("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n" + std::string(4095, 'x')),
      413);
  EXPECT_EQ(
      failureOf("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;" + std::string(kHeaderMax, 'x')),
      431)
      << "a chunk's extension";
  EXPECT_EQ(failureOf("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: " +
                      std::string(kHeaderMax, 'x')),
            431)
      << "a trailer";
  EXPECT_EQ(read("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2048\r\n\r\n" + std::string(2048, 'x')).state,
            RequestReader::State::Complete);
}

TEST(RequestReader, KeepAliveFollowsVersionAndConnection) {
  const auto keepAlive = [](std::string_view text) {
    RequestReader reader(kHeaderMax, kBodyMax);
    reader.feed(text);
    return reader.keepAlive();
  };
  EXPECT_TRUE(keepAlive("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_FALSE(keepAlive("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
  EXPECT_FALSE(keepAlive("GET / HTTP/1.0\r\n\r\n"));
}

TEST(RequestReader, AsksForTheBodyOnceWhereTheClientWaits) {
  RequestReader reader(kHeaderMax, kBodyMax);
  reader.feed("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
  EXPECT_TRUE(reader.takeExpectContinue());
  EXPECT_FALSE(reader.takeExpectContinue());
  reader.feed("x");
  EXPECT_EQ(reader.state(), RequestReader::State::Complete);
  EXPECT_EQ(failureOf("POST / HTTP/1.1\r\nHost: a\r\nExpect: miracle\r\nContent-Length: 1\r\n\r\n"), 417);
}

TEST(Query, ValuesAreDecodedAndPlusStays) {
  EXPECT_EQ(queryValue("id=Ab%2F1+&ack=7", "id"), "Ab/1+");
  EXPECT_EQ(queryValue("id=Ab&ack=7", "ack"), "7");
  EXPECT_EQ(queryValue("id=&x", "id"), "");
  EXPECT_EQ(queryValue("xid=1&idx=2&id", "id"), std::nullopt);
  EXPECT_EQ(queryValue("id=%4", "id"), std::nullopt);
  EXPECT_EQ(percentDecode("%41%"), std::nullopt);
  EXPECT_EQ(percentDecode("%41"), "A");
  EXPECT_EQ(percentDecode("a%00"), std::nullopt);
}

}  // namespace
}  // namespace crosspoint::http
