#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/env.h"
#include "base/json.h"
#include "base/number.h"
#include "collect/engine/map_page.h"
#include "collect/engine/mapping_check.h"
#include "collect/engine/mapping_list.h"
#include "collect/engine/native_name.h"
#include "collect/engine/vocabulary_mapper.h"
#include "config/mapping_file.h"
#include "model/labels.h"

// The mapping files that ship, over pages as engines write them: tests/mappings/<page>.txt, and
// <page>.expected with what must be stored beside it.

namespace sonde::config {
namespace {

namespace fs = std::filesystem;
using ::testing::IsEmpty;
using ::testing::Not;

std::string ReadText(const std::string& path) {
  PosixEnv env;
  auto text = env.ReadFile(path, 16U << 20);
  EXPECT_TRUE(text.ok()) << path;
  return std::move(text).value_or("");
}

/// The files of a folder that end in `extension`, without it, sorted.
std::vector<std::string> NamesIn(const std::string& folder, const std::string& extension) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == extension) names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<collect::MappingFile> Packs() {
  std::vector<collect::MappingFile> files;
  for (const std::string& name : NamesIn("packs/mappings", ".yaml")) {
    const std::string path = "packs/mappings/" + name + ".yaml";
    auto file = ParseMappingFile(ReadText(path), path);
    EXPECT_TRUE(file.ok()) << (file ? "" : file.error().message());
    if (file) files.push_back(*std::move(file));
  }
  return files;
}

std::unique_ptr<collect::VocabularyMapper> Compile(std::vector<collect::MappingFile> files) {
  auto mapper = collect::VocabularyMapper::Compile(std::move(files));
  EXPECT_TRUE(mapper.ok()) << (mapper ? "" : mapper.error().message());
  return mapper ? *std::move(mapper) : nullptr;
}

std::vector<collect::NativeSample> MapPage(const collect::VocabularyMapper& mapper,
                                           const std::string& page) {
  const std::string text = ReadText("tests/mappings/" + page + ".txt");
  auto samples = collect::MapPage(mapper, text, collect::SniffFormat(text),
                                  Labels::Of({{"job", "llm"}, {"instance", "engine:8000"}}));
  EXPECT_TRUE(samples.ok()) << page << ": " << (samples ? "" : samples.error().message());
  return samples ? *std::move(samples) : std::vector<collect::NativeSample>();
}

/// What the mapper writes beside a page, a line each, sorted: `name{labels} value type`, and the
/// timestamp if the page has it.
std::string Expected(const std::vector<collect::NativeSample>& samples) {
  std::vector<std::string> lines;
  for (const collect::NativeSample& sample : samples) {
    for (const collect::CanonicalSample& canonical : sample.canonical) {
      std::string line = canonical.labels.ToString() + " ";
      AppendFloatG(line, canonical.value);
      line += " " + std::string(ToString(canonical.type));
      if (sample.timestamp) line += " @" + std::to_string(sample.timestamp->ms);
      lines.push_back(line + "\n");
    }
  }
  std::sort(lines.begin(), lines.end());
  std::string text;
  for (const std::string& line : lines)
    text += line;
  return text;
}

class MappingPacks : public ::testing::TestWithParam<std::string> {
 protected:
  MappingPacks() : mapper_(Compile(Packs())) {}
  std::unique_ptr<collect::VocabularyMapper> mapper_;
};

TEST_P(MappingPacks, Golden) {
  EXPECT_EQ(Expected(MapPage(*mapper_, GetParam())),
            ReadText("tests/mappings/" + GetParam() + ".expected"));
}

// Two native series that give the same canonical one would fight over it at every scrape.
TEST_P(MappingPacks, NoSeriesTwice) {
  for (const collect::NativeSample& sample : MapPage(*mapper_, GetParam())) {
    for (const collect::CanonicalSample& canonical : sample.canonical) {
      EXPECT_FALSE(canonical.repeated) << canonical.labels.ToString();
      EXPECT_NE(canonical.help, "") << canonical.labels.ToString();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Pages, MappingPacks,
                         ::testing::ValuesIn(NamesIn("tests/mappings", ".txt")),
                         [](const auto& page) { return page.param; });

// The two spellings of SGLang's names give the same.
TEST_F(MappingPacks, SpellingsAgree) {
  EXPECT_EQ(Expected(MapPage(*mapper_, "sglang")),
            Expected(MapPage(*mapper_, "sglang_underscores")));
}

// A rule that no page shows is one that nobody has seen work.
TEST(MappingRules, EachIsSeenOnAPage) {
  const auto nothing = Compile({});
  std::vector<collect::NativeSample> samples;
  for (const std::string& page : NamesIn("tests/mappings", ".txt")) {
    for (collect::NativeSample& sample : MapPage(*nothing, page))
      samples.push_back(std::move(sample));
  }
  for (const collect::MappingFile& file : Packs()) {
    for (const collect::MappingRule& rule : file.rules) {
      collect::MappingFile alone = file;
      alone.rules = {rule};
      const auto mapper = Compile({alone});
      std::vector<MappedSeries> mapped;
      for (const collect::NativeSample& sample : samples)
        mapper->Map(sample.labels, sample.type, mapped);
      EXPECT_THAT(mapped, Not(IsEmpty())) << file.origin << ":" << rule.place.line << ": "
                                          << rule.native.front() << " → " << rule.as;
    }
  }
}

TEST(MappingVocabulary, EveryNameIsDocumented) {
  const std::string vocabulary = ReadText("docs/vocabulary.md");
  for (const collect::CanonicalMetric& metric : collect::Vocabulary()) {
    EXPECT_NE(vocabulary.find('`' + std::string(metric.name) + '`'), std::string::npos)
        << metric.name << " is not in docs/vocabulary.md";
  }
}

// docs/metrics.md is what `sonde map --list` prints.
TEST(MappingVocabulary, TheListOfMetricsIsUpToDate) {
  EXPECT_EQ(collect::ListMetrics(Packs()), ReadText("docs/metrics.md"))
      << "write it anew: sonde map --list > docs/metrics.md";
}

void ExpectDocumented(const std::string& label, const std::string& vocabulary,
                      const std::string& where) {
  const bool listed = vocabulary.find('`' + label + '`') != std::string::npos ||
                      vocabulary.find(' ' + label + ' ') != std::string::npos;
  EXPECT_TRUE(listed) << where << ": label " << label << " is not in docs/vocabulary.md";
}

/// The labels that a rule gives a series beside its file's.
std::set<std::string> LabelsOf(const collect::MappingRule& rule) {
  std::set<std::string> labels;
  for (const auto& [native, canonical] : rule.labels)
    labels.insert(canonical);
  for (const auto& [label, value] : rule.set)
    labels.insert(value.empty() ? "" : label);
  for (const collect::LabelValueMap& map : rule.map)
    labels.insert(map.to);
  const auto names = collect::ExpandNativeName(rule.native.front());
  for (const auto& [label, value] : names->front().labels)
    labels.insert(label);
  labels.erase("");
  // Those that every series of an engine or router has.
  for (const char* common : {"source", "model", "engine"})
    labels.erase(common);
  return labels;
}

TEST(MappingVocabulary, EveryLabelIsDocumented) {
  const std::string vocabulary = ReadText("docs/vocabulary.md");
  for (const collect::MappingFile& file : Packs()) {
    for (const collect::MappingRule& rule : file.rules) {
      const collect::CanonicalMetric* metric = collect::FindCanonicalFamily(rule.as);
      ASSERT_NE(metric, nullptr) << rule.as;
      for (const std::string& label : LabelsOf(rule)) {
        EXPECT_NE((" " + std::string(metric->labels) + " ").find(" " + label + " "),
                  std::string::npos)
            << file.origin << ":" << rule.place.line << ": " << rule.as << ": label " << label
            << " is not in the table of collect/engine/vocabulary.cc";
        ExpectDocumented(label, vocabulary, file.origin);
      }
    }
    for (const auto& [native, canonical] : file.labels) {
      if (!canonical.empty()) ExpectDocumented(canonical, vocabulary, file.origin);
    }
  }
}

// ------------------------------------------------------------------------------------------------
// against the study of what engines export

constexpr const char* kConcepts = "../shared/facts/canonical-metrics.json";

TEST(MappingStudy, TheVocabularyHasItsConcepts) {
  PosixEnv env;
  if (!env.Exists(kConcepts)) GTEST_SKIP() << kConcepts << " is not here";
  const auto document = JsonDocument::Parse(ReadText(kConcepts));
  ASSERT_TRUE(document.ok());
  std::map<std::string, std::string> types;
  for (const char* list : {"concepts", "accelerators"}) {
    const JsonView items = document->root()[list];
    for (std::size_t i = 0; i < items.size(); ++i) {
      types[std::string(*items.at(i)["name"].string())] =
          std::string(*items.at(i)["type"].string());
    }
  }
  ASSERT_EQ(types.size(), 64U);
  for (const auto& [name, type] : types) {
    const collect::CanonicalMetric* metric = collect::FindCanonicalMetric(name);
    ASSERT_NE(metric, nullptr) << name;
    EXPECT_EQ(ToString(metric->type), type) << name;
  }
}

/// Which pages of tests/mappings an engine of the study is seen on: by the beginning of the name.
const std::map<std::string, std::vector<std::string>>& PagesOfEngines() {
  static const std::map<std::string, std::vector<std::string>> pages = {
      {"vllm", {"vllm"}},
      {"sglang", {"sglang"}},
      {"tensorrt-llm", {"trtllm", "dynamo_worker"}},
      {"triton", {"triton"}},
      {"tgi", {"tgi"}},
      {"llama.cpp", {"llamacpp"}},
      {"lmdeploy", {"lmdeploy"}},
      {"dynamo", {"dynamo"}},
      {"llm-d-router", {"llm_d_router"}},
      {"litellm", {"litellm"}},
      {"dcgm-exporter", {"dcgm"}},
      {"nvidia_gpu_exporter", {"nvidia_smi"}},
      {"rocm-device-metrics-exporter", {"rocm"}},
      {"ascend-npu-exporter", {"ascend"}},
  };
  return pages;
}

/// Whether docs/mappings.md lists the concept of this engine as one that a mapping cannot give.
bool IsException(const std::string& document, const std::string& metric,
                 const std::string& engine) {
  std::size_t at = document.find("## What a mapping cannot say");
  while (at != std::string::npos) {
    const std::size_t end = document.find('\n', at);
    const std::string line = document.substr(at, end - at);
    if (line.starts_with("| `" + metric + "` |") && line.find(engine) != std::string::npos)
      return true;
    at = end == std::string::npos ? end : end + 1;
  }
  return false;
}

TEST(MappingStudy, EveryConceptOfAnEngineIsMappedOrExcused) {
  PosixEnv env;
  if (!env.Exists(kConcepts)) GTEST_SKIP() << kConcepts << " is not here";
  const auto document = JsonDocument::Parse(ReadText(kConcepts));
  ASSERT_TRUE(document.ok());
  const std::string exceptions = ReadText("docs/mappings.md");
  std::map<std::string, std::string> written;  // Engine → all that its pages become.
  for (const auto& [engine, prefixes] : PagesOfEngines()) {
    for (const std::string& page : NamesIn("tests/mappings", ".expected")) {
      const bool its = std::any_of(prefixes.begin(), prefixes.end(),
                                   [&](const auto& prefix) { return page.starts_with(prefix); });
      if (its) written[engine] += "\n" + ReadText("tests/mappings/" + page + ".expected");
    }
  }
  std::size_t mapped = 0;
  for (const char* list : {"concepts", "accelerators"}) {
    const JsonView items = document->root()[list];
    for (std::size_t i = 0; i < items.size(); ++i) {
      const std::string name(*items.at(i)["name"].string());
      for (const auto& [engine, page] : written) {
        const std::string source(items.at(i)["sources"][engine].string().value_or("—"));
        if (source.starts_with("—")) continue;
        const bool seen = page.find("\n" + name + "{") != std::string::npos ||
                          page.find("\n" + name + "_sum{") != std::string::npos ||
                          page.find("\n" + name + "_count{") != std::string::npos;
        mapped += seen ? 1 : 0;
        EXPECT_TRUE(seen || IsException(exceptions, name, engine))
            << name << " of " << engine << ": " << source;
      }
    }
  }
  EXPECT_GT(mapped, 200U);
}

// Every native name of a rule is one that the engine has, or had.
TEST(MappingStudy, NativeNamesExist) {
  const std::string path = "../shared/facts/engine-metrics.json";
  PosixEnv env;
  if (!env.Exists(path)) GTEST_SKIP() << path << " is not here";
  const auto document = JsonDocument::Parse(ReadText(path));
  ASSERT_TRUE(document.ok());
  std::set<std::string> known = {// Of older versions, or of a field that one has to switch on.
                                 "vllm:gpu_cache_usage_perc",
                                 "vllm:cpu_cache_usage_perc",
                                 "vllm:time_per_output_token_seconds",
                                 "llamacpp:kv_cache_usage_ratio",
                                 "DCGM_FI_DEV_FB_TOTAL",
                                 "dynamo_component_kvstats_gpu_cache_usage_percent"};
  const auto renamed = [](std::string name, std::string_view from, std::string_view to) {
    const std::size_t at = name.find(from);
    return at == std::string::npos ? name : name.replace(at, from.size(), to);
  };
  const JsonView root = document->root();
  for (std::size_t i = 0; i < root.size(); ++i) {
    std::string name(*root.at(i)["name"].string());
    std::replace(name.begin(), name.end(), '.', '_');  // OTel's.
    for (const std::string& family :
         {name, name + "_seconds", renamed(name, "inference_objective_", "inference_model_"),
          renamed(name, "dynamo_frontend_", "nv_llm_http_service_"),
          renamed(name, "event_reasons", "throttle_reasons")}) {
      for (const char* suffix : {"", "_sum", "_count"})
        known.insert(family + suffix);
    }
  }
  for (const collect::MappingFile& file : Packs()) {
    for (const collect::MappingRule& rule : file.rules) {
      for (const std::string& native : rule.native) {
        const auto names = collect::ExpandNativeName(native);
        ASSERT_TRUE(names.ok());
        const bool found = std::any_of(names->begin(), names->end(), [&](const auto& name) {
          return known.contains(name.name) ||
                 name.name.starts_with("npu_chip_info_bandwidth_");  // Old names end in an index.
        });
        EXPECT_TRUE(found) << native;
      }
    }
  }
}

}  // namespace
}  // namespace sonde::config
