// Files of one folder over HTTP: the softphone page and its scripts.
//
// Only plain files below the folder are served, after symbolic links are resolved; names that begin with a dot are not.
// Files are kept in memory until they change on disk. `Cache-Control: no-cache` and an ETag: the browser asks each
// time, and gets 304.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <unordered_map>

#include "io/http/message.h"

namespace crosspoint::http {

class StaticFiles {
 public:
  static constexpr std::size_t kFileBytesMax = 16 * 1024 * 1024;   // larger: 404
  static constexpr std::size_t kCacheBytesMax = 64 * 1024 * 1024;  // beyond: read from disk each time

  // A folder that does not exist serves nothing.
  explicit StaticFiles(std::filesystem::path root);

  // For GET and HEAD: the file, 304, 404; for other methods 405. "/" and folders give their index.html.
  Response serve(const Request& request);

 private:
  struct File {
    std::string content, etag, stamp;
  };
  std::optional<std::filesystem::path> locate(std::string_view path) const;
  const File* load(const std::filesystem::path& file);

  std::filesystem::path root_;
  std::unordered_map<std::string, File> cache_;
  std::size_t cacheBytes_ = 0;
  File uncached_;
};

// "text/html; charset=utf-8" for ".html" and so on.
std::string_view contentTypeOf(const std::filesystem::path& file);

}  // namespace crosspoint::http
