#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/thread_pool.h"
#include "base/time.h"
#include "discovery/http_access.h"
#include "net/event_loop.h"
#include "scrape/body_budget.h"
#include "scrape/scrape_step.h"
#include "wire/exposition_format.h"

namespace sonde::scrape {

/// What a scrape asks for.
struct PageRequest {
  std::string url;
  std::string accept;  ///< The Accept header.
  bool compress = true;
  Duration timeout{10'000};
  std::uint64_t body_size_limit = 0;  ///< The job's; 0: none.
  std::optional<wire::ScrapeProtocol> fallback = {};
  std::size_t expected_bytes = 0;  ///< A guess.
};

/// Where pages come from: a target behind HTTP, or a function in this process. Thread-safe.
class PageSource {
 public:
  using Done = std::function<void(FetchResult)>;

  virtual ~PageSource() = default;
  /// Calls `done` once, later, on a worker thread (or at once, in tests). The source must live
  /// until then.
  virtual void Fetch(const PageRequest& request, Done done) = 0;
  /// Fetches under way end soon, with kCancelled.
  virtual void CancelAll() {}
};

/// Pages of HTTP targets, one source for each job. The network is the loops' work, `done` the
/// pool's.
class HttpPageSource final : public PageSource {
 public:
  /// `max_body_bytes` bounds a body where the job sets no limit. References outlive it.
  HttpPageSource(discovery::HttpAccessOptions access, discovery::HttpAccessContext context,
                 net::LoopGroup& loops, std::shared_ptr<BodyBudget> budget,
                 std::uint64_t max_body_bytes);

  void Fetch(const PageRequest& request, Done done) override EXCLUDES(mutex_);
  void CancelAll() override EXCLUDES(mutex_);

 private:
  FetchResult Read(net::Fiber& fiber, const PageRequest& request);
  Result<std::string> ReadBody(net::Fiber& fiber, net::HttpClientResponse& response,
                               const PageRequest& request, BodyLease& lease) const;

  discovery::HttpAccess access_;
  ThreadPool& pool_;
  net::LoopGroup& loops_;
  const std::shared_ptr<BodyBudget> budget_;
  const std::uint64_t max_body_bytes_;

  Mutex mutex_;
  std::vector<net::FiberHandle> fibers_ GUARDED_BY(mutex_);
  std::size_t sweep_at_ GUARDED_BY(mutex_) = 64;
};

/// Pages that a function of this process renders: the host's, Sonde's own.
class FunctionPageSource final : public PageSource {
 public:
  using Render = std::function<Result<std::string>()>;

  /// `render` is called on a worker thread, one call at a time per target. `pool` outlives it.
  FunctionPageSource(Render render, wire::ExpositionFormat format, ThreadPool& pool)
      : render_(std::move(render)), format_(format), pool_(pool) {}

  void Fetch(const PageRequest& request, Done done) override;

 private:
  const Render render_;
  const wire::ExpositionFormat format_;
  ThreadPool& pool_;
};

}  // namespace sonde::scrape
