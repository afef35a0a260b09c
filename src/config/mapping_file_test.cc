#include "config/mapping_file.h"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/env.h"
#include "base/json.h"
#include "base/number.h"
#include "collect/engine/vocabulary_mapper.h"
#include "model/labels.h"

namespace sonde::config {
namespace {

using ::testing::HasSubstr;

std::string ReadText(const std::string& path) {
  PosixEnv env;
  auto text = env.ReadFile(path, 16U << 20);
  EXPECT_TRUE(text.ok()) << path;
  return std::move(text).value_or("");
}

std::vector<collect::MappingFile> Packs() {
  std::vector<collect::MappingFile> files;
  for (const char* name : {"dcgm", "llamacpp", "sglang", "vllm"}) {
    const std::string path = std::string("packs/mappings/") + name + ".yaml";
    auto file = ParseMappingFile(ReadText(path), path);
    EXPECT_TRUE(file.ok()) << (file ? "" : file.error().message());
    if (file) files.push_back(*std::move(file));
  }
  return files;
}

/// One sample of a page in text format 0.0.4, with its family's type.
struct PageSample {
  Labels labels;
  MetricType type = MetricType::kUnknown;
  double value = 0;
};

// The pages of the tests are plain: no escapes but in label values, no timestamps.
std::vector<PageSample> ReadPage(const std::string& text) {
  std::vector<PageSample> samples;
  std::map<std::string, MetricType> types;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# TYPE ")) {
      std::istringstream words(line.substr(7));
      std::string family;
      std::string type;
      words >> family >> type;
      types[family] = ParseMetricType(type).value_or(MetricType::kUnknown);
    }
    if (line.empty() || line.front() == '#') continue;
    LabelsBuilder builder;
    builder.Set("job", "llm").Set("instance", "engine:8000");
    const std::size_t brace = line.find('{');
    const std::size_t blank = line.rfind(' ');
    const std::string name = line.substr(0, std::min(brace, blank));
    builder.Set("__name__", name);
    for (std::size_t at = brace; brace != std::string::npos && line[at] != '}';) {
      const std::size_t equals = line.find("=\"", at);
      const std::size_t quote = line.find('"', equals + 2);
      builder.Set(line.substr(at + 1, equals - at - 1),
                  line.substr(equals + 2, quote - equals - 2));
      at = quote + 1;
    }
    std::string family = name;
    for (const std::string_view suffix : {"_bucket", "_sum", "_count"}) {
      const std::string base = name.substr(0, name.size() - std::min(name.size(), suffix.size()));
      if (name.ends_with(suffix) && types.contains(base)) family = base;
    }
    const auto type = types.find(family);
    samples.push_back({builder.Build(), type == types.end() ? MetricType::kUnknown : type->second,
                       ParseFloat(line.substr(blank + 1)).value_or(-1)});
  }
  return samples;
}

/// What the mapper writes beside a page, a line each, sorted.
std::string MapPage(const collect::VocabularyMapper& mapper, const std::string& page) {
  std::vector<std::string> lines;
  std::vector<MappedSeries> mapped;
  for (const PageSample& sample : ReadPage(page)) {
    mapped.clear();
    mapper.Map(sample.labels, sample.type, mapped);
    for (const MappedSeries& series : mapped) {
      std::string line = series.labels.ToString() + " ";
      AppendFloatG(line, series.is_constant ? series.constant : sample.value * series.scale);
      lines.push_back(line + " " + std::string(ToString(series.type)) + "\n");
    }
  }
  std::sort(lines.begin(), lines.end());
  std::string text;
  for (const std::string& line : lines)
    text += line;
  return text;
}

class MappingPacks : public ::testing::TestWithParam<const char*> {
 protected:
  MappingPacks() {
    auto mapper = collect::VocabularyMapper::Compile(Packs());
    EXPECT_TRUE(mapper.ok()) << (mapper ? "" : mapper.error().message());
    if (mapper) mapper_ = *std::move(mapper);
  }
  std::unique_ptr<collect::VocabularyMapper> mapper_;
};

// tests/mappings/<page>.txt is a page as the engine writes it; .expected is what must be stored
// beside it.
TEST_P(MappingPacks, Golden) {
  const std::string base = std::string("tests/mappings/") + GetParam();
  EXPECT_EQ(MapPage(*mapper_, ReadText(base + ".txt")), ReadText(base + ".expected"));
}

// Two native series that give the same canonical one would fight over it at every scrape.
TEST_P(MappingPacks, NoSeriesTwice) {
  std::set<std::string> seen;
  std::vector<MappedSeries> mapped;
  for (const PageSample& sample :
       ReadPage(ReadText(std::string("tests/mappings/") + GetParam() + ".txt"))) {
    mapped.clear();
    mapper_->Map(sample.labels, sample.type, mapped);
    for (const MappedSeries& series : mapped) {
      EXPECT_TRUE(seen.insert(series.labels.ToString()).second) << series.labels.ToString();
      EXPECT_NE(series.help, "") << series.labels.ToString();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Pages, MappingPacks,
                         ::testing::Values("dcgm", "foreign", "llamacpp", "llamacpp_old", "sglang",
                                           "sglang_dp", "sglang_underscores", "vllm", "vllm_old"));

// The two spellings of SGLang's names give the same.
TEST_F(MappingPacks, SpellingsAgree) {
  std::string colons = ReadText("tests/mappings/sglang.expected");
  EXPECT_EQ(colons, ReadText("tests/mappings/sglang_underscores.expected"));
}

std::set<std::string> PackNames() {
  std::set<std::string> names;
  for (const collect::MappingFile& file : Packs()) {
    for (const collect::MappingRule& rule : file.rules)
      names.insert(rule.as);
  }
  return names;
}

TEST(MappingVocabulary, EveryNameIsDocumented) {
  const std::string vocabulary = ReadText("docs/vocabulary.md");
  for (const std::string& name : PackNames()) {
    EXPECT_NE(vocabulary.find('`' + name + '`'), std::string::npos)
        << name << " is not in docs/vocabulary.md";
  }
  for (const collect::CanonicalMetric& metric : collect::Vocabulary()) {
    EXPECT_TRUE(PackNames().contains(std::string(metric.name)))
        << metric.name << ": no pack maps to it";
  }
}

TEST(MappingVocabulary, EveryLabelIsDocumented) {
  const std::string vocabulary = ReadText("docs/vocabulary.md");
  for (const collect::MappingFile& file : Packs()) {
    std::map<std::string, std::set<std::string>> common;  // Labels that the whole file sets.
    for (const collect::MappingRule& rule : file.rules) {
      std::set<std::string> labels;
      for (const auto& [native, canonical] : rule.labels)
        labels.insert(canonical);
      for (const auto& [label, value] : rule.set)
        labels.insert(label);
      for (const collect::LabelValueMap& map : rule.map)
        labels.insert(map.to);
      const collect::CanonicalMetric* metric = collect::FindCanonicalMetric(rule.as);
      ASSERT_NE(metric, nullptr) << rule.as;
      for (const std::string& label : labels) {
        if (label.empty()) continue;
        EXPECT_NE((" " + std::string(metric->labels) + " ").find(" " + label + " "),
                  std::string::npos)
            << rule.as << ": label " << label
            << " is not in the table of collect/engine/vocabulary.cc";
        EXPECT_NE(vocabulary.find('`' + label + '`'), std::string::npos)
            << label << " is not in docs/vocabulary.md";
      }
    }
    for (const auto& [native, canonical] : file.labels) {
      if (canonical.empty()) continue;
      const bool listed = vocabulary.find('`' + canonical + '`') != std::string::npos ||
                          vocabulary.find(' ' + canonical + ' ') != std::string::npos;
      EXPECT_TRUE(listed) << file.name << ": label " << canonical
                          << " is not in docs/vocabulary.md";
    }
  }
}

TEST(MappingVocabulary, AgreesWithTheStudyOfEngines) {
  const std::string path = "../shared/facts/canonical-metrics.json";
  PosixEnv env;
  if (!env.Exists(path)) GTEST_SKIP() << path << " is not here";
  auto document = JsonDocument::Parse(ReadText(path));
  ASSERT_TRUE(document.ok());
  std::map<std::string, std::string> types;
  for (const char* list : {"concepts", "accelerators"}) {
    const JsonView items = document->root()[list];
    for (std::size_t i = 0; i < items.size(); ++i) {
      types[std::string(*items.at(i)["name"].string())] =
          std::string(*items.at(i)["type"].string());
    }
  }
  ASSERT_GT(types.size(), 50U);
  for (const std::string& name : PackNames()) {
    const std::string family = name.ends_with("_count") ? name.substr(0, name.size() - 6) : name;
    ASSERT_TRUE(types.contains(family)) << name;
    EXPECT_EQ(types[family], ToString(collect::FindCanonicalMetric(name)->type)) << name;
  }
}

// Every native name of a rule is one that the engine has, or had.
TEST(MappingVocabulary, NativeNamesExist) {
  const std::string path = "../shared/facts/engine-metrics.json";
  PosixEnv env;
  if (!env.Exists(path)) GTEST_SKIP() << path << " is not here";
  auto document = JsonDocument::Parse(ReadText(path));
  ASSERT_TRUE(document.ok());
  std::set<std::string> known = {// Of older versions, or of a field that one has to switch on.
                                 "vllm:gpu_cache_usage_perc", "vllm:cpu_cache_usage_perc",
                                 "vllm:time_per_output_token_seconds",
                                 "llamacpp:kv_cache_usage_ratio", "DCGM_FI_DEV_FB_TOTAL"};
  const JsonView root = document->root();
  for (std::size_t i = 0; i < root.size(); ++i)
    known.insert(std::string(*root.at(i)["name"].string()));
  for (const collect::MappingFile& file : Packs()) {
    for (const collect::MappingRule& rule : file.rules) {
      for (const std::string& native : rule.native)
        EXPECT_TRUE(known.contains(native)) << native;
    }
  }
}

// ------------------------------------------------------------------------------------------------
// the reader

std::string ErrorOf(std::string_view text) {
  const auto file = ParseMappingFile(text, "m.yaml");
  return file ? "" : file.error().message();
}

TEST(MappingFile, EveryField) {
  const auto file = ParseMappingFile(R"(
name: mine
wrappers: [ray_]
require: model_name
skip:
  - {tp_rank: {not: ["", "0"]}, dp_rank: ""}
labels: {model_name: model, noise: ""}
set: {engine: mine}
rules:
  - native: [a:x, a:y]
    as: deepseek_thing_seconds
    type: histogram
    help: A thing.
    native_type: any
    scale: 1e-3
    when: {stage: [one, two]}
    labels: {stage: ""}
    set: {tier: device}
    map:
      - {from: reason, to: outcome, values: {a: b}, default: ""}
      - {from: code, to: class, values: {"200": ok}}
    keep: [job]
    value_from: [n, size]
    require: []
)",
                                     "m.yaml");
  ASSERT_TRUE(file.ok()) << file.error().message();
  EXPECT_EQ(file->name, "mine");
  EXPECT_EQ(file->origin, "m.yaml");
  EXPECT_EQ(file->wrappers, std::vector<std::string>{"ray_"});
  EXPECT_EQ(file->require, std::vector<std::string>{"model_name"});
  ASSERT_EQ(file->skip.size(), 1U);
  ASSERT_EQ(file->skip[0].size(), 2U);
  EXPECT_TRUE(file->skip[0][0].negated);
  EXPECT_EQ(file->skip[0][0].values, (std::vector<std::string>{"", "0"}));
  EXPECT_EQ(file->skip[0][1].values, std::vector<std::string>{""});
  EXPECT_EQ(file->labels, (collect::StringPairs{{"model_name", "model"}, {"noise", ""}}));
  ASSERT_EQ(file->rules.size(), 1U);
  const collect::MappingRule& rule = file->rules[0];
  EXPECT_EQ(rule.native, (std::vector<std::string>{"a:x", "a:y"}));
  EXPECT_EQ(rule.as, "deepseek_thing_seconds");
  EXPECT_EQ(rule.type, MetricType::kHistogram);
  EXPECT_EQ(rule.native_type, MetricType::kUnknown);
  EXPECT_EQ(rule.help, "A thing.");
  EXPECT_EQ(rule.scale, 0.001);
  ASSERT_EQ(rule.when.size(), 1U);
  EXPECT_FALSE(rule.when[0].negated);
  EXPECT_EQ(rule.labels, (collect::StringPairs{{"stage", ""}}));
  ASSERT_EQ(rule.map.size(), 2U);
  EXPECT_EQ(rule.map[0].fallback, "");
  EXPECT_EQ(rule.map[1].fallback, std::nullopt);
  EXPECT_EQ(rule.map[1].values, (collect::StringPairs{{"200", "ok"}}));
  EXPECT_EQ(rule.keep, std::vector<std::string>{"job"});
  EXPECT_EQ(rule.value_from, (std::vector<std::string>{"n", "size"}));
  EXPECT_EQ(rule.require, std::vector<std::string>{});
}

TEST(MappingFile, DefaultsOfARule) {
  const auto file = ParseMappingFile(
      "name: m\nrules:\n- {native: \"a:x\", as: deepseek_requests_running}\n", "m.yaml");
  ASSERT_TRUE(file.ok()) << file.error().message();
  EXPECT_EQ(file->rules[0].scale, 1);
  EXPECT_FALSE(file->rules[0].type);
  EXPECT_FALSE(file->rules[0].require);
}

TEST(MappingFile, ErrorsNameTheirPlace) {
  EXPECT_THAT(ErrorOf("rules: []\n"), HasSubstr("m.yaml:1:1: name is missing"));
  EXPECT_THAT(ErrorOf(""), HasSubstr("m.yaml:1:1: name is missing"));
  EXPECT_THAT(
      ErrorOf("name: m\nruls: []\n"),
      HasSubstr("m.yaml:2:1: field ruls not found in type mapping.file; did you mean rules?"));
  EXPECT_THAT(ErrorOf("name: m\nrules:\n- {as: x}\n"), HasSubstr("m.yaml:3:3: native is missing"));
  EXPECT_THAT(ErrorOf("name: m\nrules:\n- {native: x}\n"), HasSubstr("m.yaml:3:3: as is missing"));
  EXPECT_THAT(ErrorOf("name: m\nrules:\n- {native: x, as: y, type: countr}\n"),
              HasSubstr("m.yaml:3:28: type: \"countr\" is not a metric type"));
  EXPECT_THAT(ErrorOf("name: m\nrules:\n- {native: x, as: y, when: [a]}\n"),
              HasSubstr("m.yaml:3:28: when is a mapping of labels"));
  EXPECT_THAT(
      ErrorOf("name: m\nrules:\n- {native: x, as: y, when: {a: {nott: [b]}}}\n"),
      HasSubstr("m.yaml:3:32: when: a takes a value, a list of values, or {not: [values]}"));
  EXPECT_THAT(ErrorOf("name: m\nskip: {a: b}\n"),
              HasSubstr("m.yaml:2:7: skip is a list of conditions"));
  EXPECT_THAT(ErrorOf("name: m\nrules:\n- {native: x, as: y, map: [{to: z}]}\n"),
              HasSubstr("map: from is missing"));
  EXPECT_THAT(ErrorOf("name: m\nrules:\n- {native: x, as: y, scale: much}\n"),
              HasSubstr("m.yaml:3:29"));
  EXPECT_THAT(ErrorOf("name: [\n"), HasSubstr("m.yaml:"));
}

}  // namespace
}  // namespace sonde::config
