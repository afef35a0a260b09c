#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "alerting/message.h"
#include "alerting/notification.h"
#include "base/clock.h"
#include "base/env.h"
#include "base/mutex.h"
#include "base/thread_pool.h"
#include "instrument/registry.h"
#include "net/event_loop.h"
#include "net/http_client.h"

namespace sonde::alerting {

/// Sends notifications over HTTP, each in a fiber of its own. Thread-safe. A redirect is not
/// followed: a receiver cannot point us elsewhere. Destruction cancels what is under way; each
/// `done` is called before it returns.
class HttpSender {
 public:
  struct Context {
    net::LoopGroup& loops;
    ThreadPool& pool;  ///< Reads files of secrets and certificates.
    Env& env;
    const Clock& clock;
    instrument::Registry& registry;
    std::string external_url;
    std::string user_agent = "Sonde";
    Renderer render = {};
  };
  explicit HttpSender(Context context) : context_(std::move(context)) {}
  ~HttpSender();

  /// As Sender. Above kMaxInFlight it fails at once and may be tried again.
  void Send(const Notification& notification, std::function<void(SendResult)> done)
      EXCLUDES(mutex_);

  static constexpr std::size_t kMaxInFlight = 1024;

 private:
  SendResult SendInFiber(net::Fiber& fiber, const Notification& notification);
  /// What the files say now.
  struct Prepared {
    net::HttpClientRequest request;
    std::shared_ptr<net::HttpClient> client;
  };
  Result<Prepared> Prepare(const Notification& notification) EXCLUDES(mutex_);
  Result<std::string> ReadSecret(const std::string& file) const;

  const Context context_;
  Mutex mutex_;
  std::vector<net::FiberHandle> fibers_ GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<net::HttpClient>> clients_ GUARDED_BY(mutex_);
};

}  // namespace sonde::alerting
