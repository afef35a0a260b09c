#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/time.h"
#include "collect/probe/suite.h"
#include "net/event_loop.h"
#include "net/http_client.h"

// One question to one endpoint, timed and judged.

namespace sonde::collect {

/// What became of a question; everything but kRight is a reason of `…_probe_failures_total`.
enum class CanaryOutcome : unsigned char {
  kRight,
  kWrong,      ///< An answer that does not match.
  kTruncated,  ///< It does not match, and max_tokens cut it off.
  kEmpty,      ///< Nothing was generated, or nothing but reasoning.
  kConnect,    ///< Refused, reset before the answer, or the name is not known.
  kTls,        ///< No TLS connection: certificate, host name, version.
  kTimeout,
  kUnauthorized,  ///< 401, 403
  kPayment,       ///< 402: the account is empty.
  kOverloaded,    ///< 429, 503
  kClientError,   ///< Other 4xx; also 3xx, which is not followed.
  kServerError,   ///< Other 5xx; an error object inside a 200 answer.
  kBroken,        ///< The answer ended before its end.
  kMalformed,     ///< Neither events nor JSON of a chat completion.
};
/// "right", "wrong", "truncated", …
std::string_view ToString(CanaryOutcome outcome);
/// The endpoint gave an answer that could be judged.
bool WasAnswered(CanaryOutcome outcome);

/// Where a question goes.
struct CanaryEndpoint {
  std::string url;       ///< Base URL; a "/v1" at its end is the API's own.
  std::string instance;  ///< host:port
  std::string model;
  std::string authorization;  ///< "Bearer sk-…", or empty. Never logged.
};

struct CanaryResult {
  CanaryOutcome outcome = CanaryOutcome::kConnect;
  int status = 0;                      ///< 0: no answer.
  double seconds = 0;                  ///< From the call to the last byte, or to the failure.
  std::optional<double> ttft_seconds;  ///< To the first chunk with text or reasoning; streams only.
  std::int64_t prompt_tokens = 0;      ///< As the server reports them; 0: it does not.
  std::int64_t completion_tokens = 0;
};

/// What marks a canary, so that a gateway can leave it out of what it tells the business: the
/// header of this name (value: "suite/question") and the request's member `user`.
inline constexpr std::string_view kCanaryMark = "sonde-canary";

/// Base URL + path, without doubling a "/v1".
std::string ApiUrl(std::string_view base, std::string_view path);
/// host:port of a URL; the text itself if it is none.
std::string InstanceOf(const std::string& url);

/// Asks with temperature 0 and at most `max_tokens` (or what the question says, if less),
/// streaming. The connection's set-up counts. `timeout` bounds all of it. Neither question nor
/// answer is logged or kept.
CanaryResult AskCanary(net::Fiber& fiber, net::HttpClient& client, const Clock& clock,
                       const CanaryEndpoint& endpoint, std::string_view suite,
                       const Question& question, std::uint32_t max_tokens, Duration timeout);

}  // namespace sonde::collect
