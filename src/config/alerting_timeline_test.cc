#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "alerting/alertmanager.h"
#include "alerting/matcher_syntax.h"
#include "alerting/time_text.h"
#include "base/duration.h"
#include "base/fault_env.h"
#include "base/log.h"
#include "config/alertmanager_file.h"

// Runs tests/alerting/*.timeline (docs/formats/timeline.md): the whole pipeline in simulated time.

namespace sonde::config {
namespace {

struct Event {
  Duration at{0};
  std::string verb;
  std::string rest;
};

struct Timeline {
  std::string yaml;
  Timestamp start{1'767'571'200'000};  // 2026-01-05T00:00:00Z, a Monday.
  Duration end{0};
  std::vector<Event> events;
  std::string expected;
};

std::string TakeWord(std::string& text) {
  const std::size_t begin = text.find_first_not_of(' ');
  if (begin == std::string::npos) {
    text.clear();
    return {};
  }
  const std::size_t end = std::min(text.find(' ', begin), text.size());
  std::string word = text.substr(begin, end - begin);
  const std::size_t next = text.find_first_not_of(' ', end);
  text = next == std::string::npos ? "" : text.substr(next);
  return word;
}

Timeline ReadTimeline(const std::filesystem::path& file) {
  Timeline timeline;
  std::ifstream in(file);
  bool in_config = false;
  for (std::string line; std::getline(in, line);) {
    if (in_config && (line.empty() || line.starts_with("  "))) {
      timeline.yaml += line.empty() ? "\n" : line.substr(2) + "\n";
      continue;
    }
    in_config = false;
    if (line.empty() || line.starts_with("#")) continue;
    std::string rest = line;
    const std::string word = TakeWord(rest);
    if (word == "config") {
      in_config = true;
    } else if (word == "start") {
      timeline.start = alerting::ParseTime(rest).value_or(Timestamp{-1});
      EXPECT_NE(timeline.start.ms, -1) << line;
    } else if (word == "at" || word == "end") {
      const auto time = ParseDuration(TakeWord(rest));
      EXPECT_TRUE(time) << line;
      if (word == "end") {
        timeline.end = time ? *time : Duration(0);
      } else {
        const std::string verb = TakeWord(rest);
        timeline.events.push_back({time ? *time : Duration(0), verb, rest});
      }
    } else if (word == "expect") {
      std::string normal;
      while (!rest.empty())
        normal += (normal.empty() ? "" : " ") + TakeWord(rest);
      timeline.expected += normal + "\n";
    } else {
      ADD_FAILURE() << file << ": what is " << line;
    }
  }
  return timeline;
}

/// Name{a="b"} → labels.
Labels ParseAlert(const std::string& text) {
  const std::size_t brace = std::min(text.find('{'), text.size());
  LabelsBuilder builder;
  builder.Set("alertname", text.substr(0, brace));
  const auto parsed = alerting::ParseMatchers(text.substr(brace));
  EXPECT_TRUE(parsed) << text;
  for (const Matcher& matcher : parsed->matchers)
    builder.Set(matcher.name(), matcher.value());
  return builder.Build();
}

std::string ShowAlert(LabelsView labels) {
  std::string out(labels.Get("alertname"));
  std::string more;
  for (const LabelView label : labels) {
    if (label.name == "alertname") continue;
    more += (more.empty() ? "" : ",") + std::string(label.name) + "=" + std::string(label.value);
  }
  return more.empty() ? out : out + "{" + more + "}";
}

class Simulation {
 public:
  explicit Simulation(Timeline timeline)
      : timeline_(std::move(timeline)), clock_(timeline_.start), logger_(sink_, clock_) {
    auto config = ParseAlertmanagerFile(posix_, timeline_.yaml, "alertmanager.yml");
    EXPECT_TRUE(config) << config.error().message();
    if (config) options_ = config->options;
    env_ = std::make_unique<FaultEnv>();
    Open();
  }

  std::string Run() {
    std::size_t next_event = 0;
    const Timestamp end = timeline_.start + timeline_.end;
    while (alertmanager_ != nullptr) {
      const Timestamp due = alertmanager_->Tick();
      if (due <= clock_.Now()) continue;
      const bool has_event = next_event < timeline_.events.size();
      const Timestamp event =
          has_event ? timeline_.start + timeline_.events[next_event].at : Timestamp::Max();
      const Timestamp next = std::min(due, event);
      if (next > end) break;
      EXPECT_GE(next, clock_.Now()) << "the lines must be in the order of time";
      clock_.Set(next);
      if (event <= due) Do(timeline_.events[next_event++]);
    }
    return output_;
  }

 private:
  void Open() {
    alerting::AlertmanagerSettings settings;
    settings.data_dir = "/data";
    auto opened = alerting::Alertmanager::Open(
        options_, settings,
        {clock_, *env_, logger_,
         [this](const alerting::Notification& n, auto done) { Send(n, std::move(done)); }});
    EXPECT_TRUE(opened) << opened.error().message();
    alertmanager_ = opened ? *std::move(opened) : nullptr;
  }

  void Send(const alerting::Notification& n,
            const std::function<void(alerting::SendResult)>& done) {
    const std::string answer = answers_.contains(n.receiver) ? answers_[n.receiver] : "200";
    std::string line = FormatDuration(clock_.Now() - timeline_.start) + " " + n.receiver;
    if (n.integration->index > 0) line += "/" + std::to_string(n.integration->index);
    std::string reason(ToString(n.reason));
    std::replace(reason.begin(), reason.end(), ' ', '-');
    line += " " + reason + ":";
    for (const alerting::NotifiedAlert& alert : n.alerts)
      line += std::string(alert.resolved ? " -" : " ") + ShowAlert(alert.alert.labels);
    if (answer != "200") line += " (" + answer + ")";
    output_ += line + "\n";
    if (answer == "nothing") {
      held_.push_back(done);
      return;
    }
    done({answer == "200", answer.starts_with("5") || answer == "429", Duration(0), answer});
  }

  void Do(const Event& event) {
    std::string rest = event.rest;
    if (event.verb == "fire" || event.verb == "resolve") {
      Alert alert;
      alert.labels = ParseAlert(TakeWord(rest));
      if (event.verb == "resolve") alert.ends_at = clock_.Now();
      alert.starts_at = clock_.Now();
      if (const auto known = started_.find(alert.labels); known != started_.end())
        alert.starts_at = known->second;
      std::string option;
      while (!(option = TakeWord(rest)).empty()) {
        const Duration length = ParseDuration(TakeWord(rest)).value_or(Duration(0));
        if (option == "for") alert.ends_at = clock_.Now() + length;
        if (option == "since") alert.starts_at = clock_.Now() - length;
      }
      started_[alert.labels] = alert.starts_at;
      if (event.verb == "resolve") started_.erase(alert.labels);
      const auto status = alertmanager_->Put(std::span<const Alert>(&alert, 1));
      EXPECT_TRUE(status) << status.error().message();
    } else if (event.verb == "silence") {
      const std::string name = TakeWord(rest);
      alerting::Silence silence;
      silence.id = silences_[name];
      silence.starts_at = clock_.Now();
      if (const auto known = alertmanager_->FindSilence(silence.id))
        silence.starts_at = known->starts_at;
      silence.ends_at = clock_.Now() + *ParseDuration(TakeWord(rest));
      silence.matchers = alerting::ParseMatchers(rest)->matchers;
      silence.created_by = silence.comment = "test";
      const auto id = alertmanager_->SetSilence(silence);
      ASSERT_TRUE(id) << id.error().message();
      silences_[name] = *id;
    } else if (event.verb == "expire") {
      EXPECT_TRUE(alertmanager_->ExpireSilence(silences_[rest])) << rest;
    } else if (event.verb == "answer") {
      const std::string receiver = TakeWord(rest);
      answers_[receiver] = rest;
    } else if (event.verb == "kill" || event.verb == "powercut") {
      alertmanager_.reset();
      Rng rng(7);
      env_ = event.verb == "kill" ? env_->AfterKill() : env_->AfterPowerCut(rng);
      Open();
    } else if (event.verb == "reload") {
      alertmanager_->Reload(options_);
    } else {
      ADD_FAILURE() << "what is " << event.verb;
    }
  }

  const Timeline timeline_;
  ManualClock clock_;
  MemorySink sink_;
  Logger logger_;
  PosixEnv posix_;
  std::unique_ptr<FaultEnv> env_;
  alerting::Options options_;
  std::map<Labels, Timestamp> started_;
  std::map<std::string, std::string> silences_;
  std::map<std::string, std::string> answers_;
  std::vector<std::function<void(alerting::SendResult)>> held_;
  std::string output_;
  std::unique_ptr<alerting::Alertmanager> alertmanager_;
};

TEST(AlertingTimelines, All) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator("tests/alerting")) {
    if (entry.path().extension() == ".timeline") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  ASSERT_FALSE(files.empty());
  for (const auto& file : files) {
    SCOPED_TRACE(file);
    const Timeline timeline = ReadTimeline(file);
    ASSERT_GT(timeline.end.count(), 0) << "no end";
    EXPECT_EQ(Simulation(timeline).Run(), timeline.expected);
  }
}

}  // namespace
}  // namespace sonde::config
