#include "app/query_command.h"

#include <cmath>
#include <cstdio>
#include <string_view>
#include <vector>

#include "api/params.h"
#include "app/process.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/number.h"
#include "model/labels.h"
#include "net/http_client.h"

namespace sonde::app {
namespace {

constexpr std::uint64_t kMaxAnswerBytes = 1ULL << 30;
constexpr Duration kTimeout{120'000};

int Fail(std::string_view message) {
  Print(stderr, "query error: ");
  Print(stderr, message);
  Print(stderr, "\n");
  return 1;
}

std::string Seconds(Timestamp t) {
  std::string out;
  AppendFloatF(out, static_cast<double>(t.ms) / 1000);
  return out;
}

Labels ReadMetric(JsonView metric) {
  LabelsBuilder builder;
  metric.ForEach([&](std::string_view name, JsonView value) {
    builder.Set(name, value.string().value_or(""));
  });
  return builder.Build();
}

// One `value @[time]`; promtool prints times as Unix seconds.
std::string PointText(JsonView point) {
  std::string out(point.at(1).string().value_or(""));
  if (const JsonView histogram = point.at(1); histogram.is_object()) {
    out = "{count:" + std::string(histogram["count"].string().value_or("")) +
          ", sum:" + std::string(histogram["sum"].string().value_or("")) + "}";
  }
  out += " @[";
  AppendFloatF(out, point.at(0).number().value_or(0));
  out += "]";
  return out;
}

std::string FormatText(JsonView data) {
  std::string out;
  const std::string_view type = data["resultType"].string().value_or("");
  const JsonView result = data["result"];
  if (type == "scalar" || type == "string") {
    out = (type == "scalar" ? "scalar: " : "") + PointText(result) + "\n";
    return out;
  }
  for (std::size_t i = 0; i < result.size(); ++i) {
    const JsonView series = result.at(i);
    out += ReadMetric(series["metric"]).ToString();
    out += " =>";
    if (type == "vector") {
      out += " " + PointText(series["histogram"].exists() ? series["histogram"] : series["value"]) +
             "\n";
      continue;
    }
    out += "\n";
    for (const char* kind : {"values", "histograms"}) {
      for (std::size_t j = 0; j < series[kind].size(); ++j) {
        out += PointText(series[kind].at(j)) + "\n";
      }
    }
  }
  return out;
}

void PrintNotes(JsonView answer) {
  for (const char* kind : {"warnings", "infos"}) {
    for (std::size_t i = 0; i < answer[kind].size(); ++i) {
      Print(stderr, std::string(answer[kind].at(i).string().value_or("")) + "\n");
    }
  }
}

using Parameters = std::vector<std::pair<std::string_view, std::string>>;

int Ask(const QueryCommand& command, std::string_view endpoint, const Parameters& parameters) {
  std::string server = command.server;
  while (server.ends_with('/')) {
    server.pop_back();
  }
  auto url = net::Url::Parse(server + "/api/v1/" + std::string(endpoint));
  if (!url) return Fail(url.error().message());
  net::HttpClientRequest request;
  request.method = "POST";
  request.url = *std::move(url);
  request.headers.Set("Content-Type", "application/x-www-form-urlencoded");
  for (const auto& [name, value] : parameters) {
    if (!request.body.empty()) request.body += "&";
    request.body += std::string(name) + "=" + net::PercentEncode(value);
  }
  const auto reply = net::FetchBlocking(request, kMaxAnswerBytes, kTimeout);
  if (!reply) return Fail(reply.error().message());
  const auto document = JsonDocument::Parse(reply->body);
  if (!document) {
    return Fail("status " + std::to_string(reply->status) +
                ", and the answer is not JSON: is a Prometheus API at " + server + "?");
  }
  const JsonView answer = document->root();
  if (answer["status"].string() != "success") {
    return Fail(std::string(answer["errorType"].string().value_or("error")) + ": " +
                std::string(answer["error"].string().value_or("")));
  }
  PrintNotes(answer);
  Print(stdout, command.format == "json" ? reply->body + "\n" : FormatText(answer["data"]));
  return 0;
}

}  // namespace

int RunInstantQuery(const QueryCommand& command) {
  Parameters parameters{{"query", command.expression}};
  if (!command.time.empty()) parameters.emplace_back("time", command.time);
  return Ask(command, "query", parameters);
}

int RunRangeQuery(const QueryCommand& command) {
  const SystemClock clock;
  Timestamp end = clock.Now();
  if (!command.end.empty()) {
    const auto parsed = api::ParseTime(command.end);
    if (!parsed) return Fail("--end: " + parsed.error().message());
    end = *parsed;
  }
  Timestamp start = end - Duration(3'600'000);
  if (!command.start.empty()) {
    const auto parsed = api::ParseTime(command.start);
    if (!parsed) return Fail("--start: " + parsed.error().message());
    start = *parsed;
  }
  if (start > end) return Fail("--start is after --end");
  std::string step = command.step;
  if (step.empty()) {
    const double seconds = static_cast<double>((end - start).count()) / 1000;
    step = std::to_string(std::max(1L, std::lround(std::floor(seconds / 250))));
  }
  return Ask(command, "query_range",
             {{"query", command.expression},
              {"start", Seconds(start)},
              {"end", Seconds(end)},
              {"step", step}});
}

}  // namespace sonde::app
