#include "discovery/http_discovery.h"

#include <utility>

#include <fmt/format.h>

#include "base/number.h"
#include "base/quote.h"

namespace sonde::discovery {
namespace {

constexpr std::uint64_t kMaxBodyBytes = 64U << 20;

}  // namespace

bool IsJsonContentType(std::string_view content_type) {
  content_type = TrimSpace(content_type);
  const std::size_t semicolon = content_type.find(';');
  if (!net::EqualsIgnoringCase(content_type.substr(0, semicolon), "application/json")) return false;
  if (semicolon == std::string_view::npos) return true;
  const std::string_view parameter = TrimSpace(content_type.substr(semicolon + 1));
  return net::EqualsIgnoringCase(parameter, "charset=utf-8") ||
         net::EqualsIgnoringCase(parameter, "charset=\"utf-8\"");
}

HttpDiscovery::HttpDiscovery(HttpDiscoveryOptions options, HttpAccessContext context)
    : options_(std::move(options)), access_(options_.access, std::move(context)) {}

Result<std::vector<TargetGroup>> HttpDiscovery::Refresh(net::Fiber& fiber) {
  net::HttpClientRequest request;
  request.url = TRY(net::Url::Parse(options_.url));
  request.headers.Set("Accept", "application/json");
  request.headers.Set(
      "X-Prometheus-Refresh-Interval-Seconds",
      FormatFloatF(std::chrono::duration<double>(options_.refresh_interval).count()));
  const auto response = TRY(access_.Get(fiber, std::move(request), options_.refresh_interval));
  if (response->status() != 200) {
    return Error(ErrorKind::kInvalid,
                 fmt::format("server returned HTTP status {} {}", response->status(),
                             net::StatusText(response->status())));
  }
  const std::string content_type(response->headers().Get("Content-Type"));
  if (!IsJsonContentType(content_type)) {
    return Error(ErrorKind::kInvalid,
                 fmt::format("unsupported content type {}", QuoteGo(content_type)));
  }
  const std::string body = TRY(response->ReadAll(fiber, kMaxBodyBytes));
  auto groups = TRY(ParseTargetGroupsJson(body, options_.url));
  for (std::size_t i = 0; i < groups.size(); ++i) {
    groups[i].source = options_.url + ":" + std::to_string(i);
    groups[i].labels = LabelsBuilder(groups[i].labels).Set("__meta_url", options_.url).Build();
  }
  return groups;
}

}  // namespace sonde::discovery
