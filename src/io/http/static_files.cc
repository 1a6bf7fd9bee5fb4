#include "io/http/static_files.h"

#include <algorithm>
#include <array>
#include <fstream>

namespace crosspoint::http {
namespace {

namespace fs = std::filesystem;

constexpr auto kContentTypes = std::to_array<std::pair<std::string_view, std::string_view>>({
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".json", "application/json"},
    {".map", "application/json"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".ico", "image/x-icon"},
    {".webmanifest", "application/manifest+json"},
    {".wasm", "application/wasm"},
    {".woff2", "font/woff2"},
    {".wav", "audio/wav"},
    {".mp3", "audio/mpeg"},
    {".ogg", "audio/ogg"},
    {".txt", "text/plain; charset=utf-8"},
});

Response plain(int status) { return {.status = status, .body = std::string(reasonPhrase(status)) + "\n"}; }

// Below `root`, segment by segment; both are canonical.
bool isBelow(const fs::path& file, const fs::path& root) {
  return std::mismatch(root.begin(), root.end(), file.begin(), file.end()).first == root.end();
}

// "W/"-comparison of If-None-Match's list (RFC 9110 §13.1.2).
bool matches(std::string_view list, std::string_view etag) {
  return list == "*" || list.find(etag) != std::string_view::npos;
}

}  // namespace

std::string_view contentTypeOf(const fs::path& file) {
  const auto extension = file.extension().string();
  const auto found = std::find_if(kContentTypes.begin(), kContentTypes.end(),
                                  [&](const auto& entry) { return entry.first == extension; });
  return found == kContentTypes.end() ? "application/octet-stream" : found->second;
}

StaticFiles::StaticFiles(fs::path root) {
  std::error_code error;
  root_ = fs::canonical(root, error);
  if (error) root_.clear();
}

std::optional<fs::path> StaticFiles::locate(std::string_view path) const {
  if (root_.empty() || !path.starts_with('/')) return std::nullopt;
  const fs::path relative(path.substr(1));
  for (const auto& segment : relative) {
    if (segment.string().starts_with('.')) return std::nullopt;  // "..", ".", and hidden files
  }
  std::error_code error;
  auto file = fs::canonical(root_ / relative, error);
  if (error || !isBelow(file, root_)) return std::nullopt;
  if (fs::is_directory(file, error)) {
    file = fs::canonical(file / "index.html", error);
    if (error || !isBelow(file, root_)) return std::nullopt;
  }
  if (!fs::is_regular_file(file, error)) return std::nullopt;
  return file;
}

const StaticFiles::File* StaticFiles::load(const fs::path& file) {
  std::error_code error;
  const auto size = fs::file_size(file, error);
  if (error || size > kFileBytesMax) return nullptr;
  const auto changed = fs::last_write_time(file, error).time_since_epoch().count();
  auto stamp = std::to_string(changed) + "-" + std::to_string(size);
  const auto name = file.string();
  if (const auto found = cache_.find(name); found != cache_.end()) {
    if (found->second.stamp == stamp) return &found->second;
    cacheBytes_ -= found->second.content.size();
    cache_.erase(found);
  }
  std::ifstream stream(file, std::ios::binary);
  File loaded{.content = std::string(size, '\0'), .etag = "\"" + stamp + "\"", .stamp = std::move(stamp)};
  stream.read(loaded.content.data(), static_cast<std::streamsize>(size));
  if (stream.gcount() != static_cast<std::streamsize>(size)) return nullptr;
  if (cacheBytes_ + size > kCacheBytesMax) {
    uncached_ = std::move(loaded);
    return &uncached_;
  }
  cacheBytes_ += size;
  return &(cache_[name] = std::move(loaded));
}

Response StaticFiles::serve(const Request& request) {
  if (request.method != "GET" && request.method != "HEAD") {
    auto response = plain(405);
    response.headers.push_back({"Allow", "GET, HEAD, OPTIONS"});
    return response;
  }
  const auto file = locate(request.path);
  const File* content = file ? load(*file) : nullptr;
  if (!content) return plain(404);
  Response response;
  response.contentType = contentTypeOf(*file);
  response.headers.push_back({"Cache-Control", "no-cache"});
  response.headers.push_back({"ETag", content->etag});
  if (const auto known = request.header("If-None-Match"); !known.empty() && matches(known, content->etag)) {
    response.status = 304;
  } else {
    response.body = content->content;
  }
  return response;
}

}  // namespace crosspoint::http
