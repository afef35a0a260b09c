#include "insight/blind_spot_watch.h"

#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/duration.h"
#include "promql/promqltest/memory_store.h"
#include "promql/promqltest/script.h"

namespace sonde::insight {
namespace {

using ::testing::HasSubstr;

/// One case of tests/insight/blind_spots.test.
struct Case {
  std::string title;
  int line = 0;
  std::vector<BlindSpotFacts::Engine> engines;
  bool gateway_on = true;
  std::string load;
  Duration at{0};
  struct Expected {
    std::string finding;
    std::string text;
  };
  std::vector<Expected> expected;
};

std::string InstanceOfUrl(const std::string& url) {
  const bool tls = url.starts_with("https://");
  std::string host = url.substr(tls ? 8 : 7);
  if (host.find(':') == std::string::npos) host += tls ? ":443" : ":80";
  return host;
}

std::vector<Case> ReadCases() {
  std::ifstream in("tests/insight/blind_spots.test");
  EXPECT_TRUE(in) << "run from the root of the repository";
  std::vector<Case> cases;
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (word.empty() || word == "#") continue;
    if (word == "case") {
      cases.emplace_back();
      cases.back().title = line.substr(5);
      cases.back().line = number;
      continue;
    }
    Case& at = cases.back();
    if (word == "engine") {
      BlindSpotFacts::Engine engine;
      std::string is;
      words >> engine.url >> engine.engine >> is;
      engine.instance = InstanceOfUrl(engine.url);
      engine.up = is.find("up") != std::string::npos;
      engine.serves_api = is.find("api") != std::string::npos;
      engine.has_metrics = is.find("metrics") != std::string::npos;
      at.engines.push_back(std::move(engine));
    } else if (word == "no-gateway") {
      at.gateway_on = false;
    } else if (word == "load") {
      at.load = line + "\n";
      while (std::getline(in, line) && !line.empty()) {
        ++number;
        at.load += line + "\n";
      }
      ++number;
    } else if (word == "at") {
      auto duration = ParseDuration(line.substr(3));
      EXPECT_TRUE(duration) << "line " << number;
      if (duration) at.at = *duration;
    } else if (word == "expect") {
      const std::size_t colon = line.find(" : ");
      if (colon == std::string::npos) {
        ADD_FAILURE() << "line " << number << ": no ' : '";
        continue;
      }
      at.expected.push_back({line.substr(7, colon - 7), line.substr(colon + 3)});
    } else {
      ADD_FAILURE() << "line " << number << ": " << line;
    }
  }
  return cases;
}

void Load(const std::string& text, promql::MemoryStore& store) {
  const auto commands = promql::ParseScript(text);
  ASSERT_TRUE(commands) << commands.error().message();
  for (const promql::Command& command : *commands) {
    const auto& load = std::get<promql::LoadCommand>(command);
    for (const promql::LoadedSeries& series : load.series) {
      for (std::size_t i = 0; i < series.values.size(); ++i) {
        if (series.values[i].omitted) continue;
        const Timestamp t = Timestamp{} + load.step * static_cast<std::int64_t>(i);
        ASSERT_EQ(store.Append(series.labels, t, series.values[i].v), storage::AppendError::kNone);
      }
    }
  }
}

std::string Describe(const BlindSpot& spot) {
  std::string out = std::string(ToString(spot.kind)) + " " + std::string(ToString(spot.severity));
  if (!spot.instance.empty()) out += " instance=" + spot.instance;
  if (!spot.node.empty()) out += " node=" + spot.node;
  if (!spot.engine.empty()) out += " engine=" + spot.engine;
  if (!spot.model.empty()) out += " model=" + spot.model;
  return out;
}

class BlindSpotTest : public ::testing::Test {
 protected:
  std::unique_ptr<BlindSpotWatch> Watch(const Case& at) {
    clock_.Set(Timestamp{} + at.at);
    return std::make_unique<BlindSpotWatch>(
        BlindSpotOptions{}, "deepseek_", store_, *evaluator_, clock_, Logger(sink_, clock_),
        registry_,
        BlindSpotWatch::Sources{[engines = at.engines] { return engines; }, at.gateway_on,
                                "myhost"});
  }
  std::vector<std::string> Series() const {
    std::vector<std::string> all;
    for (const auto& family : registry_.Snapshot()) {
      if (family.name != "sonde_blind_spot") continue;
      for (const auto& point : family.points) {
        std::string text;
        for (const auto& [name, value] : point.labels)
          text += (text.empty() ? "" : ",") + name + "=" + value;
        all.push_back(text + " " + std::to_string(static_cast<int>(point.value)));
      }
    }
    return all;
  }

  ManualClock clock_;
  MemorySink sink_;
  instrument::Registry registry_;
  promql::MemoryStore store_;
  std::unique_ptr<promql::Evaluator> evaluator_ = promql::NewEvaluator(clock_);
};

TEST_F(BlindSpotTest, FindsWhatTheCasesSay) {
  const auto cases = ReadCases();
  ASSERT_GE(cases.size(), 15U);
  std::set<std::string> kinds;
  for (const Case& at : cases) {
    SCOPED_TRACE("line " + std::to_string(at.line) + ": " + at.title);
    store_.Clear();
    if (!at.load.empty()) Load(at.load, store_);
    const BlindSpotReport report = Watch(at)->Look();
    EXPECT_THAT(report.failed, ::testing::IsEmpty());
    std::vector<std::string> found;
    std::vector<std::string> expected;
    for (const BlindSpot& spot : report.findings) {
      found.push_back(Describe(spot));
      kinds.insert(std::string(ToString(spot.kind)));
      EXPECT_FALSE(spot.what.empty() || spot.why.empty() || spot.how.empty()) << found.back();
    }
    for (const Case::Expected& one : at.expected)
      expected.push_back(one.finding);
    EXPECT_EQ(found, expected);
    for (std::size_t i = 0; i < at.expected.size() && i < report.findings.size(); ++i) {
      const BlindSpot& spot = report.findings[i];
      EXPECT_THAT(spot.what + " | " + spot.how, HasSubstr(at.expected[i].text));
    }
  }
  EXPECT_EQ(kinds.size(), kBlindSpotKinds) << "a kind has no case";
}

TEST_F(BlindSpotTest, ASeriesForEachFinding) {
  Case at;
  at.at = Duration(60'000);
  at.engines = {{"http://a:30000", "a:30000", "sglang", true, true, false}};
  auto watch = Watch(at);
  EXPECT_THAT(Series(), ::testing::IsEmpty());
  watch->Look();
  EXPECT_THAT(Series(),
              ::testing::ElementsAre(
                  "kind=engine_metrics_off,severity=warning,instance=a:30000,engine=sglang 1",
                  "kind=no_accelerator_metrics,severity=warning,node=a,engine=sglang 1"));
  watch.reset();
  EXPECT_EQ(Series().size(), 2U) << "the registry may be read after the watch has gone";
}

TEST_F(BlindSpotTest, WhatIsMendedIsGone) {
  std::vector<BlindSpotFacts::Engine> engines = {
      {"https://a.example.com", "a.example.com:443", "sglang", true, true, false}};
  clock_.Set(Timestamp{60'000});
  BlindSpotWatch watch(BlindSpotOptions{}, "deepseek_", store_, *evaluator_, clock_,
                       Logger(sink_, clock_), registry_, {[&] { return engines; }, true, ""});
  watch.Look();
  EXPECT_EQ(Series().size(), 1U);
  engines.front().has_metrics = true;
  clock_.Advance(Duration(60'000));
  watch.Look();
  EXPECT_THAT(Series(), ::testing::IsEmpty());
}

TEST_F(BlindSpotTest, WhoAsksInALoopGetsTheLastReport) {
  Case at;
  at.at = Duration(60'000);
  int asked = 0;
  BlindSpotWatch watch(BlindSpotOptions{}, "deepseek_", store_, *evaluator_, clock_,
                       Logger(sink_, clock_), registry_,
                       {[&] {
                          ++asked;
                          return std::vector<BlindSpotFacts::Engine>();
                        },
                        true, ""});
  clock_.Set(Timestamp{60'000});
  watch.Look();
  watch.Look();
  EXPECT_EQ(asked, 1);
  clock_.Advance(Duration(1'000));
  watch.Look();
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(watch.report().time.ms, 61'000);
}

/// A store that cannot be read.
class BrokenStore final : public storage::Queryable {
 public:
  Result<std::unique_ptr<storage::Querier>> NewQuerier(Timestamp, Timestamp) const override {
    return Error(ErrorKind::kIo, "the disk is gone");
  }
};

TEST_F(BlindSpotTest, AStoreThatFailsIsToldAndAccusesNobody) {
  const BrokenStore broken;
  clock_.Set(Timestamp{60'000});
  BlindSpotWatch watch(BlindSpotOptions{}, "deepseek_", broken, *evaluator_, clock_,
                       Logger(sink_, clock_), registry_,
                       {[] {
                          return std::vector<BlindSpotFacts::Engine>{
                              {"http://a:8000", "a:8000", "vllm", true, true, true}};
                        },
                        true, ""});
  const BlindSpotReport report = watch.Look();
  EXPECT_GT(report.failed.size(), 10U);
  EXPECT_THAT(report.failed.front(), HasSubstr("the disk is gone"));
  EXPECT_THAT(report.findings, ::testing::IsEmpty());
}

TEST_F(BlindSpotTest, TheThreadLooksAndStops) {
  Case at;
  at.at = Duration(60'000);
  auto watch = Watch(at);
  watch->Start();
  watch->Stop();
  watch->Stop();
}

TEST(HostOfInstance, IsTheInstanceWithoutItsPort) {
  EXPECT_EQ(HostOfInstance("10.0.0.5:8000"), "10.0.0.5");
  EXPECT_EQ(HostOfInstance("node7"), "node7");
  EXPECT_EQ(HostOfInstance("127.0.0.1:8000"), "localhost");
  EXPECT_EQ(HostOfInstance("[::1]:8000"), "localhost");
  EXPECT_EQ(HostOfInstance("[fd00::5]:8000"), "[fd00::5]");
}

}  // namespace
}  // namespace sonde::insight
