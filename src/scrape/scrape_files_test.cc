#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "base/duration.h"
#include "base/number.h"
#include "base/quote.h"
#include "scrape/recording_store.h"
#include "scrape/scrape_step.h"

// Runs tests/scrape/*.scrape; tests/scrape/README.md describes the format.

namespace sonde::scrape {
namespace {

/// Maps one native name to one canonical one, as a `map` line says.
class LineMapper final : public SeriesMapper {
 public:
  struct Line {
    std::string from;
    std::string to;
    double scale = 1;
    bool is_constant = false;
    ValueRule rule;
  };
  std::vector<Line> lines;

  void Map(LabelsView labels, MetricType type, std::vector<MappedSeries>& out) const override {
    for (const Line& line : lines) {
      if (labels.metric_name() != line.from) continue;
      LabelsBuilder builder(labels);
      builder.Set(kMetricName, line.to).Set("type", ToString(type));
      out.push_back(
          {builder.Build(), type, "", line.scale, line.is_constant, line.scale, &line.rule});
    }
  }
};

class ScrapeFile {
 public:
  explicit ScrapeFile(const std::string& path) : path_(path), in_(path) {}

  void Run() {
    std::string line;
    while (Next(line)) {
      std::istringstream words(line);
      std::string verb;
      words >> verb;
      if (verb == "option") {
        std::string name;
        std::string value;
        words >> name;
        std::getline(words >> std::ws, value);
        SetOption(name, value);
      } else if (verb == "labels") {
        labels_ = ReadLabels(words);
      } else if (verb == "map") {
        LineMapper::Line map;
        std::string factor;
        words >> map.from >> map.to >> factor;
        map.is_constant = factor.starts_with('=');
        map.scale = factor.empty() ? 1 : *ParseFloat(factor.substr(1));
        std::string word;
        if (words >> word) map.rule.min = *ParseFloat(word.substr(sizeof("min=") - 1));
        mapper_.lines.push_back(map);
      } else if (verb == "relabel") {
        metric_rules_.push_back(ReadRule(words));
      } else if (verb == "scrape" || verb == "gone") {
        RunStep(verb, words);
      } else if (verb == "forget") {
        store_.ForgetSeries();
      } else {
        FAIL() << path_ << ":" << number_ << ": unknown line: " << line;
      }
    }
  }

 private:
  bool Next(std::string& line) {
    while (std::getline(in_, line)) {
      ++number_;
      if (!line.empty() && line[0] != '#') return true;
    }
    return false;
  }

  /// The lines that follow and begin with `prefix`.
  std::string Block(std::string_view prefix) {
    std::string text;
    std::string line;
    for (;;) {
      const auto place = in_.tellg();
      if (!std::getline(in_, line)) break;
      if (!line.starts_with(prefix)) {
        in_.seekg(place);
        break;
      }
      ++number_;
      text += line.substr(std::min(line.size(), prefix.size() + 1)) + "\n";
    }
    in_.clear();
    return text;
  }

  static Labels ReadLabels(std::istream& words) {
    LabelsBuilder builder;
    std::string pair;
    while (words >> pair)
      builder.Set(pair.substr(0, pair.find('=')), pair.substr(pair.find('=') + 1));
    return builder.Build();
  }

  static RelabelRule ReadRule(std::istream& words) {
    RelabelRule rule;
    std::string pair;
    while (words >> pair) {
      const std::string key = pair.substr(0, pair.find('='));
      const std::string value = pair.substr(pair.find('=') + 1);
      if (key == "source") rule.source_labels = {value};
      if (key == "regex") rule.regex = *Regex::Compile(value);
      if (key == "target") rule.target_label = value;
      if (key == "replacement") rule.replacement = value;
      if (key == "action") {
        rule.action = value == "drop"        ? RelabelAction::kDrop
                      : value == "keep"      ? RelabelAction::kKeep
                      : value == "labeldrop" ? RelabelAction::kLabelDrop
                                             : RelabelAction::kReplace;
      }
    }
    return rule;
  }

  void SetOption(const std::string& name, const std::string& value) {
    const bool on = value == "true";
    const std::uint64_t number = ParseUint(value).value_or(0);
    if (name == "honor_labels") {
      options_.honor_labels = on;
    } else if (name == "honor_timestamps") {
      options_.honor_timestamps = on;
    } else if (name == "track_timestamps_staleness") {
      options_.track_timestamps_staleness = on;
    } else if (name == "extra_scrape_metrics") {
      options_.extra_scrape_metrics = on;
    } else if (name == "legacy_names") {
      options_.legacy_names = on;
    } else if (name == "sample_limit") {
      options_.sample_limit = number;
    } else if (name == "label_limit") {
      options_.label_limit = number;
    } else if (name == "label_name_length_limit") {
      options_.label_name_length_limit = number;
    } else if (name == "label_value_length_limit") {
      options_.label_value_length_limit = number;
    } else if (name == "report") {
      show_report_ = on;
    } else {
      FAIL() << path_ << ":" << number_ << ": unknown option " << name;
    }
  }

  void RunStep(const std::string& verb, std::istream& words) {
    const int line = number_;
    std::string at;
    words >> at;
    const Timestamp time{ParseDuration(at).value_or(Duration(0)).count()};
    clock_.Set(time + Duration(100));
    if (!ingest_) {
      ingest_ =
          std::make_unique<PageIngest>(labels_, mapper_.lines.empty() ? nullptr : &mapper_, pool_);
    }
    options_.metric_relabel_rules = metric_rules_;
    std::string got;
    if (verb == "gone") {
      ASSERT_TRUE(IngestEndOfRun(*ingest_, options_, store_, time).ok());
    } else {
      got = Scrape(words, time);
    }
    std::string want = Block("=");
    for (const RecordingStore::Sample& sample : store_.Take())
      got += Show(sample);
    for (const auto& [series, exemplar] : store_.TakeExemplars())
      got += "exemplar " + series + " " + exemplar + "\n";
    EXPECT_EQ(got, want) << path_ << ":" << line;
  }

  std::string Scrape(std::istream& words, Timestamp time) {
    FetchedPage page;
    std::optional<Error> failure;
    std::string word;
    while (words >> word) {
      if (word == "openmetrics") page.format = wire::ExpositionFormat::kOpenMetrics;
      if (word == "refused") failure = Error(ErrorKind::kUnavailable, "connection refused");
      if (word == "too-large") failure = Error(ErrorKind::kLimit, "body size limit exceeded");
    }
    page.body = Block("|");
    if (page.body == "\n") page.body.clear();
    const FetchResult fetched = failure ? FetchResult(*failure) : FetchResult(std::move(page));
    const ScrapeOutcome outcome = IngestScrape(*ingest_, options_, store_, fetched, time, clock_,
                                               clock_.MonotonicNanos() - 50'000'000);
    const PageOutcome& p = outcome.page;
    std::ostringstream out;
    out << "up=" << (outcome.error ? 0 : 1) << " scraped=" << p.scraped << " kept=" << p.kept
        << " added=" << p.added;
    if (p.out_of_order > 0) out << " out_of_order=" << p.out_of_order;
    if (p.duplicates > 0) out << " duplicates=" << p.duplicates;
    if (p.out_of_bounds > 0) out << " out_of_bounds=" << p.out_of_bounds;
    out << "\n";
    if (outcome.error) out << "error " << outcome.error->message() << "\n";
    return out.str();
  }

  std::string Show(const RecordingStore::Sample& sample) const {
    const bool report =
        sample.labels.metric_name() == "up" || sample.labels.metric_name().starts_with("scrape_");
    if (report && !show_report_) return "";
    std::string value;
    if (IsStaleNan(sample.v)) {
      value = "stale";
    } else {
      AppendFloatG(value, sample.v);
    }
    return sample.labels.ToString() + " " + value + " @" + std::to_string(sample.t.ms) + "\n";
  }

  const std::string path_;
  std::ifstream in_;
  int number_ = 0;
  ScrapeOptions options_;
  std::vector<RelabelRule> metric_rules_;
  Labels labels_ = Labels::Of({{"instance", "i"}, {"job", "j"}});
  LineMapper mapper_;
  MetadataPool pool_;
  std::unique_ptr<PageIngest> ingest_;
  RecordingStore store_;
  ManualClock clock_;
  bool show_report_ = false;
};

TEST(ScrapeFiles, All) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator("tests/scrape")) {
    if (entry.path().extension() != ".scrape") continue;
    ++files;
    ScrapeFile(entry.path().string()).Run();
  }
  EXPECT_GE(files, 8);
}

}  // namespace
}  // namespace sonde::scrape
