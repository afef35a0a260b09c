#pragma once

#include <functional>
#include <string>

#include "base/time.h"
#include "net/event_loop.h"
#include "net/http_client.h"

namespace sonde::collect {

/// Asks the engine at `base_url` (OpenAI-compatible, without a slash at its end) for one token and
/// calls `done`, on the loop's thread, with whether it came in time: POST /v1/completions, or
/// /v1/chat/completions where that does not exist. An answer that is an error is an answer: the
/// engine refuses, it does not hang. Returns at once. `loop` and `client` must outlive the call
/// back; stopping the loop is enough for that.
void SendCanary(net::EventLoop& loop, net::HttpClient& client, const std::string& base_url,
                const std::string& model, Duration timeout, std::function<void(bool)> done);

}  // namespace sonde::collect
