#include <algorithm>
#include <filesystem>
#include <regex>
#include <set>

#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/env.h"
#include "collect/engine/map_page.h"
#include "collect/engine/vocabulary_mapper.h"
#include "config/mapping_file.h"
#include "config/yaml.h"
#include "promql/engine.h"
#include "promql/parser.h"
#include "promql/promqltest/memory_store.h"

// The rules that ship, over the pages of engines and exporters in tests/mappings/: wherever a page
// has the metrics that an expression asks for, the expression must return something. A matcher that
// fits no engine, or a join on a label that one does not have, shows here.

namespace sonde::config {
namespace {

namespace fs = std::filesystem;

std::string ReadText(const fs::path& path) {
  PosixEnv env;
  auto text = env.ReadFile(path.string(), 16U << 20);
  EXPECT_TRUE(text.ok()) << path;
  return std::move(text).value_or("");
}

std::vector<fs::path> FilesIn(const char* folder, const char* extension) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == extension) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

struct PackRule {
  std::string name;  // "latency.yml: model:deepseek_queue_seconds:mean5m"
  std::string expr;  // Without the comparison that makes an alert of it.
  std::set<std::string> metrics;
};

std::vector<PackRule> PackRules() {
  static const std::regex comparison(R"(\s*(==|!=|<=|>=|<|>)\s*[0-9.]+\s*$)");
  static const std::regex metric(R"([a-z]+_[a-z0-9_]+\s*(?=[{\[)]))");
  std::vector<PackRule> rules;
  for (const fs::path& file : FilesIn("packs/rules", ".yml")) {
    const auto document = ParseYaml(ReadText(file), file.string());
    EXPECT_TRUE(document.ok());
    for (const YamlNode& group : document->root.Find("groups")->items) {
      for (const YamlNode& rule : group.Find("rules")->items) {
        const YamlNode* name = rule.Find("record");
        if (name == nullptr) name = rule.Find("alert");
        PackRule one;
        one.name = file.filename().string() + ": " + name->text;
        one.expr = std::regex_replace(rule.Find("expr")->text, comparison, "");
        for (std::sregex_iterator it(one.expr.begin(), one.expr.end(), metric), end; it != end;
             ++it) {
          std::string text = it->str();
          text.erase(text.find_last_not_of(" \n") + 1);
          if (text.starts_with("deepseek_")) one.metrics.insert(text);
        }
        rules.push_back(std::move(one));
      }
    }
  }
  return rules;
}

/// A page that was scraped every 30 s for 15 minutes, its counters rising.
void Fill(const std::vector<collect::NativeSample>& page, Timestamp end, promql::MemoryStore& store,
          std::set<std::string>& names) {
  constexpr int kScrapes = 30;
  for (int i = 0; i < kScrapes; ++i) {
    const Timestamp t{end.ms - (kScrapes - 1 - i) * 30'000};
    for (const collect::NativeSample& native : page) {
      for (const collect::CanonicalSample& sample : native.canonical) {
        if (sample.repeated) continue;
        const bool rises = sample.type == MetricType::kCounter ||
                           sample.type == MetricType::kHistogram ||
                           sample.type == MetricType::kSummary;
        names.insert(std::string(sample.labels.metric_name()));
        store.Append(sample.labels, t, rises ? (sample.value + 1) * (i + 1) : sample.value);
      }
    }
  }
}

TEST(RulePacks, ReturnDataOnEveryPageThatHasTheirMetrics) {
  std::vector<collect::MappingFile> files;
  for (const fs::path& path : FilesIn("packs/mappings", ".yaml"))
    files.push_back(*ParseMappingFile(ReadText(path), path.string()));
  const auto mapper = collect::VocabularyMapper::Compile(std::move(files));
  ASSERT_TRUE(mapper.ok());
  const SystemClock clock;
  const auto evaluator = promql::NewEvaluator(clock);
  const Timestamp now{1'700'000'000'000};
  const auto rules = PackRules();
  ASSERT_GT(rules.size(), 30U);
  std::set<std::string> seen;
  for (const fs::path& path : FilesIn("tests/mappings", ".txt")) {
    const std::string text = ReadText(path);
    const auto page = collect::MapPage(**mapper, text, collect::SniffFormat(text),
                                       Labels::Of({{"job", "llm"}, {"instance", "engine:8000"}}));
    ASSERT_TRUE(page.ok()) << path;
    promql::MemoryStore store;
    std::set<std::string> names;
    Fill(*page, now, store, names);
    for (const PackRule& rule : rules) {
      // What the gateway, Sonde's own collectors or other rules write is not on an engine's page.
      if (rule.metrics.empty() || rule.expr.find("source=\"gateway\"") != std::string::npos ||
          !std::includes(names.begin(), names.end(), rule.metrics.begin(), rule.metrics.end())) {
        continue;
      }
      const auto expr = promql::ParseExpr(rule.expr);
      ASSERT_TRUE(expr.ok()) << rule.name << ": " << expr.error().message();
      const auto result = evaluator->Evaluate(**expr, {now, now, Duration(0)}, store,
                                              promql::EvalOptions{}, nullptr);
      ASSERT_TRUE(result.ok()) << rule.name;
      const auto& vector = std::get<promql::VectorResult>(result->value);
      // A page can have the metric and not the case: an alert on heat needs a card that counts it.
      if (!vector.series.empty()) seen.insert(rule.name);
      if (rule.expr.find("=~") == std::string::npos &&
          rule.expr.find("kind=") == std::string::npos &&
          rule.expr.find("source=\"engine\"") == std::string::npos) {
        EXPECT_FALSE(vector.series.empty()) << rule.name << " on " << path;
      }
      if (rule.expr.find("source=\"engine\"") != std::string::npos) {
        bool from_engine = false;
        for (const collect::NativeSample& native : *page) {
          for (const collect::CanonicalSample& sample : native.canonical) {
            from_engine =
                from_engine || (sample.labels.Get("source") == "engine" &&
                                rule.metrics.contains(std::string(sample.labels.metric_name())));
          }
        }
        EXPECT_TRUE(!from_engine || !vector.series.empty()) << rule.name << " on " << path;
      }
    }
  }
  for (const char* wanted :
       {"latency.yml: model:deepseek_queue_seconds:mean5m",
        "latency.yml: model:deepseek_prefill_seconds:mean5m",
        "latency.yml: model:deepseek_kv_transfer_seconds:mean5m",
        "latency.yml: model:deepseek_decode_seconds:mean5m", "progress.yml: AcceleratorFault",
        "progress.yml: AcceleratorThrottledByHeat", "progress.yml: AcceleratorMemoryErrors"}) {
    EXPECT_TRUE(seen.contains(wanted)) << wanted << " returned data on no page";
  }
}

}  // namespace
}  // namespace sonde::config
