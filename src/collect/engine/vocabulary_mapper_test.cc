#include "collect/engine/vocabulary_mapper.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sonde::collect {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

MappingRule Rule(std::string native, std::string as) {
  MappingRule rule;
  rule.native = {std::move(native)};
  rule.as = std::move(as);
  return rule;
}

MappingFile File(std::vector<MappingRule> rules) {
  MappingFile file;
  file.name = "test";
  file.rules = std::move(rules);
  return file;
}

std::unique_ptr<VocabularyMapper> Compile(std::vector<MappingFile> files,
                                          std::string_view prefix = kVocabularyPrefix) {
  auto mapper = VocabularyMapper::Compile(std::move(files), prefix);
  EXPECT_TRUE(mapper.ok()) << (mapper ? "" : mapper.error().message());
  return *std::move(mapper);
}

std::string CompileError(MappingFile file) {
  const auto mapper = VocabularyMapper::Compile({std::move(file)});
  return mapper ? "" : mapper.error().message();
}

/// Each mapped series as text: labels, type, and how its value comes about.
std::vector<std::string> Map(const VocabularyMapper& mapper, const Labels& labels,
                             MetricType type) {
  std::vector<MappedSeries> out;
  mapper.Map(labels, type, out);
  std::vector<std::string> lines;
  for (const MappedSeries& series : out) {
    std::string line = series.labels.ToString() + " " + std::string(ToString(series.type));
    if (series.is_constant) line += " = " + std::to_string(series.constant);
    if (series.scale != 1) line += " x " + std::to_string(series.scale);
    lines.push_back(line);
  }
  return lines;
}

TEST(VocabularyMapper, BothSpellingsAreTheSameName) {
  const auto mapper =
      Compile({File({Rule("vllm:num_requests_running", "deepseek_requests_running")})});
  for (const char* name : {"vllm:num_requests_running", "vllm_num_requests_running"}) {
    EXPECT_THAT(Map(*mapper, Labels::Of({{"__name__", name}, {"job", "x"}}), MetricType::kGauge),
                ElementsAre("deepseek_requests_running{job=\"x\"} gauge"));
  }
  EXPECT_THAT(Map(*mapper, Labels::Of({{"__name__", "vllm:num_requests"}}), MetricType::kGauge),
              IsEmpty());
}

TEST(VocabularyMapper, TheWholeHistogramFamily) {
  const auto mapper = Compile({File({Rule("vllm:e2e", "deepseek_inference_latency_seconds")})});
  EXPECT_THAT(Map(*mapper, Labels::Of({{"__name__", "vllm:e2e_bucket"}, {"le", "0.5"}}),
                  MetricType::kHistogram),
              ElementsAre("deepseek_inference_latency_seconds_bucket{le=\"0.5\"} histogram"));
  EXPECT_THAT(Map(*mapper, Labels::Of({{"__name__", "vllm:e2e_sum"}}), MetricType::kHistogram),
              ElementsAre("deepseek_inference_latency_seconds_sum histogram"));
  EXPECT_THAT(Map(*mapper, Labels::Of({{"__name__", "vllm_e2e_count"}}), MetricType::kUnknown),
              ElementsAre("deepseek_inference_latency_seconds_count histogram"));
  // A native histogram has the bare name; _created is no part of the family.
  EXPECT_THAT(Map(*mapper, Labels::Of({{"__name__", "vllm:e2e"}}), MetricType::kHistogram),
              ElementsAre("deepseek_inference_latency_seconds histogram"));
  EXPECT_THAT(Map(*mapper, Labels::Of({{"__name__", "vllm:e2e_created"}}), MetricType::kGauge),
              IsEmpty());
}

TEST(VocabularyMapper, AnotherTypeIsAnotherMetric) {
  const auto mapper =
      Compile({File({Rule("vllm:prompt_tokens_total", "deepseek_prompt_tokens_total")})});
  const Labels labels = Labels::Of({{"__name__", "vllm:prompt_tokens_total"}});
  EXPECT_THAT(Map(*mapper, labels, MetricType::kGauge), IsEmpty());  // A router's copy.
  EXPECT_THAT(Map(*mapper, labels, MetricType::kCounter),
              ElementsAre("deepseek_prompt_tokens_total counter"));
  EXPECT_THAT(Map(*mapper, labels, MetricType::kUnknown),
              ElementsAre("deepseek_prompt_tokens_total counter"));
}

TEST(VocabularyMapper, NativeTypeOverridesWhatTheEngineSays) {
  MappingRule rule = Rule("lmdeploy:num_requests_failed", "deepseek_requests_total");
  rule.native_type = MetricType::kGauge;
  const auto mapper = Compile({File({rule})});
  const Labels labels = Labels::Of({{"__name__", "lmdeploy:num_requests_failed"}});
  EXPECT_THAT(Map(*mapper, labels, MetricType::kGauge),
              ElementsAre("deepseek_requests_total counter"));
  EXPECT_THAT(Map(*mapper, labels, MetricType::kCounter), IsEmpty());
}

TEST(VocabularyMapper, ALoneCountIsACounterThere) {
  const auto mapper =
      Compile({File({Rule("llamacpp:n_decode_total", "deepseek_engine_step_tokens_count")})});
  const Labels labels = Labels::Of({{"__name__", "llamacpp:n_decode_total"}});
  EXPECT_THAT(Map(*mapper, labels, MetricType::kCounter),
              ElementsAre("deepseek_engine_step_tokens_count histogram"));
  EXPECT_THAT(Map(*mapper, labels, MetricType::kGauge), IsEmpty());
  EXPECT_EQ(mapper->native_names(), 1U);
}

TEST(VocabularyMapper, UnitsOfValuesAndOfBounds) {
  MappingRule rule = Rule("sglang:kv_transfer_latency_ms", "deepseek_kv_transfer_seconds");
  rule.type = MetricType::kHistogram;
  rule.help = "Time of a transfer.";
  rule.scale = 0.001;
  const auto mapper = Compile({File({rule})});
  EXPECT_THAT(
      Map(*mapper,
          Labels::Of({{"__name__", "sglang:kv_transfer_latency_ms_bucket"}, {"le", "250.0"}}),
          MetricType::kHistogram),
      ElementsAre("deepseek_kv_transfer_seconds_bucket{le=\"0.25\"} histogram"));
  EXPECT_THAT(
      Map(*mapper,
          Labels::Of({{"__name__", "sglang:kv_transfer_latency_ms_bucket"}, {"le", "5000"}}),
          MetricType::kHistogram),
      ElementsAre("deepseek_kv_transfer_seconds_bucket{le=\"5.0\"} histogram"));
  EXPECT_THAT(
      Map(*mapper,
          Labels::Of({{"__name__", "sglang:kv_transfer_latency_ms_bucket"}, {"le", "+Inf"}}),
          MetricType::kHistogram),
      ElementsAre("deepseek_kv_transfer_seconds_bucket{le=\"+Inf\"} histogram"));
  EXPECT_THAT(Map(*mapper, Labels::Of({{"__name__", "sglang:kv_transfer_latency_ms_sum"}}),
                  MetricType::kHistogram),
              ElementsAre("deepseek_kv_transfer_seconds_sum histogram x 0.001000"));
  EXPECT_THAT(Map(*mapper, Labels::Of({{"__name__", "sglang:kv_transfer_latency_ms_count"}}),
                  MetricType::kHistogram),
              ElementsAre("deepseek_kv_transfer_seconds_count histogram"));
  // A native histogram cannot be scaled.
  EXPECT_THAT(Map(*mapper, Labels::Of({{"__name__", "sglang:kv_transfer_latency_ms"}}),
                  MetricType::kHistogram),
              IsEmpty());
}

TEST(VocabularyMapper, Summaries) {
  MappingRule rule = Rule("x:skipped", "deepseek_skipped_tokens");
  rule.type = MetricType::kSummary;
  rule.help = "Skipped.";
  rule.scale = 2;
  const auto mapper = Compile({File({rule})});
  EXPECT_THAT(Map(*mapper, Labels::Of({{"__name__", "x:skipped"}, {"quantile", "0.5"}}),
                  MetricType::kSummary),
              ElementsAre("deepseek_skipped_tokens{quantile=\"0.5\"} summary x 2.000000"));
  EXPECT_THAT(Map(*mapper, Labels::Of({{"__name__", "x:skipped_count"}}), MetricType::kSummary),
              ElementsAre("deepseek_skipped_tokens_count summary"));
}

// What an engine without the histogram knows of it.
TEST(VocabularyMapper, TheSumAloneAndAPartOfAFamily) {
  MappingRule sum = Rule("nv:queue_us", "deepseek_request_queue_seconds_sum");
  sum.scale = 1e-6;
  MappingRule tokens = Rule("tgi:length_sum", "deepseek_prompt_tokens_total");
  tokens.native_type = MetricType::kHistogram;
  const auto mapper = Compile({File({sum, tokens})});
  EXPECT_THAT(Map(*mapper, Labels::Of({{"__name__", "nv:queue_us"}}), MetricType::kCounter),
              ElementsAre("deepseek_request_queue_seconds_sum histogram x 0.000001"));
  EXPECT_THAT(Map(*mapper, Labels::Of({{"__name__", "tgi:length_sum"}}), MetricType::kHistogram),
              ElementsAre("deepseek_prompt_tokens_total counter"));
  EXPECT_THAT(Map(*mapper, Labels::Of({{"__name__", "tgi:length_sum"}}), MetricType::kCounter),
              IsEmpty());
  EXPECT_EQ(mapper->native_names(), 2U);
}

TEST(VocabularyMapper, ASummaryGivesAHistogramsSumCountAndQuantiles) {
  MappingRule rule = Rule("smg:ttft", "deepseek_time_to_first_token_seconds");
  rule.native_type = MetricType::kSummary;
  MappingRule only = Rule("nv:summary_us", "deepseek_inference_latency_seconds");
  only.native_type = MetricType::kSummary;
  only.parts = {FamilyPart::kQuantile};
  only.scale = 1e-6;
  const auto mapper = Compile({File({rule, only})});
  EXPECT_THAT(Map(*mapper, Labels::Of({{"__name__", "smg:ttft"}, {"quantile", "0.5"}}),
                  MetricType::kSummary),
              ElementsAre("deepseek_time_to_first_token_seconds{quantile=\"0.5\"} summary"));
  EXPECT_THAT(Map(*mapper, Labels::Of({{"__name__", "smg:ttft_sum"}}), MetricType::kSummary),
              ElementsAre("deepseek_time_to_first_token_seconds_sum summary"));
  // Newer versions may have made a histogram of it.
  EXPECT_THAT(Map(*mapper, Labels::Of({{"__name__", "smg:ttft_sum"}}), MetricType::kHistogram),
              IsEmpty());
  EXPECT_THAT(
      Map(*mapper, Labels::Of({{"__name__", "nv:summary_us"}, {"quantile", "0.9"}}),
          MetricType::kSummary),
      ElementsAre("deepseek_inference_latency_seconds{quantile=\"0.9\"} summary x 0.000001"));
  EXPECT_THAT(Map(*mapper, Labels::Of({{"__name__", "nv:summary_us_sum"}}), MetricType::kSummary),
              IsEmpty());
}

TEST(VocabularyMapper, WhichValuesAreMeasurementsAndWhatTheyMean) {
  MappingRule health = Rule("npu:health", "deepseek_accelerator_health");
  health.values = {{0, 1}, {10, 0}};
  health.values_otherwise = 0.5;
  MappingRule power = Rule("npu:power", "deepseek_accelerator_power_watts");
  power.valid.emplace().max = 1000;
  power.scale = 2;
  MappingFile file = File({health, power});
  file.valid.emplace().invalid = {-1};
  const auto mapper = Compile({file});
  const auto value = [&](const char* name, double native) {
    std::vector<MappedSeries> out;
    mapper->Map(Labels::Of({{"__name__", name}}), MetricType::kGauge, out);
    return out.at(0).Value(native);
  };
  EXPECT_EQ(value("npu:health", 0), 1);
  EXPECT_EQ(value("npu:health", 10), 0);
  EXPECT_EQ(value("npu:health", 7), 0.5);
  EXPECT_EQ(value("npu:health", -1), std::nullopt);
  EXPECT_EQ(value("npu:power", 300), 600);
  EXPECT_EQ(value("npu:power", 1001), std::nullopt);
  EXPECT_EQ(value("npu:power", -1), -2);  // The rule's own `valid` stands instead of the file's.
  EXPECT_EQ(value("npu:power", std::nan("")), std::nullopt);
}

// Counts of a histogram are never "no value".
TEST(VocabularyMapper, ValidIsNotForCounts) {
  MappingFile file = File({Rule("e:latency", "deepseek_inference_latency_seconds")});
  file.valid.emplace().min = 100;
  const auto mapper = Compile({file});
  std::vector<MappedSeries> out;
  mapper->Map(Labels::Of({{"__name__", "e:latency_bucket"}, {"le", "1.0"}}), MetricType::kHistogram,
              out);
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].Value(5), 5);
}

TEST(VocabularyMapper, BeginningsOfValues) {
  MappingRule rule = Rule("r:responses", "deepseek_requests_total");
  rule.when = {{"route", {"/v1/*"}, false}};
  rule.labels = {{"code", "code"}};
  rule.map = {{"code", "outcome", {{"429", "overloaded"}, {"4*", "client_error"}}, "success"}};
  const auto mapper = Compile({File({rule})});
  const auto outcome = [&](const char* route, const char* code) {
    std::vector<MappedSeries> out;
    mapper->Map(Labels::Of({{"__name__", "r:responses"}, {"route", route}, {"code", code}}),
                MetricType::kCounter, out);
    return out.empty() ? std::string("none") : std::string(out[0].labels.Get("outcome"));
  };
  EXPECT_EQ(outcome("/v1/completions", "200"), "success");
  EXPECT_EQ(outcome("/v1/completions", "429"), "overloaded");
  EXPECT_EQ(outcome("/v1/completions", "404"), "client_error");
  EXPECT_EQ(outcome("/health", "200"), "none");
}

TEST(VocabularyMapper, IndexesOfNamesBecomeLabels) {
  MappingRule rule =
      Rule("npu_{direction:rx|tx}_{port:0-1}", "deepseek_accelerator_network_bytes_per_second");
  MappingFile file = File({rule});
  file.wrappers = {"x_"};
  const auto mapper = Compile({file});
  EXPECT_THAT(Map(*mapper, Labels::Of({{"__name__", "npu_tx_1"}}), MetricType::kGauge),
              ElementsAre("deepseek_accelerator_network_bytes_per_second{direction=\"tx\", "
                          "port=\"1\"} gauge"));
  EXPECT_THAT(Map(*mapper, Labels::Of({{"__name__", "x_npu_rx_0"}}), MetricType::kGauge),
              ElementsAre("deepseek_accelerator_network_bytes_per_second{direction=\"rx\", "
                          "port=\"0\"} gauge"));
  EXPECT_THAT(Map(*mapper, Labels::Of({{"__name__", "npu_tx_2"}}), MetricType::kGauge), IsEmpty());
  EXPECT_EQ(mapper->native_names(), 8U);
}

TEST(VocabularyMapper, ARuleTakesAwayWhatItsFileSets) {
  MappingFile file = File({Rule("nv:gpu", "deepseek_accelerator_utilization_ratio")});
  file.set = {{"source", "engine"}};
  file.rules[0].set = {{"source", ""}, {"vendor", "nvidia"}};
  const auto mapper = Compile({file});
  EXPECT_THAT(Map(*mapper, Labels::Of({{"__name__", "nv:gpu"}}), MetricType::kGauge),
              ElementsAre("deepseek_accelerator_utilization_ratio{vendor=\"nvidia\"} gauge"));
}

// More labels than the mapper has room for without an allocation.
TEST(VocabularyMapper, ManyLabels) {
  MappingFile file = File({Rule("a:b", "deepseek_requests_running")});
  file.labels = {{"l50", "model"}};
  const auto mapper = Compile({file});
  LabelsBuilder builder;
  builder.Set("__name__", "a:b");
  for (int i = 0; i < 200; ++i)
    builder.Set("l" + std::to_string(i), std::to_string(i));
  std::vector<MappedSeries> out;
  mapper->Map(builder.Build(), MetricType::kGauge, out);
  ASSERT_EQ(out.size(), 1U);
  builder.Delete("l50").Set("model", "50").Set("__name__", "deepseek_requests_running");
  EXPECT_EQ(out[0].labels, builder.Build());
}

TEST(VocabularyMapper, LabelsAreRenamedDroppedAndSet) {
  MappingFile file = File({Rule("vllm:num_requests_running", "deepseek_requests_running")});
  file.labels = {{"model_name", "model"}, {"engine", "dp_rank"}, {"noise", ""}};
  file.set = {{"engine", "vllm"}, {"source", "engine"}};
  file.rules[0].set = {{"role", "decode"}};
  const auto mapper = Compile({file});
  EXPECT_THAT(
      Map(*mapper,
          Labels::Of({{"__name__", "vllm:num_requests_running"},
                      {"model_name", "deepseek-v3"},
                      {"engine", "1"},
                      {"noise", "x"},
                      {"job", "llm"},
                      {"instance", "a:1"},
                      {"simulated", "true"}}),
          MetricType::kGauge),
      ElementsAre(
          "deepseek_requests_running{dp_rank=\"1\", engine=\"vllm\", instance=\"a:1\", "
          "job=\"llm\", "
          "model=\"deepseek-v3\", role=\"decode\", simulated=\"true\", source=\"engine\"} gauge"));
}

TEST(VocabularyMapper, ATargetsOwnLabelsDoNotHideTheEngines) {
  MappingFile file = File({Rule("vllm:num_requests_running", "deepseek_requests_running")});
  file.labels = {{"model_name", "model"}, {"engine", "dp_rank"}};
  file.set = {{"engine", "vllm"}};
  file.require = {"model_name"};
  const auto mapper = Compile({file});
  // The target has labels `engine` and `model_name`, so the scraper moved the metric's away.
  EXPECT_THAT(
      Map(*mapper,
          Labels::Of({{"__name__", "vllm:num_requests_running"},
                      {"engine", "blue"},
                      {"exported_engine", "3"},
                      {"exported_model_name", "deepseek-r1"},
                      {"model_name", "mine"},
                      {"model", "alias"}}),
          MetricType::kGauge),
      ElementsAre(
          "deepseek_requests_running{dp_rank=\"3\", engine=\"vllm\", model=\"deepseek-r1\", "
          "model_name=\"mine\"} gauge"));
}

TEST(VocabularyMapper, RequireWhenAndSkip) {
  MappingFile file =
      File({Rule("s:q", "deepseek_requests_waiting"), Rule("s:free", "deepseek_requests_running")});
  file.require = {"model_name"};
  file.rules[1].require = std::vector<std::string>{};
  file.rules[0].when = {{"stage", {"prefill", "decode"}, false}};
  file.skip = {{{"tp_rank", {"", "0"}, true}, {"dp_rank", {""}, false}},
               {{"priority", {""}, true}}};
  const auto mapper = Compile({file});
  const auto count = [&](std::initializer_list<LabelView> labels) {
    LabelsBuilder builder;
    builder.Set("__name__", "s:q").Set("model_name", "m").Set("stage", "decode");
    for (const LabelView label : labels)
      builder.Set(label.name, label.value);
    return Map(*mapper, builder.Build(), MetricType::kGauge).size();
  };
  EXPECT_EQ(count({}), 1U);
  EXPECT_EQ(count({{"model_name", ""}}), 0U);
  EXPECT_EQ(count({{"stage", "queue"}}), 0U);
  EXPECT_EQ(count({{"stage", ""}}), 0U);
  EXPECT_EQ(count({{"tp_rank", "0"}}), 1U);
  EXPECT_EQ(count({{"tp_rank", "1"}}), 0U);
  EXPECT_EQ(count({{"tp_rank", "1"}, {"dp_rank", "1"}}), 1U);
  EXPECT_EQ(count({{"priority", "3"}}), 0U);
  EXPECT_EQ(Map(*mapper, Labels::Of({{"__name__", "s:free"}}), MetricType::kGauge).size(), 1U);
}

TEST(VocabularyMapper, ValuesOfOneLabelDecideAnother) {
  MappingRule rule = Rule("vllm:request_success_total", "deepseek_requests_total");
  rule.labels = {{"finished_reason", "finish_reason"}};
  rule.map = {{"finished_reason",
               "outcome",
               {{"abort", "cancelled"}, {"error", "server_error"}},
               "success"}};
  MappingRule strict = Rule("x:total", "deepseek_requests_total");
  strict.map = {{"reason", "outcome", {{"ok", "success"}}, std::nullopt}};
  const auto mapper = Compile({File({rule, strict})});
  const auto of = [&](const char* reason) {
    return Map(
        *mapper,
        Labels::Of({{"__name__", "vllm:request_success_total"}, {"finished_reason", reason}}),
        MetricType::kCounter);
  };
  EXPECT_THAT(
      of("stop"),
      ElementsAre("deepseek_requests_total{finish_reason=\"stop\", outcome=\"success\"} counter"));
  EXPECT_THAT(
      of("abort"),
      ElementsAre(
          "deepseek_requests_total{finish_reason=\"abort\", outcome=\"cancelled\"} counter"));
  EXPECT_EQ(
      Map(*mapper, Labels::Of({{"__name__", "x:total"}, {"reason", "ok"}}), MetricType::kCounter)
          .size(),
      1U);
  EXPECT_THAT(
      Map(*mapper, Labels::Of({{"__name__", "x:total"}, {"reason", "new"}}), MetricType::kCounter),
      IsEmpty());
}

TEST(VocabularyMapper, AValueFromLabels) {
  MappingRule rule = Rule("vllm:cache_config_info", "deepseek_kv_cache_capacity_tokens");
  rule.value_from = {"num_gpu_blocks", "block_size"};
  rule.keep = {"job", "instance"};
  rule.labels = {{"engine", "dp_rank"}};
  const auto mapper = Compile({File({rule})});
  const auto of = [&](const char* blocks, MetricType type) {
    return Map(*mapper,
               Labels::Of({{"__name__", "vllm:cache_config_info"},
                           {"num_gpu_blocks", blocks},
                           {"block_size", "16"},
                           {"engine", "0"},
                           {"cache_dtype", "auto"},
                           {"job", "llm"},
                           {"instance", "a:1"}}),
               type);
  };
  const std::string want =
      "deepseek_kv_cache_capacity_tokens{dp_rank=\"0\", instance=\"a:1\", job=\"llm\"} gauge = "
      "436656.000000";
  EXPECT_THAT(of("27291", MetricType::kGauge), ElementsAre(want));
  EXPECT_THAT(of("27291", MetricType::kInfo), ElementsAre(want));  // As OpenMetrics has it.
  EXPECT_THAT(of("None", MetricType::kGauge), IsEmpty());
  EXPECT_THAT(of("inf", MetricType::kGauge), IsEmpty());
}

TEST(VocabularyMapper, WrappersAndSeveralNamesAndSeveralTargets) {
  MappingFile file = File({Rule("vllm:kv_cache_usage_perc", "deepseek_kv_cache_usage_ratio"),
                           Rule("vllm:kv_cache_usage_perc", "deepseek_requests_running")});
  file.wrappers = {"ray_"};
  file.rules[0].native.emplace_back("vllm:gpu_cache_usage_perc");
  const auto mapper = Compile({file});
  EXPECT_EQ(
      Map(*mapper, Labels::Of({{"__name__", "ray_vllm_kv_cache_usage_perc"}}), MetricType::kGauge)
          .size(),
      2U);
  EXPECT_THAT(
      Map(*mapper, Labels::Of({{"__name__", "vllm:gpu_cache_usage_perc"}}), MetricType::kGauge),
      ElementsAre("deepseek_kv_cache_usage_ratio gauge"));
}

TEST(VocabularyMapper, ThePrefixIsReplaced) {
  const auto mapper = Compile({File({Rule("a:b", "deepseek_requests_running")})}, "llm_");
  EXPECT_THAT(Map(*mapper, Labels::Of({{"__name__", "a:b"}}), MetricType::kGauge),
              ElementsAre("llm_requests_running gauge"));
  EXPECT_FALSE(VocabularyMapper::Compile({}, "9x").ok());
}

TEST(VocabularyMapper, ALaterFileOfTheSameNameReplaces) {
  MappingFile theirs = File({Rule("a:b", "deepseek_requests_waiting")});
  const auto mapper = Compile(
      {File({Rule("a:b", "deepseek_requests_running"), Rule("a:c", "deepseek_preemptions_total")}),
       theirs});
  EXPECT_THAT(Map(*mapper, Labels::Of({{"__name__", "a:b"}}), MetricType::kGauge),
              ElementsAre("deepseek_requests_waiting gauge"));
  EXPECT_THAT(Map(*mapper, Labels::Of({{"__name__", "a:c"}}), MetricType::kCounter), IsEmpty());
}

// What is canonical already is somebody's own: an exporter's gauge, or the gateway's histogram.
TEST(VocabularyMapper, CanonicalNamesAreNeverRead) {
  const auto mapper = Compile({File({Rule("vllm:e2e", "deepseek_inference_latency_seconds")})});
  for (const MetricType type : {MetricType::kGauge, MetricType::kHistogram, MetricType::kUnknown}) {
    EXPECT_THAT(
        Map(*mapper, Labels::Of({{"__name__", "deepseek_inference_latency_seconds"}}), type),
        IsEmpty());
    EXPECT_THAT(
        Map(*mapper,
            Labels::Of({{"__name__", "deepseek_inference_latency_seconds_bucket"}, {"le", "1"}}),
            type),
        IsEmpty());
  }
  EXPECT_THAT(CompileError(File({Rule("deepseek_requests_running", "deepseek_requests_waiting")})),
              HasSubstr("a rule cannot read a canonical name"));
}

TEST(VocabularyMapper, MistakesAreNamed) {
  EXPECT_THAT(CompileError(File({Rule("a:b", "deepseek_request_running")})),
              HasSubstr("mapping test: rule a:b → deepseek_request_running: the vocabulary has no "
                        "deepseek_request_running"));
  EXPECT_THAT(CompileError(File({Rule("a b", "deepseek_requests_running")})),
              HasSubstr("\"a b\" is not a metric name"));
  EXPECT_THAT(CompileError(File({Rule("a:b", "llm_requests_running")})),
              HasSubstr("must begin with deepseek_"));
  MappingRule rule = Rule("a:b", "deepseek_requests_running");
  rule.type = MetricType::kCounter;
  EXPECT_THAT(CompileError(File({rule})), HasSubstr("the vocabulary says that it is a gauge"));
  rule.type.reset();
  rule.scale = 0;
  EXPECT_THAT(CompileError(File({rule})), HasSubstr("scale must be a number above 0"));
  rule.scale = 1;
  rule.labels = {{"a", "le"}};
  EXPECT_THAT(CompileError(File({rule})), HasSubstr("is set by the type of the metric"));
  rule.labels = {{"a-b", "c"}};
  EXPECT_THAT(CompileError(File({rule})), HasSubstr("are not label names"));
  rule.labels.clear();
  rule.parts = {FamilyPart::kBucket};
  EXPECT_THAT(CompileError(File({rule})), HasSubstr("parts: a metric of this type has no such"));
  rule.parts.clear();
  rule.values_otherwise = 1;
  EXPECT_THAT(CompileError(File({rule})), HasSubstr("values: default alone would replace"));
  rule.values_otherwise.reset();
  rule.valid.emplace().min = 2;
  rule.valid->max = 1;
  EXPECT_THAT(CompileError(File({rule})), HasSubstr("valid: min is above max"));
  MappingRule gauge = Rule("a:b", "deepseek_request_queue_seconds");
  gauge.native_type = MetricType::kGauge;
  EXPECT_THAT(CompileError(File({gauge})), HasSubstr("a single value is no histogram"));
  EXPECT_THAT(CompileError(File({Rule("a_{x}", "deepseek_requests_running")})),
              HasSubstr("{label:0-3} or {label:a|b}"));
  MappingFile nameless = File({});
  nameless.name.clear();
  EXPECT_THAT(CompileError(nameless), HasSubstr("needs a name"));
}

TEST(VocabularyMapper, LongNamesAreNotOurs) {
  const auto mapper = Compile({File({Rule("a:b", "deepseek_requests_running")})});
  const std::string name(100'000, 'a');
  EXPECT_THAT(Map(*mapper, Labels::Of({{"__name__", name}}), MetricType::kGauge), IsEmpty());
  EXPECT_THAT(Map(*mapper, Labels(), MetricType::kGauge), IsEmpty());
  EXPECT_THAT(CompileError(File({Rule(std::string(300, 'a'), "deepseek_requests_running")})),
              HasSubstr("too long"));
}

TEST(Vocabulary, IsSortedAndFound) {
  const auto metrics = Vocabulary();
  for (std::size_t i = 0; i + 1 < metrics.size(); ++i)
    EXPECT_LT(metrics[i].name, metrics[i + 1].name);
  for (const CanonicalMetric& metric : metrics) {
    EXPECT_EQ(FindCanonicalMetric(metric.name), &metric);
    EXPECT_EQ(metric.type == MetricType::kCounter, metric.name.ends_with("_total")) << metric.name;
    EXPECT_TRUE(metric.help.ends_with('.')) << metric.name;
  }
  EXPECT_EQ(FindCanonicalMetric("deepseek_nonsense"), nullptr);
}

}  // namespace
}  // namespace sonde::collect
