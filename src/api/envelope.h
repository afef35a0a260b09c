#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/http_server.h"

// The Prometheus API's envelope: {"status":"success","data":…} or
// {"status":"error","errorType":…,"error":…}.

namespace sonde::api {

/// What an error becomes on the wire.
struct ErrorAnswer {
  int status;
  std::string_view type;  ///< "bad_data", "execution" …
};

/// Errors of parameters and parsing: kInvalid is bad_data (400).
ErrorAnswer DescribeError(ErrorKind kind);
/// Errors of evaluation: kInvalid and kLimit are execution (422).
ErrorAnswer DescribeQueryError(ErrorKind kind);

/// A finished answer: built on a worker, sent by the connection's fiber.
struct Answer {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;

  /// `data` is JSON.
  static Answer Success(std::string_view data, const std::vector<std::string>& warnings = {},
                        const std::vector<std::string>& infos = {});
  static Answer Failure(ErrorAnswer answer, std::string_view message);
  static Answer Failure(const Error& error) {
    return Failure(DescribeError(error.kind()), error.message());
  }
  static Answer Text(int status, std::string_view text);
  static Answer NoContent() { return {204, "", "", {}}; }
};

/// Sends it; a client that is gone is not an error.
void Send(net::HttpResponse& response, Answer answer);

}  // namespace sonde::api
