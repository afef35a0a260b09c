#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "api/envelope.h"
#include "net/http.h"

// Paths that the reference does not have: /api/v1/sonde/… and /api/v1/feedback. app/ hands them in,
// so that api/ need not know every part of Sonde that has something to say. docs/api.md lists them.

namespace sonde::api {

/// One request for such a path. Views live for the length of the handler's call.
struct SondeRequest {
  std::string_view method;      ///< Among the route's.
  const net::Query& query;      ///< With the fields of a form, if one was posted.
  std::string_view path_value;  ///< What stood in place of the route's `*`.
  const net::Headers& headers;
  std::string_view body;  ///< Empty for GET and for forms.
};

struct SondeRoute {
  std::string path;                  ///< "/api/v1/sonde/blindspots"; one `*` is one path element.
  std::vector<std::string> methods;  ///< "GET", "POST", "PUT", "DELETE".
  bool needs_store = false;          ///< 503 until the store is open.
  std::uint64_t max_body_bytes = 1 << 20;
  /// Called on a worker thread, so it may query the store; several at once. Answers in the
  /// envelope.
  std::function<Answer(const SondeRequest&)> handle;
};

}  // namespace sonde::api
