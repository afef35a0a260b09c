#pragma once

#include <optional>
#include <string>

#include "base/env.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "collect/probe/options.h"
#include "net/event_loop.h"
#include "net/http_client.h"

namespace sonde::collect {

/// The value of the Authorization header ("" for none). A file is read on `pool`, at most 64 KiB of
/// it; errors name the file, never what is in it.
Result<std::string> Authorization(net::Fiber& fiber, const ProbeAccess& access, Env& env,
                                  ThreadPool& pool);

/// What an HTTP client for `access` needs. kInvalid if its TLS files cannot be used.
Result<net::HttpClientOptions> ClientOptionsOf(const ProbeAccess& access, Duration timeout);

}  // namespace sonde::collect
