#include <map>
#include <set>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/env.h"
#include "base/json.h"
#include "base/number.h"
#include "demo/simulated_node.h"

namespace sonde::demo {
namespace {

/// A node that has worked for a while.
std::pair<std::string, std::string> PagesAfterWork() {
  const Incident none;
  SimulatedNode node(DemoCluster()[0], none, 1);
  SimTime now{0};
  for (int i = 0; i < 200; ++i) {
    now += SimTime(300'000);
    SimRequest request;
    request.prompt_tokens = 500;
    request.output_tokens = 50;
    for (std::uint64_t block = 0; block < 7; ++block)
      request.prefix_hashes.push_back(block + 1);
    EXPECT_TRUE(node.Submit(request, now).ok());
    node.CountHttp("/v1/chat/completions", 200);
  }
  now += SimTime(60'000'000);
  return {node.EnginePage(now), node.GpuPage(now)};
}

struct Family {
  std::string type, help;
  std::set<std::string> labels;
  std::vector<double> bounds;
};

std::map<std::string, Family> ReadFamilies(const std::string& page) {
  std::map<std::string, Family> families;
  std::istringstream lines(page);
  std::string current;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string hash;
    std::string keyword;
    if (line.starts_with("# ")) {
      words >> hash >> keyword >> current;
      std::string rest;
      std::getline(words, rest);
      (keyword == "TYPE" ? families[current].type : families[current].help) = rest.substr(1);
      continue;
    }
    Family& family = families[current];
    EXPECT_TRUE(line.starts_with(current)) << line;
    EXPECT_NE(line.find("simulated=\"true\""), std::string::npos) << line;
    std::string labels = line.substr(line.find('{') + 1);
    while (!labels.empty() && labels.front() != '}') {
      const std::size_t equals = labels.find("=\"");
      const std::size_t quote = labels.find('"', equals + 2);
      const std::string name = labels.substr(0, equals);
      const std::string value = labels.substr(equals + 2, quote - equals - 2);
      if (name == "le" && value != "+Inf") family.bounds.push_back(*ParseFloat(value));
      if (name != "le") family.labels.insert(name);
      labels = labels.substr(quote + (labels[quote + 1] == ',' ? 2 : 1));
    }
  }
  return families;
}

// The study of engines is not part of the repository; where it is, the pages must agree with it
// name by name.
TEST(Pages, NamesTypesLabelsAndBucketsAreTheRealOnes) {
  const std::string path = "../shared/facts/engine-metrics.json";
  PosixEnv env;
  if (!env.Exists(path)) GTEST_SKIP() << path << " is not here";
  const auto document = JsonDocument::Parse(*env.ReadFile(path, 16U << 20));
  ASSERT_TRUE(document.ok());
  std::map<std::string, JsonView> known;
  for (std::size_t i = 0; i < document->root().size(); ++i) {
    const JsonView metric = document->root().at(i);
    const std::string engine(*metric["engine"].string());
    if (engine == "vllm" || engine == "dcgm-exporter")
      known[std::string(*metric["name"].string())] = metric;
  }
  const auto [engine_page, gpu_page] = PagesAfterWork();
  auto families = ReadFamilies(engine_page);
  families.merge(ReadFamilies(gpu_page));
  ASSERT_GT(families.size(), 45U);
  // Not in dcgm-exporter's own list, but a field of DCGM that docs/mappings.md asks to add to it.
  families.erase("DCGM_FI_DEV_FB_TOTAL");
  for (const auto& [name, family] : families) {
    ASSERT_TRUE(known.contains(name)) << name << " does not exist in vLLM or dcgm-exporter";
    const JsonView real = known[name];
    EXPECT_EQ(family.type, *real["type"].string()) << name;
    // The study adds remarks in brackets, and words of its own for what is not vLLM's.
    if (name != "http_requests_total") {
      EXPECT_EQ(std::string(*real["help"].string()).substr(0, family.help.size()), family.help)
          << name;
    }
    std::set<std::string> real_labels = {"simulated"};
    for (std::size_t i = 0; i < real["labels"].size(); ++i) {
      real_labels.insert(std::string(*real["labels"].at(i).string()));
    }
    for (const std::string& label : family.labels)
      EXPECT_TRUE(real_labels.contains(label)) << name << " " << label;
    const JsonView buckets = real["buckets"];
    if (!buckets.is_array()) continue;
    ASSERT_EQ(family.bounds.size(), buckets.size()) << name;
    for (std::size_t i = 0; i < buckets.size(); ++i)
      EXPECT_EQ(family.bounds[i], buckets.at(i).number()) << name;
  }
}

TEST(Pages, HistogramsAddUp) {
  const std::string page = PagesAfterWork().first;
  std::istringstream lines(page);
  double last = 0;
  double infinity = -1;
  int histograms = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# ")) {
      last = 0;
      continue;
    }
    const double value = *ParseFloat(line.substr(line.rfind(' ') + 1));
    if (line.find("_bucket{") != std::string::npos) {
      EXPECT_GE(value, last) << line;
      last = value;
      if (line.find("le=\"+Inf\"") != std::string::npos) infinity = value;
    } else if (line.find("_count{") != std::string::npos) {
      EXPECT_EQ(value, infinity) << line;
      ++histograms;
    }
  }
  EXPECT_EQ(histograms, 15);
}

TEST(Pages, WhatWasDoneIsShown) {
  const std::string page = PagesAfterWork().first;
  const auto line = [](const std::string& text) { return ::testing::HasSubstr(text); };
  EXPECT_THAT(
      page,
      line("vllm:request_success_total{engine=\"0\",model_name=\"deepseek-v3\",simulated=\"true\","
           "finished_reason=\"stop\"} 200.0\n"));
  EXPECT_THAT(page, line("vllm:prompt_tokens_total{engine=\"0\",model_name=\"deepseek-v3\","
                         "simulated=\"true\"} 100000.0\n"));
  EXPECT_THAT(page, line("vllm:generation_tokens_total{engine=\"0\",model_name=\"deepseek-v3\","
                         "simulated=\"true\"} 10000.0\n"));
  EXPECT_THAT(page, line("num_gpu_blocks=\"1024\"} 1.0\n"));
  EXPECT_THAT(
      page,
      line(
          "http_requests_total{simulated=\"true\",handler=\"/v1/chat/completions\",method=\"POST\","
          "status=\"2xx\"} 200.0\n"));
}

}  // namespace
}  // namespace sonde::demo
