// Boost 1.81's chunk parser asserts that five bytes follow where three or four can (a body that is only the last chunk,
// cut behind "0 CR LF" or one byte later): a stranger could end the process with it. What follows the assertion is
// right for three bytes too. The fuzzer runs with the same setting.
#define BOOST_DISABLE_ASSERTS

#include "io/http/request_reader.h"

#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

namespace crosspoint::http {
namespace {

namespace beast = boost::beast::http;

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

int statusOf(const boost::system::error_code& error) {
  if (error == beast::error::header_limit) return 431;
  if (error == beast::error::body_limit) return 413;
  if (error == beast::error::bad_version) return 505;
  return 400;
}

// RFC 9112 §3.2: origin-form; absolute-form must be accepted too; "*" is for OPTIONS.
bool splitTarget(std::string_view target, std::string_view method, std::string& path, std::string& query) {
  if (target == "*" && method == "OPTIONS") {
    path = target;
    return true;
  }
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (target.size() < scheme.size() || !namesEqual(target.substr(0, scheme.size()), scheme)) continue;
    const auto end = target.find_first_of("/?", scheme.size());
    if (end == std::string_view::npos) {
      path = "/";
      return true;
    }
    target.remove_prefix(end);
    break;
  }
  const auto mark = target.find('?');
  auto decoded = percentDecode(target.substr(0, mark));
  if (!decoded) return false;
  path = std::move(*decoded);
  if (path.empty()) path = "/";
  if (mark != std::string_view::npos) query = target.substr(mark + 1);
  return path.starts_with('/');
}

}  // namespace

class RequestReader::Parser : public beast::request_parser<beast::string_body> {};

RequestReader::RequestReader(std::size_t headerBytesMax, std::size_t bodyBytesMax)
    : parser_(std::make_unique<Parser>()), headerBytesMax_(headerBytesMax), bodyBytesMax_(bodyBytesMax) {
  parser_->header_limit(static_cast<std::uint32_t>(headerBytesMax));
  parser_->body_limit(bodyBytesMax);
}

RequestReader::~RequestReader() = default;

std::size_t RequestReader::feed(std::string_view bytes) {
  std::size_t taken = 0;
  // The parser stops behind the header once, and behind every piece of the body.
  while (state_ == State::Reading && taken < bytes.size()) {
    boost::system::error_code error;
    const auto count = parser_->put(boost::asio::const_buffer(bytes.data() + taken, bytes.size() - taken), error);
    taken += count;
    if (error && error != beast::error::need_more) {
      fail(statusOf(error));
    } else {
      if (parser_->is_header_done() && !headerDone_) handleHeader();
      if (state_ == State::Reading && parser_->is_done()) state_ = State::Complete;
    }
    if (count == 0) break;
  }
  // What the parser leaves is a header, a chunk's first line or a trailer without its end: none may grow for ever.
  if (state_ == State::Reading && bytes.size() - taken >= headerBytesMax_) fail(431);
  return taken;
}

void RequestReader::fail(int status) {
  state_ = State::Failed;
  failure_ = status;
}

void RequestReader::handleHeader() {
  headerDone_ = true;
  const auto& message = parser_->get();
  keepAlive_ = message.keep_alive();
  const bool modern = message.version() == 11;
  if (modern && message.count(beast::field::host) != 1) return fail(400);                            // RFC 9112 §3.2
  if (message.count(beast::field::transfer_encoding) != 0 && !parser_->chunked()) return fail(501);  // RFC 9112 §6.1
  if (!splitTarget(view(message.target()), view(message.method_string()), path_, query_)) return fail(400);
  const auto length = parser_->content_length();
  if (length && *length > bodyBytesMax_) return fail(413);
  const auto expect = view(message[beast::field::expect]);
  if (!expect.empty() && modern) {
    if (!namesEqual(expect, "100-continue")) return fail(417);
    expectContinue_ = !parser_->is_done();
  }
}

bool RequestReader::takeExpectContinue() { return std::exchange(expectContinue_, false); }

std::string RequestReader::origin() const { return std::string(view(parser_->get()[beast::field::origin])); }

Request RequestReader::take() {
  auto message = parser_->release();
  Request request;
  request.method = view(message.method_string());
  request.path = std::move(path_);
  request.query = std::move(query_);
  for (const auto& field : message) {
    request.headers.push_back({std::string(view(field.name_string())), std::string(view(field.value()))});
  }
  request.body = std::move(message.body());
  return request;
}

}  // namespace crosspoint::http
