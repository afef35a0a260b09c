#include "webui/web_ui.h"

#include <array>
#include <utility>

namespace sonde {

std::span<const EmbeddedFile> UiFiles();  // Generated: tools/embed.py.

namespace webui {
namespace {

constexpr std::string_view kPrefixPlaceholder = "SONDE_PREFIX_PLACEHOLDER";

// The page loads nothing from elsewhere and sends nothing elsewhere; styles are set by scripts
// (charts, Mantine).
constexpr std::string_view kContentSecurityPolicy =
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; connect-src "
    "'self'; "
    "frame-ancestors 'self'; base-uri 'self'; form-action 'self'";

std::string_view ContentType(std::string_view path) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kTypes{{
      {".html", "text/html; charset=utf-8"},
      {".js", "text/javascript; charset=utf-8"},
      {".mjs", "text/javascript; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},
      {".json", "application/json"},
      {".svg", "image/svg+xml"},
      {".png", "image/png"},
      {".ico", "image/x-icon"},
      {".txt", "text/plain; charset=utf-8"},
      {".woff2", "font/woff2"},
  }};
  for (const auto& [suffix, type] : kTypes) {
    if (path.ends_with(suffix)) return type;
  }
  return "application/octet-stream";
}

std::string ReplaceAll(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  while (true) {
    const std::size_t at = text.find(from);
    out += text.substr(0, at);
    if (at == std::string_view::npos) return out;
    out += to;
    text.remove_prefix(at + from.size());
  }
}

void AddSecurityHeaders(net::Headers& headers) {
  headers.Set("Content-Security-Policy", kContentSecurityPolicy);
  headers.Set("X-Content-Type-Options", "nosniff");
  headers.Set("Referrer-Policy", "same-origin");
}

}  // namespace

WebUi::WebUi(std::span<const EmbeddedFile> files, std::string path_prefix) : files_(files) {
  if (const EmbeddedFile* index = Find("index.html")) {
    index_ = ReplaceAll(index->contents, kPrefixPlaceholder, path_prefix);
  }
}

const EmbeddedFile* WebUi::Find(std::string_view path) const {
  for (const EmbeddedFile& file : files_) {
    if (file.path == path) return &file;
  }
  return nullptr;
}

void WebUi::Serve(net::HttpRequest& request, net::HttpResponse& response,
                  std::string_view path) const {
  if (request.method() != "GET" && request.method() != "HEAD") {
    response.headers().Set("Allow", "GET, HEAD");
    static_cast<void>(
        response.Reply(405, "text/plain; charset=utf-8", "method not allowed\n").ok());
    return;
  }
  if (path.starts_with('/')) path.remove_prefix(1);
  const EmbeddedFile* file = Find(path);
  AddSecurityHeaders(response.headers());
  // A client that is gone needs no answer, so results of Reply are not looked at.
  if (file == nullptr && path.starts_with("assets/")) {
    static_cast<void>(response.Reply(404, "text/plain; charset=utf-8", "not found\n").ok());
    return;
  }
  if (file == nullptr || file->path == "index.html") {
    response.headers().Set("Cache-Control", "no-cache");
    static_cast<void>(response.Reply(200, "text/html; charset=utf-8", index_).ok());
    return;
  }
  const std::string etag = "\"" + std::string(file->digest) + "\"";
  response.headers().Set("ETag", etag);
  // Names under assets/ hold a hash of the contents: they never change.
  response.headers().Set("Cache-Control", path.starts_with("assets/")
                                              ? "public, max-age=31536000, immutable"
                                              : "no-cache");
  if (request.headers().Get("If-None-Match") == etag) {
    static_cast<void>(response.Reply(304, ContentType(path), "").ok());
    return;
  }
  std::string body;
  if (!file->gzip.empty() && request.headers().HasToken("Accept-Encoding", "gzip")) {
    response.headers().Set("Content-Encoding", "gzip");
    response.headers().Set("Vary", "Accept-Encoding");
    body = file->gzip;
  } else {
    body = file->contents;
  }
  static_cast<void>(response.Reply(200, ContentType(path), std::move(body)).ok());
}

std::span<const EmbeddedFile> DistFiles() {
  return UiFiles();
}

}  // namespace webui
}  // namespace sonde
