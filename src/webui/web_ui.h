#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/embedded.h"
#include "net/http_server.h"

// Serves the embedded web page (ui/dist). Every path that is not a file and not an API path gets
// index.html: the page has its own router.

namespace sonde::webui {

/// Immutable, thread-safe.
class WebUi {
 public:
  /// `path_prefix`: what the outside world puts before our paths ("" or "/sonde"), so that the page
  /// finds the API behind a reverse proxy. `files` outlives this.
  WebUi(std::span<const EmbeddedFile> files, std::string path_prefix);

  /// Answers GET and HEAD for any path (already without prefix): a file with its type and cache
  /// rules, else index.html.
  void Serve(net::HttpRequest& request, net::HttpResponse& response, std::string_view path) const;

 private:
  const EmbeddedFile* Find(std::string_view path) const;

  const std::span<const EmbeddedFile> files_;
  std::string index_;  // index.html with the prefix filled in.
};

/// The files of this build: ui/dist, or one page that says that the UI was not built.
std::span<const EmbeddedFile> DistFiles();

}  // namespace sonde::webui
