#include "scrape/scraper.h"

#include <atomic>
#include <cmath>
#include <functional>

#include <gtest/gtest.h>

#include "base/compress.h"
#include "base/fault_env.h"
#include "net/http_server.h"
#include "scrape/recording_store.h"

namespace sonde::scrape {
namespace {

/// A store for several workers at once: RecordingStore behind a lock, batch by batch.
class LockedStore final : public storage::Appendable {
 public:
  std::unique_ptr<storage::Appender> NewAppender() override {
    return std::make_unique<Batch>(*this);
  }

  std::vector<RecordingStore::Sample> Take() {
    const MutexLock lock(mutex_);
    return store_.Take();
  }
  void FailCommits(std::optional<Error> error) {
    const MutexLock lock(mutex_);
    store_.FailCommits(std::move(error));
  }

 private:
  class Batch final : public storage::Appender {
   public:
    explicit Batch(LockedStore& owner) : owner_(owner) {
      const MutexLock lock(owner_.mutex_);
      batch_ = owner_.store_.NewAppender();
    }
    storage::AppendResult Append(storage::SeriesRef ref, Timestamp t, double v) override {
      const MutexLock lock(owner_.mutex_);
      return batch_->Append(ref, t, v);
    }
    storage::AppendResult Append(LabelsView labels, Timestamp t, double v) override {
      const MutexLock lock(owner_.mutex_);
      return batch_->Append(labels, t, v);
    }
    storage::AppendResult AppendHistogram(LabelsView, Timestamp, const Histogram&) override {
      return {};
    }
    storage::AppendResult AppendFloatHistogram(LabelsView, Timestamp,
                                               const FloatHistogram&) override {
      return {};
    }
    storage::AppendError AppendExemplar(storage::SeriesRef, const Exemplar&) override {
      return storage::AppendError::kNone;
    }
    void UpdateMetadata(storage::SeriesRef, const Metadata&) override {}
    Status Commit() override {
      const MutexLock lock(owner_.mutex_);
      return batch_->Commit();
    }
    void Rollback() override {
      const MutexLock lock(owner_.mutex_);
      batch_->Rollback();
    }

   private:
    LockedStore& owner_;
    std::unique_ptr<storage::Appender> batch_;
  };

  Mutex mutex_;
  RecordingStore store_ GUARDED_BY(mutex_);
};

/// Wall and monotonic time apart, so that the wall clock can be set.
class TwoClocks final : public Clock {
 public:
  Timestamp Now() const override { return {wall_ms_}; }
  std::int64_t MonotonicNanos() const override { return nanos_; }
  void Advance(Duration by) {
    wall_ms_ += by.count();
    nanos_ += by.count() * 1'000'000;
  }
  void Set(Timestamp now) { wall_ms_ = now.ms; }

 private:
  std::atomic<std::int64_t> wall_ms_{1'000'000'000};
  std::atomic<std::int64_t> nanos_{5'000'000'000};
};

class ScraperTest : public testing::Test {
 protected:
  using Handler = std::function<void(net::HttpRequest&, net::HttpResponse&)>;

  ScraperTest()
      : logger_(sink_, clock_, LogLevel::kDebug),
        server_(
            loops_, {},
            [this](net::Fiber& fiber, net::HttpRequest& request, net::HttpResponse& response) {
              ++requests_;
              if (hang_) {
                [[maybe_unused]] const Status cancelled = fiber.Sleep(Duration(60'000));
                return;
              }
              handler_(request, response);
            },
            logger_, registry_, "target") {
    EXPECT_TRUE(server_.Start({"127.0.0.1", 0}).ok());
    MakeScraper({});
  }
  ~ScraperTest() override {
    scraper_->Stop();
    server_.Stop(Duration(0));
  }

  void MakeScraper(ScraperOptions options) {
    scraper_ =
        std::make_unique<Scraper>(ScraperContext{store_, clock_, env_, pool_, loops_, registry_,
                                                 logger_, mapper_, "Sonde/test", "host"},
                                  options);
  }

  static Handler Page(std::string body, std::string type = "text/plain; version=0.0.4") {
    return [body, type](net::HttpRequest&, net::HttpResponse& response) {
      EXPECT_TRUE(response.Reply(200, type, body).ok());
    };
  }

  ScrapeOptions Job(std::string name = "j") const {
    ScrapeOptions options;
    options.job_name = std::move(name);
    options.interval = Duration(10'000);
    options.timeout = Duration(5'000);
    options.access.follow_redirects = true;
    return options;
  }
  void Apply(std::vector<ScrapeOptions> jobs) {
    std::vector<std::shared_ptr<const ScrapeOptions>> shared;
    for (ScrapeOptions& job : jobs)
      shared.push_back(std::make_shared<const ScrapeOptions>(std::move(job)));
    scraper_->ApplyConfig(std::move(shared), {});
  }
  /// The server of this test as the only target of `job`, under the labels `own`.
  void Target(const std::string& job, std::initializer_list<LabelView> own = {}) {
    LabelsBuilder labels{Labels::Of(own)};
    labels.Set("__address__", "127.0.0.1:" + std::to_string(server_.port())).Set("instance", "i");
    scraper_->SetTargets(job, {{"g", {}, {labels.Build()}}});
  }

  /// Runs everything that is due until `by` has passed.
  void Advance(Duration by) {
    const Timestamp end = clock_.Now() + by;
    for (;;) {
      const Timestamp next = scraper_->Step();
      scraper_->AwaitIdle();
      const Timestamp now = clock_.Now();
      if (now >= end) break;
      clock_.Advance(std::max(Duration(1), std::min(next, end) - now));
    }
  }

  std::string Samples(bool with_report = false) {
    std::string out;
    for (const auto& sample : store_.Take()) {
      const std::string name(sample.labels.metric_name());
      if (!with_report && (name == "up" || name.starts_with("scrape_"))) continue;
      if (name == "scrape_duration_seconds") continue;
      out += sample.labels.ToString() + " " +
             (IsStaleNan(sample.v) ? "stale" : std::to_string(std::lround(sample.v))) + "\n";
    }
    return out;
  }
  TargetStatus StatusOf(std::size_t pool = 0) {
    const TargetsView view = scraper_->targets();
    if (view->size() <= pool || view->at(pool).active.empty()) return {};
    return view->at(pool).active[0]->status();
  }
  double Metric(std::string_view name) {
    double sum = 0;
    for (const auto& family : registry_.Snapshot()) {
      if (family.name != name) continue;
      for (const auto& point : family.points)
        sum += point.value;
    }
    return sum;
  }

  FaultEnv env_;
  TwoClocks clock_;
  MemorySink sink_;
  Logger logger_;
  instrument::Registry registry_;
  LockedStore store_;
  ThreadPool pool_{2, "work"};
  net::LoopGroup loops_{1};
  Handler handler_ = Page("a 1\n");
  std::atomic<int> requests_{0};
  std::atomic<bool> hang_{false};
  net::HttpServer server_;
  const SeriesMapper* mapper_ = nullptr;
  std::unique_ptr<Scraper> scraper_;
};

TEST_F(ScraperTest, ScrapesATargetOnItsGrid) {
  handler_ = [](net::HttpRequest& request, net::HttpResponse& response) {
    EXPECT_EQ(request.target(), "/metrics");
    EXPECT_EQ(request.headers().Get("User-Agent"), "Sonde/test");
    EXPECT_EQ(request.headers().Get("X-Prometheus-Scrape-Timeout-Seconds"), "5");
    EXPECT_TRUE(
        request.headers().Get("Accept").starts_with("application/openmetrics-text;version=1.0.0"))
        << request.headers().Get("Accept");
    EXPECT_TRUE(request.headers().HasToken("Accept-Encoding", "gzip"));
    EXPECT_TRUE(response.Reply(200, "text/plain", "# HELP a about\na 1\n").ok());
  };
  Apply({Job()});
  Target("j");
  EXPECT_EQ(StatusOf().health, TargetHealth::kUnknown);
  Advance(Duration(10'000));
  EXPECT_EQ(requests_, 1);
  EXPECT_EQ(Samples(true),
            "a{instance=\"i\", job=\"j\"} 1\nup{instance=\"i\", job=\"j\"} 1\n"
            "scrape_samples_scraped{instance=\"i\", job=\"j\"} 1\n"
            "scrape_samples_post_metric_relabeling{instance=\"i\", job=\"j\"} 1\n"
            "scrape_series_added{instance=\"i\", job=\"j\"} 1\n");
  EXPECT_EQ(StatusOf().health, TargetHealth::kUp);
  Advance(Duration(30'000));
  EXPECT_EQ(requests_, 4);
  const FamilyCache::List families = scraper_->targets()->at(0).active[0]->metadata();
  ASSERT_EQ(families->size(), 1U);
  EXPECT_EQ(families->at(0)->metadata.help, "about");
  EXPECT_EQ(Metric("prometheus_target_scrape_pool_targets"), 1);
  EXPECT_EQ(Metric("prometheus_target_interval_length_seconds_count"), 3);
}

TEST_F(ScraperTest, MetadataOfAllTargetsIsMerged) {
  handler_ = [](net::HttpRequest& request, net::HttpResponse& response) {
    const bool other = request.query() == "n=2";
    EXPECT_TRUE(response
                    .Reply(200, "text/plain",
                           std::string("# HELP a same\n# TYPE a gauge\na 1\n# HELP b ") +
                               (other ? "two" : "one") + "\nb 1\n")
                    .ok());
  };
  Apply({Job()});
  const std::string address = "127.0.0.1:" + std::to_string(server_.port());
  scraper_->SetTargets(
      "j", {{"g",
             {},
             {Labels::Of({{"__address__", address}, {"__param_n", "1"}, {"x", "1"}}),
              Labels::Of({{"__address__", address}, {"__param_n", "2"}, {"x", "2"}})}}});
  Advance(Duration(10'000));
  auto merged = MergeMetadata(*scraper_->targets());
  ASSERT_EQ(merged.size(), 2U);
  ASSERT_EQ(merged["a"].size(), 1U);
  EXPECT_EQ(merged["a"][0]->metadata.type, MetricType::kGauge);
  EXPECT_EQ(merged["b"].size(), 2U);
  EXPECT_EQ(MergeMetadata(*scraper_->targets(), "a").size(), 1U);
}

TEST_F(ScraperTest, ARemovedTargetEndsAfterTwoMoreIntervals) {
  Apply({Job()});
  Target("j");
  Advance(Duration(10'000));
  Samples();
  scraper_->SetTargets("j", {});
  Advance(Duration(9'000));
  EXPECT_EQ(Samples(), "");
  Advance(Duration(14'000));
  EXPECT_EQ(Samples(), "a{instance=\"i\", job=\"j\"} stale\n");
  EXPECT_EQ(requests_, 1);
}

TEST_F(ScraperTest, ATargetThatComesBackInTimeIsNotEnded) {
  Apply({Job()});
  Target("j");
  Advance(Duration(10'000));
  scraper_->SetTargets("j", {});
  Advance(Duration(5'000));
  Target("j");
  Advance(Duration(40'000));
  EXPECT_EQ(Samples().find("stale"), std::string::npos);
}

TEST_F(ScraperTest, ATargetThatIsDownIsSaidOnce) {
  Apply({Job()});
  Target("j");
  Advance(Duration(10'000));
  handler_ = [](net::HttpRequest&, net::HttpResponse& response) {
    EXPECT_TRUE(response.Reply(501, "text/plain", "off").ok());
  };
  Samples();
  Advance(Duration(20'000));
  EXPECT_EQ(StatusOf().health, TargetHealth::kDown);
  EXPECT_EQ(StatusOf().last_error, "server returned HTTP status 501 Not Implemented");
  EXPECT_EQ(Samples(), "a{instance=\"i\", job=\"j\"} stale\n");
  const std::string log = sink_.text();
  const std::size_t first = log.find("target is down");
  EXPECT_NE(first, std::string::npos);
  EXPECT_EQ(log.find("target is down", first + 1), std::string::npos) << log;
  handler_ = Page("a 1\n");
  Advance(Duration(10'000));
  EXPECT_NE(sink_.text().find("target is up again"), std::string::npos);
}

TEST_F(ScraperTest, WhatAnAnswerMayBe) {
  const std::string huge(100'000, '#');
  struct Case {
    Handler handler;
    std::string error;
  };
  const Case cases[] = {
      {Page("a 1\n", ""), "the answer has no Content-Type; set fallback_scrape_protocol"},
      {Page("a 1\n", "text/html"), "text/html"},
      {Page("a{\n"), "1:"},
      {Page(huge), "body size limit exceeded (body_size_limit: 50000 bytes)"},
      {Page(""), ""},
      {Page("# EOF\n", "application/openmetrics-text; version=1.0.0; charset=utf-8"), ""},
      {[](net::HttpRequest& request, net::HttpResponse& response) {
         if (request.path() == "/metrics/") {
           EXPECT_TRUE(response.Reply(200, "text/plain", "a 1\n").ok());
           return;
         }
         response.headers().Set("Location", "/metrics/");
         EXPECT_TRUE(response.Reply(307, "text/plain", "").ok());
       },
       ""},
      {[](net::HttpRequest&, net::HttpResponse& response) {
         std::string zipped;
         GzipCompress("a 1\n", zipped);
         response.headers().Set("Content-Encoding", "gzip");
         EXPECT_TRUE(response.Reply(200, "text/plain", zipped).ok());
       },
       ""},
  };
  ScrapeOptions job = Job();
  job.body_size_limit = 50'000;
  Apply({job});
  Target("j");
  int number = 0;
  for (const Case& one : cases) {
    handler_ = one.handler;
    Advance(Duration(10'000));
    const TargetStatus status = StatusOf();
    EXPECT_EQ(status.health, one.error.empty() ? TargetHealth::kUp : TargetHealth::kDown) << number;
    EXPECT_NE(status.last_error.find(one.error), std::string::npos)
        << number << ": " << status.last_error;
    ++number;
  }
  EXPECT_EQ(Metric("prometheus_target_scrapes_exceeded_body_size_limit_total"), 1);
}

TEST_F(ScraperTest, TheBodiesOfAllScrapesShareABudget) {
  MakeScraper({.max_body_bytes = 1 << 20, .max_bodies_in_memory_bytes = 10'000});
  handler_ = Page(std::string(20'000, '#') + "\n");
  Apply({Job()});
  Target("j");
  Advance(Duration(10'000));
  EXPECT_NE(StatusOf().last_error.find("sonde.scraping.max_bodies_in_memory"), std::string::npos);
  handler_ = Page("a 1\n");
  Advance(Duration(10'000));
  EXPECT_EQ(StatusOf().health, TargetHealth::kUp);
}

TEST_F(ScraperTest, ATargetThatNeverAnswersFailsByItsTimeout) {
  hang_ = true;
  ScrapeOptions job = Job();
  job.timeout = Duration(20);
  Apply({job});
  Target("j");
  Advance(Duration(10'000));
  EXPECT_EQ(StatusOf().health, TargetHealth::kDown);
  EXPECT_TRUE(StatusOf().last_error.ends_with("context deadline exceeded"))
      << StatusOf().last_error;
}

TEST_F(ScraperTest, StopDoesNotWaitForATargetThatHangs) {
  hang_ = true;
  Apply({Job()});
  Target("j");
  for (int i = 0; i < 100 && requests_ == 0; ++i) {
    clock_.Advance(Duration(100));
    scraper_->Step();
  }
  scraper_->Stop();
  EXPECT_EQ(Samples(true), "");
}

TEST_F(ScraperTest, TargetLimit) {
  ScrapeOptions job = Job();
  job.target_limit = 1;
  Apply({job});
  const std::string address = "127.0.0.1:" + std::to_string(server_.port());
  scraper_->SetTargets("j", {{"g",
                              {},
                              {Labels::Of({{"__address__", address}, {"n", "1"}}),
                               Labels::Of({{"__address__", address}, {"n", "2"}})}}});
  Advance(Duration(10'000));
  EXPECT_EQ(requests_, 0);
  EXPECT_EQ(StatusOf().last_error, "target_limit exceeded (number of targets: 2, limit: 1)");
  EXPECT_EQ(Metric("prometheus_target_scrape_pool_exceeded_target_limit_total"), 1);
}

TEST_F(ScraperTest, DroppedAndUnusableTargets) {
  ScrapeOptions job = Job();
  job.keep_dropped_targets = 1;
  RelabelRule drop;
  drop.source_labels = {"drop"};
  drop.regex = *Regex::Compile("yes");
  drop.action = RelabelAction::kDrop;
  job.relabel_rules = {drop};
  Apply({job});
  auto target = [](std::string_view address, std::string_view dropped) {
    return Labels::Of({{"__address__", address}, {"drop", dropped}});
  };
  scraper_->SetTargets("j", {{"g",
                              {},
                              {target("a:1", "yes"), target("b:1", "yes"), target("c:1", "no"),
                               target("http://d", "no"), target("c:1", "no")}}});
  scraper_->Step();
  const TargetsView view = scraper_->targets();
  ASSERT_EQ(view->size(), 1U);
  EXPECT_EQ(view->at(0).active.size(), 1U);  // The same target twice is one.
  EXPECT_EQ(view->at(0).dropped.size(), 1U);
  EXPECT_EQ(view->at(0).dropped_count, 2U);
  EXPECT_NE(sink_.text().find(R"(instance 3 in group g)"), std::string::npos);
  EXPECT_EQ(Metric("prometheus_target_sync_failed_total"), 1);
  scraper_->Step();
  const std::vector<RelabelStep> steps = RelabelSteps(*view->at(0).options, view->at(0).dropped[0]);
  ASSERT_EQ(steps.size(), 1U);
  EXPECT_FALSE(steps[0].keep);
}

TEST_F(ScraperTest, AReloadKeepsWhatItDoesNotConcern) {
  ScrapeOptions job = Job();
  job.fingerprint = 1;
  Apply({job});
  Target("j");
  Advance(Duration(10'000));
  const auto loop = scraper_->targets()->at(0).active[0];
  Apply({job});
  Advance(Duration(10'000));
  EXPECT_EQ(scraper_->targets()->at(0).active[0], loop);

  job.sample_limit = 100;
  job.fingerprint = 2;
  Apply({job});
  Advance(Duration(10'000));
  EXPECT_EQ(scraper_->targets()->at(0).active[0], loop);
  Samples();

  // Another relabelling: the target begins anew, and its old series end, for they may have other
  // names now.
  RelabelRule rule;
  rule.source_labels = {"__name__"};
  rule.target_label = "__name__";
  rule.replacement = "new_$1";
  job.metric_relabel_rules = {rule};
  job.fingerprint = 3;
  Apply({job});
  Advance(Duration(40'000));
  EXPECT_NE(scraper_->targets()->at(0).active[0], loop);
  const std::string samples = Samples();
  EXPECT_NE(samples.find("new_a{instance=\"i\", job=\"j\"} 1\n"), std::string::npos) << samples;
  EXPECT_NE(samples.find("\na{instance=\"i\", job=\"j\"} stale\n"), std::string::npos) << samples;

  Apply({});
  Advance(Duration(40'000));
  EXPECT_TRUE(scraper_->targets()->empty());
  EXPECT_NE(Samples().find("new_a{instance=\"i\", job=\"j\"} stale"), std::string::npos);
}

TEST_F(ScraperTest, InternalPagesAreTargetsLikeOthers) {
  InternalTarget target;
  target.options = Job("sonde");
  target.address = "localhost:9797";
  std::atomic<bool> broken{false};
  target.render = [&]() -> Result<std::string> {
    if (broken) return Error(ErrorKind::kUnavailable, "no host");
    return std::string("own 1\n");
  };
  scraper_->AddInternal(std::move(target));
  scraper_->Step();  // At once, not at some offset.
  scraper_->AwaitIdle();
  EXPECT_EQ(Samples(), "own{instance=\"localhost:9797\", job=\"sonde\"} 1\n");
  broken = true;
  Advance(Duration(10'000));
  EXPECT_EQ(StatusOf().last_error, "no host");
  EXPECT_EQ(Samples(), "own{instance=\"localhost:9797\", job=\"sonde\"} stale\n");
  // Jobs of the configuration come and go beside it.
  Apply({Job()});
  Apply({});
  Advance(Duration(1'000));
  ASSERT_EQ(scraper_->targets()->size(), 1U);
  Apply({Job("sonde")});
  scraper_->Step();
  EXPECT_NE(sink_.text().find("replaces one of Sonde's own"), std::string::npos);
}

/// Everything is "canonical" as well.
class MapsAll final : public SeriesMapper {
 public:
  void Map(LabelsView labels, MetricType, std::vector<MappedSeries>& out) const override {
    LabelsBuilder builder(labels);
    builder.Set("__name__", "canonical");
    out.emplace_back().labels = builder.Build();
  }
};

TEST_F(ScraperTest, AnInternalPageWithCanonicalSeriesIsNotMapped) {
  const MapsAll mapper;
  for (const bool map : {true, false}) {
    mapper_ = &mapper;
    MakeScraper({});
    InternalTarget target;
    target.options = Job("gpu");
    target.options.map_to_vocabulary = map;
    target.address = "h";
    target.render = [] { return Result<std::string>("own 1\n"); };
    scraper_->AddInternal(std::move(target));
    scraper_->Step();
    scraper_->AwaitIdle();
    EXPECT_EQ(Samples().find("canonical{") != std::string::npos, map);
    scraper_->Stop();
  }
}

TEST_F(ScraperTest, DynamicJobsAreFedByThisProcess) {
  scraper_->AddDynamicJob(Job("engines"));
  LabelsBuilder labels;
  labels.Set("__address__", "127.0.0.1:" + std::to_string(server_.port()));
  labels.Set("engine", "vllm").Set("instance", "i");
  scraper_->SetDynamicTargets("engines", {{"g", {}, {labels.Build()}}});
  scraper_->Step();
  scraper_->AwaitIdle();
  EXPECT_EQ(Samples(), "a{engine=\"vllm\", instance=\"i\", job=\"engines\"} 1\n");
}

TEST_F(ScraperTest, AJobOfTheConfigurationWithADynamicJobsNameIsLeftAlone) {
  Apply({Job("engines")});
  Target("engines");
  scraper_->AddDynamicJob(Job("engines"));
  scraper_->SetDynamicTargets("engines", {});
  Advance(Duration(10'000));
  EXPECT_EQ(Samples(), "a{instance=\"i\", job=\"engines\"} 1\n");
  EXPECT_NE(sink_.text().find("replaces one of Sonde's own"), std::string::npos);
}

TEST_F(ScraperTest, AClockThatIsSetBackDoesNotStopScrapes) {
  Apply({Job()});
  Target("j");
  Advance(Duration(20'000));
  EXPECT_EQ(requests_, 2);
  clock_.Set(clock_.Now() - Duration(3'600'000));
  Advance(Duration(20'000));
  EXPECT_EQ(requests_, 4);
  EXPECT_NE(sink_.text().find("the clock was set"), std::string::npos);
}

TEST_F(ScraperTest, AStoreThatFailsIsNotTheTargetsFault) {
  Apply({Job()});
  Target("j");
  store_.FailCommits(Error(ErrorKind::kIo, "no space left on device"));
  Advance(Duration(10'000));
  EXPECT_EQ(Samples(true), "");
  EXPECT_EQ(StatusOf().last_error, "no space left on device");
  EXPECT_EQ(Metric("sonde_scrape_commit_failures_total"), 1);
  store_.FailCommits(std::nullopt);
  Advance(Duration(10'000));
  EXPECT_EQ(Samples(), "a{instance=\"i\", job=\"j\"} 1\n");
}

TEST_F(ScraperTest, RunsOnItsOwnThread) {
  InternalTarget target;
  target.options = Job("sonde");
  target.address = "x";
  Mutex mutex;
  CondVar called;
  bool was_called = false;
  target.render = [&]() -> Result<std::string> {
    const MutexLock lock(mutex);
    was_called = true;
    called.NotifyAll();
    return std::string("own 1\n");
  };
  scraper_->Start();
  scraper_->AddInternal(std::move(target));
  {
    const MutexLock lock(mutex);
    while (!was_called)
      called.Wait(mutex);
  }
  scraper_->Stop();
}

}  // namespace
}  // namespace sonde::scrape
