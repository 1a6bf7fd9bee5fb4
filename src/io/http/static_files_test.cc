// Files from a folder made for the test.
#include "io/http/static_files.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

namespace crosspoint::http {
namespace {

namespace fs = std::filesystem;

class StaticFilesFixture : public testing::Test {
 public:
  StaticFilesFixture() {
    std::string name = (fs::temp_directory_path() / "crosspoint-static-XXXXXX").string();
    top = ::mkdtemp(name.data());
    root = top / "web";
    fs::create_directories(root / "sub");
    write(root / "index.html", "<p>page</p>");
    write(root / "grtc.js", "script");
    write(root / "sub/index.html", "sub page");
    write(root / ".hidden", "secret");
    write(top / "outside.txt", "secret");
    fs::create_symlink(top / "outside.txt", root / "link.txt");
    fs::create_symlink(root / "grtc.js", root / "inside.js");
  }
  ~StaticFilesFixture() override { fs::remove_all(top); }
  static void write(const fs::path& file, std::string_view text) { std::ofstream(file) << text; }
  Response get(std::string path, std::string known = {}) {
    Request request{.method = "GET", .path = std::move(path)};
    if (!known.empty()) request.headers.push_back({"If-None-Match", known});
    return files().serve(request);
  }
  StaticFiles& files() {
    if (!files_) files_.emplace(root);
    return *files_;
  }
  static std::string etag(const Response& response) {
    for (const auto& header : response.headers) {
      if (header.name == "ETag") return header.value;
    }
    return {};
  }

  fs::path top, root;
  std::optional<StaticFiles> files_;
};

TEST_F(StaticFilesFixture, ServesFilesWithTheirTypeAndFoldersByTheirIndex) {
  EXPECT_EQ(get("/grtc.js").body, "script");
  EXPECT_EQ(get("/grtc.js").contentType, "text/javascript; charset=utf-8");
  EXPECT_EQ(get("/").body, "<p>page</p>");
  EXPECT_EQ(get("/").contentType, "text/html; charset=utf-8");
  EXPECT_EQ(get("/sub/").body, "sub page");
  EXPECT_EQ(get("/inside.js").body, "script");
}

TEST_F(StaticFilesFixture, NothingOutsideTheFolderIsReached) {
  for (const auto* path : {"/../outside.txt", "/sub/../../outside.txt", "//etc/passwd", "/link.txt", "/.hidden",
                           "/./grtc.js", "/none.js", "", "*", "/..", "/sub/../.hidden"}) {
    EXPECT_EQ(get(path).status, 404) << path;
  }
}

TEST_F(StaticFilesFixture, AKnownFileIsNotSentAgainUntilItChanges) {
  const auto first = get("/grtc.js");
  ASSERT_FALSE(etag(first).empty());
  EXPECT_EQ(get("/grtc.js", etag(first)).status, 304);
  EXPECT_EQ(get("/grtc.js", "\"other\"").status, 200);
  write(root / "grtc.js", "longer script");
  const auto second = get("/grtc.js", etag(first));
  EXPECT_EQ(second.status, 200);
  EXPECT_EQ(second.body, "longer script");
}

TEST_F(StaticFilesFixture, OtherMethodsAreRefusedAndAMissingFolderServesNothing) {
  EXPECT_EQ(files().serve({.method = "POST", .path = "/"}).status, 405);
  StaticFiles none(top / "missing");
  EXPECT_EQ(none.serve({.method = "GET", .path = "/"}).status, 404);
}

}  // namespace
}  // namespace crosspoint::http
