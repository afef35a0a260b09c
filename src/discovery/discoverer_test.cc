#include "discovery/discoverer.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "base/fault_env.h"
#include "net/http_server.h"

namespace sonde::discovery {
namespace {

class DiscovererTest : public testing::Test {
 protected:
  DiscovererTest() : logger_(sink_, clock_) {
    EXPECT_TRUE(env_.CreateDir("/t").ok());
    discoverer_ = std::make_unique<Discoverer>(
        Discoverer::Context{
            env_, clock_, pool_, loops_, registry_, logger_,
            [](std::string_view, std::string_view file) -> Result<std::vector<TargetGroup>> {
              return Error(ErrorKind::kInvalid, std::string(file) + ": no YAML in this test");
            },
            "Sonde/test"},
        [this](const std::string& job, std::vector<TargetGroup> groups) { Note(job, groups); });
  }

  void Note(const std::string& job, const std::vector<TargetGroup>& groups) {
    const MutexLock lock(mutex_);
    std::string line = job;
    for (const TargetGroup& group : groups) {
      for (const Labels& target : group.targets)
        line += " " + std::string(target.Get("__address__"));
    }
    heard_.push_back(line);
    changed_.NotifyAll();
  }
  std::vector<std::string> Take() {
    const MutexLock lock(mutex_);
    return std::exchange(heard_, {});
  }
  /// Waits until `line` was heard; the test's own timeout is the limit.
  void Await(const std::string& line) {
    const MutexLock lock(mutex_);
    while (std::find(heard_.begin(), heard_.end(), line) == heard_.end())
      changed_.Wait(mutex_);
  }
  void Write(const std::string& path, std::string_view text) {
    ASSERT_TRUE(WriteFileAtomically(env_, path, text).ok());
  }
  double Counter(std::string_view name) {
    double sum = 0;
    for (const auto& family : registry_.Snapshot()) {
      if (family.name != name) continue;
      for (const auto& point : family.points)
        sum += point.value;
    }
    return sum;
  }

  static JobDiscovery FileJob(std::uint64_t fingerprint) {
    JobDiscovery job;
    job.job = "files";
    job.options.files.push_back({{"/t/*.json"}, Duration(60'000)});
    job.fingerprint = fingerprint;
    return job;
  }

  FaultEnv env_;
  ManualClock clock_{{1'000'000}};
  MemorySink sink_;
  Logger logger_;
  instrument::Registry registry_;
  ThreadPool pool_{1, "work"};
  net::LoopGroup loops_{1};
  Mutex mutex_;
  CondVar changed_;
  std::vector<std::string> heard_;
  std::unique_ptr<Discoverer> discoverer_;
};

TEST_F(DiscovererTest, StaticTargets) {
  JobDiscovery job;
  job.job = "s";
  job.options.static_groups = {{"0", {}, {Labels::Of({{"__address__", "a:1"}})}}};
  discoverer_->Apply({job});
  discoverer_->Step();
  EXPECT_EQ(Take(), (std::vector<std::string>{"s a:1"}));
  // Unchanged: nothing is said again.
  discoverer_->Apply({job});
  discoverer_->Step();
  EXPECT_TRUE(Take().empty());
  EXPECT_EQ(Counter("prometheus_sd_discovered_targets"), 1);
  discoverer_->Apply({});
  discoverer_->Step();
  EXPECT_EQ(Counter("prometheus_sd_discovered_targets"), 0);
}

TEST_F(DiscovererTest, FilesAreReadWhenTheyChangeOrAreDue) {
  Write("/t/a.json", R"([{"targets":["a:1"]}])");
  discoverer_->Apply({FileJob(1)});
  const Duration wait = discoverer_->Step();
  EXPECT_LE(wait, Duration(60'000));
  EXPECT_EQ(Take(), (std::vector<std::string>{"files a:1"}));

  Write("/t/b.json", R"([{"targets":["b:1"]}])");
  discoverer_->Step();
  EXPECT_TRUE(Take().empty());  // Nobody said that the directory changed.
  discoverer_->Step({"/t"});
  EXPECT_EQ(Take(), (std::vector<std::string>{"files a:1 b:1"}));

  Write("/t/b.json", R"([{"targets":["c:1"]}])");
  clock_.Advance(Duration(60'000));
  discoverer_->Step();
  EXPECT_EQ(Take(), (std::vector<std::string>{"files a:1 c:1"}));

  ASSERT_TRUE(env_.RemoveFile("/t/a.json").ok());
  discoverer_->Step({"/t"});
  EXPECT_EQ(Take(), (std::vector<std::string>{"files c:1"}));
}

TEST_F(DiscovererTest, ABrokenFileKeepsItsTargets) {
  Write("/t/a.json", R"([{"targets":["a:1"]}])");
  discoverer_->Apply({FileJob(1)});
  discoverer_->Step();
  Take();
  Write("/t/a.json", R"([{"targets":)");
  discoverer_->Step({"/t"});
  discoverer_->Step({"/t"});
  EXPECT_TRUE(Take().empty());
  EXPECT_EQ(Counter("prometheus_sd_file_read_errors_total"), 2);
  // Logged once, not for each attempt.
  const std::string log = sink_.text();
  const std::size_t first = log.find("cannot read target file");
  EXPECT_NE(first, std::string::npos);
  EXPECT_EQ(log.find("cannot read target file", first + 1), std::string::npos);

  Write("/t/a.json", R"([{"targets":["a:2"]}])");
  discoverer_->Step({"/t"});
  EXPECT_EQ(Take(), (std::vector<std::string>{"files a:2"}));
  EXPECT_NE(sink_.text().find("readable again"), std::string::npos);
}

TEST_F(DiscovererTest, AReloadKeepsWhatABrokenFileSaid) {
  Write("/t/a.json", R"([{"targets":["a:1"]}])");
  discoverer_->Apply({FileJob(1)});
  discoverer_->Step();
  Write("/t/a.json", "[");
  discoverer_->Step({"/t"});
  Take();
  JobDiscovery changed = FileJob(2);
  changed.options.static_groups = {{"0", {}, {Labels::Of({{"__address__", "s:1"}})}}};
  discoverer_->Apply({changed});
  discoverer_->Step();
  EXPECT_EQ(Take(), (std::vector<std::string>{"files s:1 a:1"}));
}

TEST_F(DiscovererTest, AnHttpEndpointIsAsked) {
  std::atomic<int> status{200};
  net::HttpServer server(
      loops_, {},
      [&](net::Fiber&, net::HttpRequest& request, net::HttpResponse& response) {
        EXPECT_EQ(request.headers().Get("X-Prometheus-Refresh-Interval-Seconds"), "30");
        EXPECT_EQ(request.headers().Get("Accept"), "application/json");
        EXPECT_TRUE(
            response.Reply(status, "application/json; charset=utf-8", R"([{"targets":["h:1"]}])")
                .ok());
      },
      logger_, registry_, "sd");
  ASSERT_TRUE(server.Start({"127.0.0.1", 0}).ok());
  const std::string url = "http://127.0.0.1:" + std::to_string(server.port()) + "/sd";
  JobDiscovery job;
  job.job = "h";
  job.options.http.push_back({url, Duration(30'000), {}});
  discoverer_->Apply({job});
  discoverer_->Start();
  Await("h h:1");
  // A reload keeps what it said until it has been asked again, whatever it answers then.
  status = 500;
  Take();
  job.fingerprint = 7;
  discoverer_->Apply({job});
  Await("h h:1");
  discoverer_->Stop();
  server.Stop(Duration(0));
}

TEST_F(DiscovererTest, ADirectoryIsWatched) {
  std::string name = std::filesystem::temp_directory_path() / "sonde-discovery-XXXXXX";
  ASSERT_NE(mkdtemp(name.data()), nullptr);
  PosixEnv posix;
  Discoverer discoverer(
      {posix, clock_, pool_, loops_, registry_, logger_, nullptr, "Sonde/test"},
      [this](const std::string& job, std::vector<TargetGroup> groups) { Note(job, groups); });
  JobDiscovery job;
  job.job = "w";
  job.options.files.push_back({{name + "/*.json"}, Duration(3'600'000)});
  discoverer.Apply({job});
  discoverer.Start();
  Await("w");
  ASSERT_TRUE(WriteFileAtomically(posix, name + "/x.json", R"([{"targets":["x:1"]}])").ok());
  Await("w x:1");
  discoverer.Stop();
  std::filesystem::remove_all(name);
}

TEST(HttpDiscovery, ContentTypes) {
  EXPECT_TRUE(IsJsonContentType("application/json"));
  EXPECT_TRUE(IsJsonContentType("Application/JSON; charset=utf-8"));
  EXPECT_TRUE(IsJsonContentType("application/json;charset=\"UTF-8\""));
  EXPECT_FALSE(IsJsonContentType("text/html"));
  EXPECT_FALSE(IsJsonContentType("application/json; charset=latin-1"));
  EXPECT_FALSE(IsJsonContentType(""));
}

}  // namespace
}  // namespace sonde::discovery
