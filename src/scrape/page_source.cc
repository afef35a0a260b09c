#include "scrape/page_source.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/number.h"

namespace sonde::scrape {
namespace {

std::string InBytes(std::uint64_t bytes) {
  if (bytes >= 1 << 20 && bytes % (1 << 20) == 0) return fmt::format("{} MiB", bytes >> 20);
  return fmt::format("{} bytes", bytes);
}

/// Hands a result to `done` on a worker; at once if there are no workers any more.
void FinishOn(ThreadPool& pool, PageSource::Done done, FetchResult result) {
  auto shared = std::make_shared<std::pair<PageSource::Done, FetchResult>>(std::move(done),
                                                                           std::move(result));
  const bool queued = pool.Submit([shared] { shared->first(std::move(shared->second)); });
  if (!queued) shared->first(std::move(shared->second));
}

}  // namespace

HttpPageSource::HttpPageSource(discovery::HttpAccessOptions access,
                               discovery::HttpAccessContext context, net::LoopGroup& loops,
                               std::shared_ptr<BodyBudget> budget, std::uint64_t max_body_bytes)
    : access_(std::move(access), context),
      pool_(context.pool),
      loops_(loops),
      budget_(std::move(budget)),
      max_body_bytes_(max_body_bytes) {}

void HttpPageSource::Fetch(const PageRequest& request, Done done) {
  // A target stays on one loop, where its connection waits.
  net::EventLoop& loop = loops_.at(Xxh3(request.url) % loops_.size());
  auto handle = loop.Spawn([this, request, done = std::move(done)](net::Fiber& fiber) mutable {
    FetchResult result = Read(fiber, request);
    if (fiber.cancelled()) result = Error(ErrorKind::kCancelled, "the server is stopping");
    FinishOn(pool_, std::move(done), std::move(result));
  });
  const MutexLock lock(mutex_);
  fibers_.push_back(std::move(handle));
  if (fibers_.size() < sweep_at_) return;
  std::erase_if(fibers_, [](const net::FiberHandle& fiber) { return fiber.done(); });
  sweep_at_ = std::max<std::size_t>(64, fibers_.size() * 2);
}

void HttpPageSource::CancelAll() {
  const MutexLock lock(mutex_);
  for (const net::FiberHandle& fiber : fibers_)
    fiber.Cancel();
}

FetchResult HttpPageSource::Read(net::Fiber& fiber, const PageRequest& request) {
  auto explain = [&](Error error) {
    if (error.kind() == ErrorKind::kTimeout)
      error = Error(ErrorKind::kTimeout, "context deadline exceeded");
    // kLimit is for bodies only.
    if (error.kind() == ErrorKind::kLimit) error = Error(ErrorKind::kInvalid, error.message());
    return std::move(error).Wrap(fmt::format("Get \"{}\"", request.url));
  };
  net::HttpClientRequest http;
  auto url = net::Url::Parse(request.url);
  if (!url) return explain(std::move(url).error());
  http.url = *std::move(url);
  http.headers.Add("Accept", request.accept);
  http.headers.Add("X-Prometheus-Scrape-Timeout-Seconds",
                   FormatFloatF(std::chrono::duration<double>(request.timeout).count()));
  http.decode = request.compress;
  if (!request.compress) http.headers.Add("Accept-Encoding", "identity");
  auto response = access_.Get(fiber, std::move(http), request.timeout);
  if (!response) return explain(std::move(response).error());
  if ((*response)->status() != 200) {
    const int status = (*response)->status();
    return Error(ErrorKind::kUnavailable,
                 fmt::format("server returned HTTP status {} {}", status, net::StatusText(status)));
  }
  const std::string content_type((*response)->headers().Get("Content-Type"));
  FetchedPage page;
  page.lease = BodyLease(budget_);
  auto body = ReadBody(fiber, **response, request, page.lease);
  if (!body && body.error().kind() == ErrorKind::kTimeout) return explain(std::move(body).error());
  if (!body) return std::move(body).error();
  page.body = *std::move(body);
  if (page.body.empty()) return page;  // Nothing to parse: its type does not matter.
  auto format = wire::FormatOfContentType(content_type, request.fallback);
  if (!format) return std::move(format).error();
  if (format->format == wire::ExpositionFormat::kProtobuf) {
    return Error(ErrorKind::kInvalid,
                 "the target answered in protobuf, which was not asked for and cannot be read");
  }
  page.format = format->format;
  page.warning = std::move(format->warning);
  return page;
}

Result<std::string> HttpPageSource::ReadBody(net::Fiber& fiber, net::HttpClientResponse& response,
                                             const PageRequest& request, BodyLease& lease) const {
  const std::uint64_t job_limit = request.body_size_limit;
  std::string body;
  // A page is about as long as the one before: room for it at once saves copying it as it grows.
  body.reserve(
      std::min<std::size_t>(request.expected_bytes + request.expected_bytes / 16, 16U << 20));
  for (;;) {
    const std::string_view piece = TRY(response.ReadSome(fiber));
    if (piece.empty()) return body;
    const std::uint64_t size = body.size() + piece.size();
    if (job_limit > 0 && size >= job_limit) {
      return Error(ErrorKind::kLimit, fmt::format("body size limit exceeded (body_size_limit: {})",
                                                  InBytes(job_limit)));
    }
    if (size > max_body_bytes_) {
      return Error(ErrorKind::kLimit,
                   fmt::format("body size limit exceeded (sonde.scraping.max_body_size: {})",
                               InBytes(max_body_bytes_)));
    }
    if (!lease.Add(piece.size())) {
      return Error(ErrorKind::kUnavailable,
                   fmt::format("the bodies of all scrapes together are larger than {} "
                               "(sonde.scraping.max_bodies_in_memory)",
                               InBytes(budget_->max_bytes())));
    }
    body.append(piece);
  }
}

void FunctionPageSource::Fetch(const PageRequest& /*request*/, Done done) {
  auto shared = std::make_shared<Done>(std::move(done));
  const bool queued = pool_.Submit([this, shared] {
    auto body = render_();
    if (!body) {
      (*shared)(std::move(body).error());
      return;
    }
    FetchedPage page;
    page.body = *std::move(body);
    page.format = format_;
    (*shared)(std::move(page));
  });
  if (!queued) (*shared)(Error(ErrorKind::kCancelled, "the server is stopping"));
}

}  // namespace sonde::scrape
