#include "api/targets_service.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "api/params.h"
#include "api/result_json.h"
#include "api/status.h"
#include "base/duration.h"
#include "base/json.h"
#include "base/number.h"
#include "base/quote.h"
#include "promql/parser.h"

namespace sonde::api {
namespace {

using scrape::PoolView;
using scrape::ScrapeLoop;

constexpr std::string_view kZeroTime = "0001-01-01T00:00:00Z";  // Go's zero time: never scraped.

// A count that may be absent; `fallback` then. Bad text: the reference's message.
Result<std::int64_t> CountParam(const net::Query& parameters, std::string_view name,
                                std::int64_t fallback) {
  const std::string_view text = parameters.Get(name);
  if (text.empty()) return fallback;
  const auto count = ParseInt(text);
  if (!count) return Error(ErrorKind::kInvalid, std::string(name) + " must be a number");
  return *count;
}

void AppendLabelsKey(JsonWriter& json, std::string_view key, LabelsView labels) {
  std::string text;
  AppendLabels(text, labels);
  json.Key(key).Raw(text);
}

void AppendTarget(JsonWriter& json, const PoolView& pool, const ScrapeLoop& loop) {
  const scrape::TargetStatus status = loop.status();
  const scrape::TargetSpec& spec = loop.spec();
  json.BeginObject();
  AppendLabelsKey(json, "discoveredLabels", loop.discovered());
  AppendLabelsKey(json, "labels", spec.public_labels);
  json.Key("scrapePool")
      .String(pool.job)
      .Key("scrapeUrl")
      .String(spec.url)
      .Key("globalUrl")
      .String(spec.url);
  json.Key("lastError").String(status.last_error);
  json.Key("lastScrape")
      .String(status.last_scrape ? FormatRfc3339(*status.last_scrape) : std::string(kZeroTime));
  json.Key("lastScrapeDuration").Double(status.last_duration_seconds);
  json.Key("health").String(scrape::ToString(status.health));
  json.Key("scrapeInterval").String(FormatDuration(spec.interval));
  json.Key("scrapeTimeout").String(FormatDuration(spec.timeout)).EndObject();
}

void AppendMetadata(JsonWriter& json, const Metadata& metadata) {
  json.Key("type")
      .String(ToString(metadata.type))
      .Key("help")
      .String(metadata.help)
      .Key("unit")
      .String(metadata.unit);
}

const PoolView* FindPool(const scrape::TargetsView& pools, std::string_view job) {
  const auto it = std::ranges::find(*pools, job, &PoolView::job);
  return it == pools->end() ? nullptr : &*it;
}

void AppendRule(JsonWriter& json, const scrape::RelabelRule& rule) {
  static constexpr std::string_view kActions[] = {"replace",   "keep",      "drop",     "keepequal",
                                                  "dropequal", "hashmod",   "labelmap", "labeldrop",
                                                  "labelkeep", "lowercase", "uppercase"};
  json.Key("rule").BeginObject().Key("source_labels").BeginArray();
  for (const std::string& label : rule.source_labels) {
    json.String(label);
  }
  json.EndArray().Key("separator").String(rule.separator);
  json.Key("regex").String(rule.regex ? rule.regex->pattern() : "(.*)");
  if (rule.modulus != 0) json.Key("modulus").Uint(rule.modulus);
  json.Key("target_label").String(rule.target_label).Key("replacement").String(rule.replacement);
  json.Key("action").String(kActions[static_cast<std::size_t>(rule.action)]).EndObject();
}

}  // namespace

Answer TargetsAnswer(const scrape::TargetsView& pools, const net::Query& parameters) {
  const std::string_view state = parameters.Get("state");
  const std::string_view wanted = parameters.Get("scrapePool");
  const bool active = state != "dropped";
  const bool dropped = state != "active";
  std::string data;
  JsonWriter json(data);
  json.BeginObject().Key("activeTargets").BeginArray();
  for (const PoolView& pool : *pools) {
    if (!active || (!wanted.empty() && pool.job != wanted)) continue;
    for (const auto& loop : pool.active) {
      AppendTarget(json, pool, *loop);
    }
  }
  json.EndArray().Key("droppedTargets").BeginArray();
  for (const PoolView& pool : *pools) {
    if (!dropped || (!wanted.empty() && pool.job != wanted)) continue;
    for (const Labels& labels : pool.dropped) {
      json.BeginObject();
      AppendLabelsKey(json, "discoveredLabels", labels);
      json.Key("scrapePool").String(pool.job).EndObject();
    }
  }
  json.EndArray().Key("droppedTargetCounts").BeginObject();
  for (const PoolView& pool : *pools) {
    if (dropped && (wanted.empty() || pool.job == wanted))
      json.Key(pool.job).Uint(pool.dropped_count);
  }
  json.EndObject().EndObject();
  return Answer::Success(data);
}

Answer TargetMetadataAnswer(const scrape::TargetsView& pools, const net::Query& parameters) {
  const auto limit = CountParam(parameters, "limit", -1);
  if (!limit) return Answer::Failure(limit.error());
  std::vector<Matcher> matchers;
  if (const std::string_view text = parameters.Get("match_target"); !text.empty()) {
    auto parsed = promql::ParseMetricSelector(text);
    if (!parsed) return Answer::Failure(parsed.error());
    matchers = *std::move(parsed);
  }
  const std::string_view metric = parameters.Get("metric");
  std::int64_t count = 0;
  std::string data;
  JsonWriter json(data);
  json.BeginArray();
  for (const PoolView& pool : *pools) {
    for (const auto& loop : pool.active) {
      const Labels& labels = loop->spec().public_labels;
      if (!MatchesAll(matchers, labels)) continue;
      const auto families = loop->metadata();
      for (const auto& family : *families) {
        if (!metric.empty() && family->family != metric) continue;
        if (*limit >= 0 && count >= *limit) break;
        ++count;
        json.BeginObject();
        AppendLabelsKey(json, "target", labels);
        if (metric.empty()) json.Key("metric").String(family->family);
        AppendMetadata(json, family->metadata);
        json.EndObject();
      }
    }
  }
  json.EndArray();
  if (count == 0) {
    return Answer::Failure(Error(ErrorKind::kNotFound, "specified metadata not found"));
  }
  return Answer::Success(data);
}

Answer RelabelStepsAnswer(const scrape::TargetsView& pools, const net::Query& parameters) {
  const std::string_view job = parameters.Get("scrapePool");
  const std::string_view text = parameters.Get("labels");
  if (job.empty())
    return Answer::Failure(Error(ErrorKind::kInvalid, "no scrapePool parameter provided"));
  if (text.empty())
    return Answer::Failure(Error(ErrorKind::kInvalid, "no labels parameter provided"));
  const auto document = JsonDocument::Parse(text);
  if (!document || !document->root().is_object()) {
    return Answer::Failure(
        Error(ErrorKind::kInvalid, "error parsing labels: not a JSON object of strings"));
  }
  const PoolView* pool = FindPool(pools, job);
  if (pool == nullptr)
    return Answer::Failure(
        Error(ErrorKind::kNotFound, "scrape pool " + QuoteGo(job) + " not found"));
  LabelsBuilder builder;
  document->root().ForEach([&](std::string_view name, JsonView value) {
    builder.Set(name, value.string().value_or(""));
  });
  std::string data;
  JsonWriter json(data);
  json.BeginObject().Key("steps").BeginArray();
  for (const scrape::RelabelStep& step : scrape::RelabelSteps(*pool->options, builder.Build())) {
    json.BeginObject();
    AppendRule(json, *step.rule);
    AppendLabelsKey(json, "output", step.output);
    json.Key("keep").Bool(step.keep).EndObject();
  }
  json.EndArray().EndObject();
  return Answer::Success(data);
}

Answer ScrapePoolsAnswer(const scrape::TargetsView& pools) {
  std::string data;
  JsonWriter json(data);
  json.BeginObject().Key("scrapePools").BeginArray();
  for (const PoolView& pool : *pools) {
    json.String(pool.job);
  }
  json.EndArray().EndObject();
  return Answer::Success(data);
}

Answer ScrapePoolConfigAnswer(const scrape::TargetsView& pools, const net::Query& parameters) {
  const std::string_view job = parameters.Get("scrapePool");
  if (job.empty())
    return Answer::Failure(Error(ErrorKind::kInvalid, "no scrapePool parameter provided"));
  const PoolView* pool = FindPool(pools, job);
  if (pool == nullptr)
    return Answer::Failure(
        Error(ErrorKind::kNotFound, "scrape pool " + QuoteGo(job) + " not found"));
  std::string data;
  JsonWriter(data).BeginObject().Key("yaml").String(pool->options->yaml).EndObject();
  return Answer::Success(data);
}

Answer MetadataAnswer(const scrape::TargetsView& pools, const MetadataSource& stored,
                      const net::Query& parameters) {
  const auto limit = CountParam(parameters, "limit", -1);
  if (!limit) return Answer::Failure(limit.error());
  const auto limit_per_metric = CountParam(parameters, "limit_per_metric", -1);
  if (!limit_per_metric) return Answer::Failure(limit_per_metric.error());
  const std::string_view metric = parameters.Get("metric");
  std::map<std::string, std::vector<Metadata>, std::less<>> all;
  const auto add = [&](const std::string& name, const Metadata& metadata) {
    std::vector<Metadata>& variants = all[name];
    const bool full =
        *limit_per_metric > 0 && variants.size() >= static_cast<std::size_t>(*limit_per_metric);
    if (!full && std::ranges::find(variants, metadata) == variants.end())
      variants.push_back(metadata);
  };
  for (const PoolView& pool : *pools) {
    for (const auto& loop : pool.active) {
      const auto families = loop->metadata();
      for (const auto& family : *families) {
        if (metric.empty() || family->family == metric) add(family->family, family->metadata);
      }
    }
  }
  for (const StoredMetadata& entry : stored(metric)) {
    for (const Metadata& metadata : entry.variants) {
      add(entry.metric, metadata);
    }
  }
  std::string data;
  JsonWriter json(data);
  json.BeginObject();
  std::int64_t count = 0;
  for (const auto& [name, variants] : all) {
    if (*limit >= 0 && count++ >= *limit) break;
    json.Key(name).BeginArray();
    for (const Metadata& metadata : variants) {
      json.BeginObject();
      AppendMetadata(json, metadata);
      json.EndObject();
    }
    json.EndArray();
  }
  json.EndObject();
  return Answer::Success(data);
}

}  // namespace sonde::api
