#include "api/status.h"

#include <cstdio>
#include <ctime>

#include "api/params.h"
#include "base/json.h"
#include "base/number.h"

namespace sonde::api {
namespace {

constexpr std::int64_t kMaxTopEntries = 10'000;

void AppendCounts(JsonWriter& json, std::string_view key, const std::vector<NamedCount>& counts) {
  json.Key(key).BeginArray();
  for (const NamedCount& count : counts) {
    json.BeginObject().Key("name").String(count.name).Key("value").Uint(count.value).EndObject();
  }
  json.EndArray();
}

}  // namespace

std::string FormatRfc3339(Timestamp t) {
  std::int64_t ms = t.ms % 1000;
  if (ms < 0) ms += 1000;
  const auto seconds = static_cast<std::time_t>((t.ms - ms) / 1000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[64];
  std::size_t n = std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
  if (ms != 0)
    n += static_cast<std::size_t>(
        std::snprintf(text + n, sizeof(text) - n, ".%03d", static_cast<int>(ms)));
  return std::string(text, n) + "Z";
}

Answer BuildInfoAnswer(const BuildStatus& build) {
  std::string data;
  JsonWriter json(data);
  // No `features`: a map that is not empty makes Grafana take the server for Mimir.
  json.BeginObject().Key("version").String(build.version).Key("revision").String(build.revision);
  json.Key("branch").String(build.branch).Key("buildUser").String(build.build_user);
  json.Key("buildDate")
      .String(build.build_date)
      .Key("goVersion")
      .String(build.compiler)
      .EndObject();
  return Answer::Success(data);
}

Answer RuntimeInfoAnswer(const RuntimeStatus& runtime) {
  std::string data;
  JsonWriter json(data);
  json.BeginObject().Key("startTime").String(FormatRfc3339(runtime.start_time));
  json.Key("CWD").String(runtime.working_directory).Key("hostname").String(runtime.hostname);
  json.Key("serverTime").String(FormatRfc3339(runtime.server_time));
  json.Key("reloadConfigSuccess").Bool(runtime.reload_success);
  json.Key("lastConfigTime").String(FormatRfc3339(runtime.last_config_time));
  json.Key("corruptionCount").Uint(runtime.corruptions);
  // Clients of the reference expect these keys; threads are the nearest thing to goroutines here.
  json.Key("goroutineCount").Uint(runtime.threads).Key("GOMAXPROCS").Uint(runtime.threads);
  json.Key("GOMEMLIMIT").Int(0).Key("GOGC").String("").Key("GODEBUG").String("");
  json.Key("storageRetention").String(runtime.storage_retention).EndObject();
  return Answer::Success(data);
}

Answer FlagsAnswer(const StatusSources& sources) {
  std::string data;
  JsonWriter json(data);
  json.BeginObject();
  for (const auto& [name, value] : sources.flags) {
    json.Key(name).String(value);
  }
  json.EndObject();
  return Answer::Success(data);
}

Answer ConfigAnswer(const StatusSources& sources) {
  std::string data;
  JsonWriter(data).BeginObject().Key("yaml").String(sources.config_yaml()).EndObject();
  return Answer::Success(data);
}

Answer TsdbAnswer(const StatusSources& sources, const net::Query& parameters) {
  std::int64_t limit = 10;
  if (const std::string_view text = parameters.Get("limit"); !text.empty()) {
    const auto parsed = ParseInt(text);
    if (!parsed || *parsed < 1) {
      return Answer::Failure(Error(ErrorKind::kInvalid, "limit must be a positive number"));
    }
    if (*parsed > kMaxTopEntries) {
      return Answer::Failure(Error(ErrorKind::kInvalid, "limit must not exceed 10000"));
    }
    limit = *parsed;
  }
  const TsdbStatus status = sources.tsdb(static_cast<std::size_t>(limit));
  std::string data;
  JsonWriter json(data);
  json.BeginObject().Key("headStats").BeginObject().Key("numSeries").Uint(status.series);
  json.Key("numLabelPairs").Uint(status.label_pairs).Key("chunkCount").Uint(status.chunks);
  json.Key("minTime").Int(status.min_time.ms).Key("maxTime").Int(status.max_time.ms).EndObject();
  AppendCounts(json, "seriesCountByMetricName", status.series_by_metric);
  AppendCounts(json, "labelValueCountByLabelName", status.values_by_label);
  AppendCounts(json, "memoryInBytesByLabelName", status.memory_by_label);
  AppendCounts(json, "seriesCountByLabelValuePair", status.series_by_label_pair);
  json.EndObject();
  return Answer::Success(data);
}

Answer BlocksAnswer(const StatusSources& sources) {
  std::string data;
  JsonWriter json(data);
  json.BeginObject().Key("blocks").BeginArray();
  for (const std::string& meta : sources.block_metas()) {
    json.Raw(meta);
  }
  json.EndArray().EndObject();
  return Answer::Success(data);
}

Answer WalReplayAnswer(const StatusSources& sources) {
  const WalReplayStatus status = sources.wal_replay();
  std::string data;
  JsonWriter(data)
      .BeginObject()
      .Key("min")
      .Int(status.min)
      .Key("max")
      .Int(status.max)
      .Key("current")
      .Int(status.current)
      .EndObject();
  return Answer::Success(data);
}

}  // namespace sonde::api
