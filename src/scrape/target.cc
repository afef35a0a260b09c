#include "scrape/target.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/duration.h"
#include "base/hash.h"
#include "base/quote.h"
#include "base/utf8.h"
#include "scrape/relabel.h"

namespace sonde::scrape {
namespace {

constexpr std::string_view kAddress = "__address__";
constexpr std::string_view kScheme = "__scheme__";
constexpr std::string_view kMetricsPath = "__metrics_path__";
constexpr std::string_view kInterval = "__scrape_interval__";
constexpr std::string_view kTimeout = "__scrape_timeout__";
constexpr std::string_view kParamPrefix = "__param_";
constexpr std::string_view kMetaPrefix = "__meta_";
constexpr std::string_view kReservedPrefix = "__";

struct Switch {
  std::string_view label;
  std::string_view what;
  bool ScrapeOptions::*option;
};
constexpr Switch kSwitches[] = {
    {"__convert_classic_histograms_to_nhcb__", "convert classic histograms to nhcb",
     &ScrapeOptions::convert_classic_histograms},
    {"__always_scrape_classic_histograms__", "always scrape classic histograms",
     &ScrapeOptions::classic_histograms_too},
    {"__scrape_native_histograms__", "scrape native histograms", &ScrapeOptions::native_histograms},
};

/// strconv.ParseBool.
bool IsGoBool(std::string_view text) {
  constexpr std::string_view kWords[] = {"1", "t", "T", "TRUE",  "true",  "True",
                                         "0", "f", "F", "FALSE", "false", "False"};
  return std::find(std::begin(kWords), std::end(kWords), text) != std::end(kWords);
}

bool IsUnreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.' || c == '~';
}

void AppendEscaped(std::string& out, std::string_view text, std::string_view also_plain,
                   bool plus_for_space) {
  for (const char c : text) {
    if (IsUnreserved(c) || also_plain.find(c) != std::string_view::npos) {
      out += c;
    } else if (c == ' ' && plus_for_space) {
      out += '+';
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
}

/// Go's url.Values.Encode: sorted by name.
std::string EncodeQuery(std::vector<std::pair<std::string, std::vector<std::string>>> params) {
  std::stable_sort(params.begin(), params.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string out;
  for (const auto& [name, values] : params) {
    for (const std::string& value : values) {
      if (!out.empty()) out += '&';
      AppendEscaped(out, name, "", true);
      out += '=';
      AppendEscaped(out, value, "", true);
    }
  }
  return out;
}

std::string MakeUrl(const ScrapeOptions& options, const Labels& labels) {
  auto params = options.params;
  for (const LabelView label : labels) {
    if (!label.name.starts_with(kParamPrefix)) continue;
    const std::string_view name = label.name.substr(kParamPrefix.size());
    const auto found =
        std::find_if(params.begin(), params.end(), [&](const auto& p) { return p.first == name; });
    if (found == params.end()) {
      params.emplace_back(name, std::vector<std::string>{std::string(label.value)});
    } else if (found->second.empty()) {
      found->second.emplace_back(label.value);
    } else {
      found->second[0] = label.value;
    }
  }
  std::string url(labels.Get(kScheme));
  url.append("://").append(labels.Get(kAddress));
  const std::string_view path = labels.Get(kMetricsPath);
  if (!path.empty() && !path.starts_with('/')) url += '/';
  AppendEscaped(url, path, "/$&+,:;=@", false);
  const std::string query = EncodeQuery(std::move(params));
  if (!query.empty()) url.append("?").append(query);
  return url;
}

Result<Duration> ReadDuration(const LabelsBuilder& labels, std::string_view label,
                              std::string_view what) {
  auto duration = ParseDuration(labels.Get(label));
  if (!duration) return std::move(duration).error().Wrap(fmt::format("error parsing {}", what));
  if (*duration == Duration(0))
    return Error(ErrorKind::kInvalid, fmt::format("{} cannot be 0", what));
  return *duration;
}

/// The checks of the reference, in its order.
Status CheckTarget(const LabelsBuilder& labels, TargetSpec& spec) {
  const std::string_view address = labels.Get(kAddress);
  if (address.empty()) return Error(ErrorKind::kInvalid, "no address");
  if (address.find('/') != std::string_view::npos) {
    return Error(ErrorKind::kInvalid, fmt::format("{} is not a valid hostname", QuoteGo(address)));
  }
  spec.interval = TRY(ReadDuration(labels, kInterval, "scrape interval"));
  spec.timeout = TRY(ReadDuration(labels, kTimeout, "scrape timeout"));
  if (spec.timeout > spec.interval) {
    return Error(ErrorKind::kInvalid,
                 fmt::format("scrape timeout cannot be greater than scrape interval ({} > {})",
                             QuoteGo(labels.Get(kTimeout)), QuoteGo(labels.Get(kInterval))));
  }
  for (const Switch& one : kSwitches) {
    const std::string_view value = labels.Get(one.label);
    if (!value.empty() && !IsGoBool(value)) {
      return Error(ErrorKind::kInvalid,
                   fmt::format("error parsing {}: strconv.ParseBool: parsing {}: invalid syntax",
                               one.what, QuoteGo(value)));
    }
  }
  return OkStatus();
}

}  // namespace

std::string_view ToString(TargetHealth health) {
  switch (health) {
    case TargetHealth::kUnknown:
      return "unknown";
    case TargetHealth::kUp:
      return "up";
    case TargetHealth::kDown:
      return "down";
  }
  return "";
}

Labels DiscoveredLabels(const ScrapeOptions& options, const Labels& target, const Labels& group) {
  LabelsBuilder labels(group);
  for (const LabelView label : target)
    labels.Set(label.name, label.value);
  auto fill = [&](std::string_view name, std::string_view value) {
    if (labels.Get(name).empty()) labels.Set(name, value);
  };
  fill("job", options.job_name);
  fill(kInterval, FormatDuration(options.interval));
  fill(kTimeout, FormatDuration(options.timeout));
  fill(kMetricsPath, options.metrics_path);
  fill(kScheme, options.scheme);
  for (const Switch& one : kSwitches)
    fill(one.label, options.*one.option ? "true" : "false");
  for (const auto& [name, values] : options.params) {
    if (!values.empty()) fill(std::string(kParamPrefix) + name, values[0]);
  }
  return labels.Build();
}

Result<std::optional<TargetSpec>> MakeTarget(const ScrapeOptions& options, const Labels& target,
                                             const Labels& group) {
  TargetSpec spec;
  spec.discovered = DiscoveredLabels(options, target, group);
  LabelsBuilder labels(spec.discovered);
  if (!Relabel(options.relabel_rules, labels)) return std::optional<TargetSpec>();
  TRY(CheckTarget(labels, spec));
  if (labels.Get("instance").empty()) labels.Set("instance", std::string(labels.Get(kAddress)));
  LabelsBuilder kept;
  LabelsBuilder shown;
  std::optional<Error> error;
  labels.ForEach([&](std::string_view name, std::string_view value) {
    if (name.starts_with(kMetaPrefix)) return;
    if (!error && !IsValidUtf8(value)) {
      error = Error(ErrorKind::kInvalid,
                    fmt::format("invalid label value for {}: {}", QuoteGo(name), QuoteGo(value)));
    }
    kept.Set(name, value);
    if (!name.starts_with(kReservedPrefix)) shown.Set(name, value);
  });
  if (error) return *std::move(error);
  spec.labels = kept.Build();
  spec.public_labels = shown.Build();
  spec.url = MakeUrl(options, spec.labels);
  spec.hash = Fnv64a(spec.url, Fnv64a(fmt::format("{:016d}", spec.labels.Hash())));
  return std::optional<TargetSpec>(std::move(spec));
}

std::int64_t OffsetNanos(std::uint64_t target_hash, std::uint64_t seed, Duration interval) {
  const auto nanos = static_cast<std::uint64_t>(interval.count()) * 1'000'000;
  return static_cast<std::int64_t>((target_hash ^ seed) % nanos);
}

Timestamp NextScrape(Timestamp now, std::uint64_t target_hash, std::uint64_t seed,
                     Duration interval) {
  const std::int64_t step = interval.count();
  const std::int64_t offset = OffsetNanos(target_hash, seed, interval) / 1'000'000;
  std::int64_t since = (now.ms - offset) % step;
  if (since < 0) since += step;
  return {now.ms - since + step};
}

}  // namespace sonde::scrape
