#include "collect/engine/map_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sonde::collect {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using wire::ExpositionFormat;

std::unique_ptr<VocabularyMapper> Mapper() {
  MappingFile file;
  file.name = "test";
  file.labels = {{"model_name", "model"}};
  MappingRule rule;
  rule.native = {"e:running"};
  rule.as = "deepseek_requests_running";
  file.rules.push_back(rule);
  rule.native = {"e:latency_ms"};
  rule.as = "deepseek_inference_latency_seconds";
  rule.scale = 0.001;
  file.rules.push_back(rule);
  rule = MappingRule();
  rule.native = {"e:temperature"};
  rule.as = "deepseek_accelerator_temperature_celsius";
  rule.valid.emplace().invalid = {-1};
  file.rules.push_back(rule);
  rule = MappingRule();
  rule.native = {"e:tokens_total"};
  rule.as = "deepseek_generation_tokens_total";
  file.rules.push_back(rule);
  auto mapper = VocabularyMapper::Compile({file});
  EXPECT_TRUE(mapper.ok()) << (mapper ? "" : mapper.error().message());
  return *std::move(mapper);
}

std::vector<std::string> Lines(std::string_view page, ExpositionFormat format,
                               const Labels& target = {}) {
  const auto mapper = Mapper();
  const auto samples = MapPage(*mapper, page, format, target);
  if (!samples) return {samples.error().message()};
  std::vector<std::string> lines;
  for (const NativeSample& sample : *samples) {
    for (const CanonicalSample& canonical : sample.canonical) {
      lines.push_back(canonical.labels.ToString() + " " + std::to_string(canonical.value) +
                      (canonical.repeated ? " repeated" : "") +
                      (canonical.conflicting ? " conflicting" : "") +
                      (sample.timestamp ? " @" + std::to_string(sample.timestamp->ms) : ""));
    }
    if (sample.unknown > 0) lines.push_back("unknown");
  }
  return lines;
}

TEST(MapPage, AFamilyWithItsUnits) {
  EXPECT_THAT(Lines("# TYPE e:latency_ms histogram\n"
                    "e:latency_ms_bucket{le=\"500\"} 3\n"
                    "e:latency_ms_bucket{le=\"+Inf\"} 4\n"
                    "e:latency_ms_sum 900\n"
                    "e:latency_ms_count 4\n"
                    "other 1\n",
                    ExpositionFormat::kText),
              ElementsAre("deepseek_inference_latency_seconds_bucket{le=\"0.5\"} 3.000000",
                          "deepseek_inference_latency_seconds_bucket{le=\"+Inf\"} 4.000000",
                          "deepseek_inference_latency_seconds_sum 0.900000",
                          "deepseek_inference_latency_seconds_count 4.000000"));
}

TEST(MapPage, TheTargetsLabelsAndItsTimestamps) {
  EXPECT_THAT(Lines("# TYPE e:running gauge\ne:running{model_name=\"m\"} 2 1700000000123\n",
                    ExpositionFormat::kText, Labels::Of({{"job", "llm"}, {"model_name", "alias"}})),
              ElementsAre("deepseek_requests_running{job=\"llm\", model=\"m\", "
                          "model_name=\"alias\"} 2.000000 @1700000000123"));
}

TEST(MapPage, ValuesThatAreNone) {
  EXPECT_THAT(
      Lines("# TYPE e:temperature gauge\ne:temperature -1\ne:temperature{id=\"1\"} 50\n",
            ExpositionFormat::kText),
      ElementsAre("unknown", "deepseek_accelerator_temperature_celsius{id=\"1\"} 50.000000"));
}

TEST(MapPage, TwoSeriesThatGiveOne) {
  EXPECT_THAT(Lines("# TYPE e:running gauge\ne:running{model=\"m\"} 2\n"
                    "e:running{model_name=\"m\"} 2\ne_running{model=\"m\"} 3\n",
                    ExpositionFormat::kText),
              ElementsAre("deepseek_requests_running{model=\"m\"} 2.000000",
                          "deepseek_requests_running{model=\"m\"} 2.000000 repeated",
                          "deepseek_requests_running{model=\"m\"} 3.000000 repeated conflicting"));
}

TEST(MapPage, OpenMetricsAndBadPages) {
  const std::string_view page =
      "# TYPE e:tokens counter\ne:tokens_total{model_name=\"m\"} 5.0\n# EOF\n";
  EXPECT_EQ(SniffFormat(page), ExpositionFormat::kOpenMetrics);
  EXPECT_EQ(SniffFormat("# EOF"), ExpositionFormat::kOpenMetrics);
  EXPECT_EQ(SniffFormat("a 1\n# EOF of nothing\n"), ExpositionFormat::kText);
  EXPECT_EQ(SniffFormat(""), ExpositionFormat::kText);
  EXPECT_THAT(Lines(page, ExpositionFormat::kOpenMetrics),
              ElementsAre("deepseek_generation_tokens_total{model=\"m\"} 5.000000"));
  EXPECT_THAT(Lines("a 1\nb{ 2\n", ExpositionFormat::kText), ElementsAre(HasSubstr("2:")));
}

}  // namespace
}  // namespace sonde::collect
