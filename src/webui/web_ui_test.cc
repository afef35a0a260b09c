#include "webui/web_ui.h"

#include <array>

#include <gtest/gtest.h>

namespace sonde::webui {
namespace {

class FakeRequest final : public net::HttpRequest {
 public:
  explicit FakeRequest(std::string method) : method_(std::move(method)) {}
  std::string_view method() const override { return method_; }
  std::string_view target() const override { return "/"; }
  std::string_view path() const override { return "/"; }
  std::string_view query() const override { return ""; }
  const net::Headers& headers() const override { return headers_; }
  std::string_view remote_address() const override { return "127.0.0.1:1"; }
  std::int64_t received_nanos() const override { return 0; }
  std::optional<std::uint64_t> content_length() const override { return 0; }
  Result<std::string> ReadBody(std::uint64_t) override { return std::string(); }
  Result<std::string_view> ReadSome() override { return std::string_view(); }

  net::Headers headers_;

 private:
  std::string method_;
};

class FakeResponse final : public net::HttpResponse {
 public:
  net::Headers& headers() override { return headers_; }
  Status Reply(int status, std::string_view content_type, std::string body) override {
    status_ = status;
    content_type_ = content_type;
    body_ = std::move(body);
    return OkStatus();
  }
  Status Start(int) override { return OkStatus(); }
  Status Write(std::string_view) override { return OkStatus(); }
  Status Finish() override { return OkStatus(); }
  bool started() const override { return false; }
  void OnDisconnect(std::function<void()>) override {}
  std::int64_t written_nanos() const override { return 0; }

  net::Headers headers_;
  int status_ = 0;
  std::string content_type_;
  std::string body_;
};

constexpr std::array<EmbeddedFile, 3> kFiles{{
    {"index.html", "<meta content=\"SONDE_PREFIX_PLACEHOLDER\">", "", "i"},
    {"assets/app-1a2b.js", "let x", "packed", "d1"},
    {"favicon.svg", "<svg/>", "", "d2"},
}};

FakeResponse Get(std::string_view path, const std::function<void(FakeRequest&)>& prepare = {}) {
  const WebUi ui(kFiles, "/sonde");
  FakeRequest request("GET");
  if (prepare) prepare(request);
  FakeResponse response;
  ui.Serve(request, response, path);
  return response;
}

TEST(WebUiTest, EveryPathOfThePageIsTheIndexWithThePrefix) {
  for (const char* path : {"/", "/explore", "/d/uid/name", "/index.html"}) {
    const FakeResponse response = Get(path);
    EXPECT_EQ(response.status_, 200);
    EXPECT_EQ(response.body_, "<meta content=\"/sonde\">") << path;
    EXPECT_EQ(response.headers_.Get("Cache-Control"), "no-cache");
    EXPECT_NE(response.headers_.Get("Content-Security-Policy").find("default-src 'self'"),
              std::string_view::npos);
  }
}

TEST(WebUiTest, AssetsAreCachedForEverAndCompressedWhereWanted) {
  const FakeResponse plain = Get("/assets/app-1a2b.js");
  EXPECT_EQ(plain.body_, "let x");
  EXPECT_EQ(plain.content_type_, "text/javascript; charset=utf-8");
  EXPECT_EQ(plain.headers_.Get("Cache-Control"), "public, max-age=31536000, immutable");
  const FakeResponse packed = Get(
      "/assets/app-1a2b.js", [](FakeRequest& r) { r.headers_.Add("Accept-Encoding", "br, gzip"); });
  EXPECT_EQ(packed.body_, "packed");
  EXPECT_EQ(packed.headers_.Get("Content-Encoding"), "gzip");
  EXPECT_EQ(Get("/assets/gone.js").status_, 404);
}

TEST(WebUiTest, UnchangedFilesAreNotSentAgain) {
  const FakeResponse response =
      Get("/favicon.svg", [](FakeRequest& r) { r.headers_.Add("If-None-Match", "\"d2\""); });
  EXPECT_EQ(response.status_, 304);
  EXPECT_EQ(response.body_, "");
}

TEST(WebUiTest, OnlyReading) {
  const WebUi ui(kFiles, "");
  FakeRequest request("POST");
  FakeResponse response;
  ui.Serve(request, response, "/");
  EXPECT_EQ(response.status_, 405);
}

TEST(WebUiTest, TheBuildHasAPage) {
  bool found = false;
  for (const EmbeddedFile& file : DistFiles()) {
    found |= file.path == "index.html" && file.contents.find("<html") != std::string_view::npos;
  }
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace sonde::webui
