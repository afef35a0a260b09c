#include "collect/host/host_collector.h"

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/env.h"
#include "base/json.h"
#include "collect/host/collectors.h"
#include "collect/host/host_test_fixture.h"

namespace sonde::collect {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string ReadText(const std::string& path) {
  PosixEnv env;
  auto text = env.ReadFile(path, 64U << 20);
  EXPECT_TRUE(text.ok()) << path;
  return std::move(text).value_or("");
}

/// A copy of parts of the fixture tree that a test may change.
class ScratchTree {
 public:
  ScratchTree() {
    char name[] = "/tmp/sonde-host-XXXXXX";
    root_ = ::mkdtemp(name);
  }
  ~ScratchTree() { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, std::string_view text) {
    std::filesystem::create_directories(std::filesystem::path(root_ + "/" + path).parent_path());
    std::ofstream(root_ + "/" + path) << text;
  }
  void Remove(const std::string& path) { std::filesystem::remove_all(root_ + "/" + path); }
  HostOptions options() const {
    HostOptions options;
    options.procfs = root_ + "/proc";
    options.sysfs = root_ + "/sys";
    options.rootfs = root_;
    options.udev = root_ + "/udev";
    return options;
  }
  const std::string& root() const { return root_; }

 private:
  std::string root_;
};

class HostCollectorTest : public ::testing::Test {
 protected:
  std::unique_ptr<HostCollector> Make(HostOptions options, HostCalls calls = FixtureCalls()) {
    auto collector =
        HostCollector::Make(std::move(options), clock_, Logger(sink_, clock_), std::move(calls));
    EXPECT_TRUE(collector.ok()) << (collector ? "" : collector.error().message());
    return *std::move(collector);
  }

  MemorySink sink_;
  ManualClock clock_{Timestamp{1'795'508'580'364}};
};

// Every line of the page for the fixture tree; the file was checked by hand against the fixtures
// and against what node_exporter 1.9 says about such files.
TEST_F(HostCollectorTest, FixturePage) {
  HostOptions options = FixtureOptions();
  options.enable = {"interrupts"};
  const std::string page = Make(options)->Collect();
  const std::string want = ReadText("tests/host/expected_page.txt");
  if (page == want) return;
  std::istringstream got_lines(page);
  std::istringstream want_lines(want);
  std::multiset<std::string> got;
  std::multiset<std::string> wanted;
  for (std::string line; std::getline(got_lines, line);)
    got.insert(line);
  for (std::string line; std::getline(want_lines, line);)
    wanted.insert(line);
  for (const std::string& line : got) {
    if (!wanted.contains(line)) ADD_FAILURE() << "not expected: " << line;
  }
  for (const std::string& line : wanted) {
    if (!got.contains(line)) ADD_FAILURE() << "missing: " << line;
  }
  EXPECT_EQ(page, want);  // Else only the order differs.
}

TEST_F(HostCollectorTest, PageIsTheSameEveryTime) {
  const auto collector = Make(FixtureOptions());
  const std::string first = collector->Collect();
  EXPECT_EQ(collector->Collect(), first);
}

TEST_F(HostCollectorTest, EmptyMachineGivesOnlyItself) {
  ScratchTree tree;
  const std::string page = Make(tree.options())->Collect();
  EXPECT_THAT(page, HasSubstr("node_scrape_collector_success{collector=\"cpu\"} 0\n"));
  EXPECT_THAT(page, HasSubstr("node_uname_info{"));
  EXPECT_THAT(page, Not(HasSubstr("node_cpu_seconds_total")));
  EXPECT_EQ(sink_.text(), "");  // What does not exist is not worth a line.
}

TEST_F(HostCollectorTest, FilesFullOfJunkDoNotStopThePage) {
  for (const std::string_view junk :
       {std::string_view("\0\xff\n:::\n[[[\n((", 14), std::string_view("x"),
        std::string_view("cpu0 -1 99999999999999999999 nan\n"), std::string_view("\n\n\n: :\n")}) {
    ScratchTree tree;
    const std::string fixtures = "tests/host/fixtures";
    for (const auto& entry : std::filesystem::recursive_directory_iterator(fixtures)) {
      if (entry.is_regular_file() && !entry.is_symlink()) {
        tree.Write(entry.path().string().substr(fixtures.size() + 1), junk);
      }
    }
    HostOptions options = tree.options();
    options.enable = {"interrupts"};
    const std::string page = Make(options)->Collect();
    EXPECT_THAT(page, HasSubstr("node_time_seconds 1.795508580364e+09\n"));
  }
}

TEST_F(HostCollectorTest, CountersOfACpuDoNotStepBack) {
  ScratchTree tree;
  const auto idle_after = [&](const HostPage& page) {
    std::string text;
    page.WriteTo(text);
    std::smatch match;
    const std::regex pattern("node_cpu_seconds_total\\{cpu=\"0\",mode=\"idle\"\\} (\\S+)");
    return std::regex_search(text, match, pattern) ? match[1].str() : "";
  };
  HostSource source(tree.options());
  CpuCollector cpu;
  const auto collect = [&](const char* stat) {
    tree.Write("proc/stat", stat);
    HostPage page;
    EXPECT_TRUE(cpu.Collect(source, page).ok());
    return idle_after(page);
  };
  EXPECT_EQ(collect("cpu0 0 0 0 10000 0\n"), "100");
  EXPECT_EQ(collect("cpu0 0 0 0 9900 0\n"), "100");  // The kernel corrects itself: not a reset.
  EXPECT_EQ(collect("cpu0 0 0 0 10100 0\n"), "101");
  EXPECT_EQ(collect("cpu0 0 0 0 50 0\n"), "0.5");  // It was taken out and came back.
  EXPECT_EQ(collect("cpu1 0 0 0 50 0\n"), "");     // It is gone.
}

TEST_F(HostCollectorTest, FileThatAppearsLaterIsRead) {
  ScratchTree tree;
  HostOptions options = tree.options();
  const auto collector = Make(options);
  EXPECT_THAT(collector->Collect(), Not(HasSubstr("node_load1")));
  tree.Write("proc/loadavg", "1 2 3 1/1 1\n");
  EXPECT_THAT(collector->Collect(), HasSubstr("node_load1 1\n"));
}

TEST_F(HostCollectorTest, NamesOfCollectorsAreChecked) {
  HostOptions options;
  options.disable = {"hwmno"};
  const auto collector =
      HostCollector::Make(options, clock_, Logger(sink_, clock_), FixtureCalls());
  ASSERT_FALSE(collector.ok());
  EXPECT_THAT(collector.error().message(),
              HasSubstr("disable: no host collector \"hwmno\"; there are arp, "));
}

TEST_F(HostCollectorTest, BadPatternIsAnError) {
  HostOptions options;
  options.fs_types_exclude = "(";
  const auto collector =
      HostCollector::Make(options, clock_, Logger(sink_, clock_), FixtureCalls());
  ASSERT_FALSE(collector.ok());
  EXPECT_THAT(collector.error().message(), HasSubstr("fs_types_exclude: "));
}

TEST_F(HostCollectorTest, DisabledCollectorsAreSilent) {
  HostOptions options = FixtureOptions();
  options.disable = {"cgroup", "hwmon"};
  const std::string page = Make(options)->Collect();
  EXPECT_THAT(page, Not(HasSubstr("node_cgroup_")));
  EXPECT_THAT(page, Not(HasSubstr("node_hwmon_")));
  EXPECT_THAT(page, Not(HasSubstr("collector=\"hwmon\"")));
}

TEST_F(HostCollectorTest, AFailureIsLoggedOnce) {
  HostCalls calls = FixtureCalls();
  calls.host_name = []() -> Result<HostName> {
    return Error(ErrorKind::kIo, "uname: Bad address");
  };
  const auto collector = Make(FixtureOptions(), calls);
  collector->Collect();
  const std::string first = sink_.text();
  EXPECT_THAT(first, HasSubstr("collector=uname"));
  EXPECT_THAT(first, HasSubstr("Bad address"));
  collector->Collect();
  EXPECT_EQ(sink_.text(), first);
}

TEST_F(HostCollectorTest, CgroupsAreBounded) {
  ScratchTree tree;
  tree.Write("sys/fs/cgroup/cgroup.procs", "");
  for (int i = 0; i < 10; ++i) {
    const std::string dir = "sys/fs/cgroup/s" + std::to_string(i);
    for (const char* sub : {"/", "/deep/", "/deep/deeper/"}) {
      tree.Write(dir + sub + "cgroup.procs", "");
      tree.Write(dir + sub + "cpu.stat", "usage_usec 1000000\n");
    }
  }
  HostOptions options = tree.options();
  options.max_cgroups = 15;
  options.cgroup_depth = 2;
  HostSource source(options);
  HostPage page;
  ASSERT_TRUE(CollectCgroups(source, options, page).ok());
  std::string text;
  page.WriteTo(text);
  EXPECT_THAT(text, HasSubstr("node_cgroup_collected 15\n"));
  EXPECT_THAT(text, HasSubstr("node_cgroup_skipped 6\n"));  // 1 + 10 + 10 within the depth.
  EXPECT_THAT(text, HasSubstr("{cgroup=\"/s9\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("{cgroup=\"/s3/deep\"} 1\n"));
  EXPECT_THAT(text, Not(HasSubstr("{cgroup=\"/s4/deep\"}")));
  EXPECT_THAT(text, Not(HasSubstr("deeper")));
}

// What the best-known dashboard asks for and this very machine offers.
TEST_F(HostCollectorTest, NodeExporterFullHasItsMetrics) {
  const std::string path =
      "../shared/conformance/dashboards/rfmoz__grafana-dashboards__node-exporter-full.json";
  PosixEnv env;
  if (!env.Exists(path)) GTEST_SKIP() << path << " is not here";
  const std::string dashboard = ReadText(path);
  std::set<std::string> wanted;
  const std::regex name("\\b(node|process)_[a-zA-Z0-9_]+");
  for (std::sregex_iterator it(dashboard.begin(), dashboard.end(), name), end; it != end; ++it) {
    wanted.insert(it->str());
  }
  ASSERT_GT(wanted.size(), 200U);
  const std::set<std::string> absent = {
      "node_exporter",  // A word of a title.
      // Needs systemd's D-Bus.
      "node_systemd_units", "node_systemd_socket_accepted_connections_total",
      "node_systemd_socket_current_connections", "node_systemd_socket_refused_connections_total",
      // node_exporter calls it node_kernel_hung_tasks_total.
      "node_kernel_hung_tasks",
      // Not in the fixture.
      "node_hwmon_fan_min_rpm", "node_hwmon_temp_crit_hyst_celsius", "node_hwmon_temp_max_celsius",
      "node_textfile_scrape_error"};
  HostOptions options = FixtureOptions();
  options.enable = {"interrupts"};
  const std::string page = Make(options)->Collect();
  for (const std::string& metric : wanted) {
    // meminfo has the kernel's fields, whatever they are; the fixture has one of each shape.
    if (absent.contains(metric) || metric.starts_with("node_memory_")) continue;
    EXPECT_TRUE(page.find("\n" + metric + " ") != std::string::npos ||
                page.find("\n" + metric + "{") != std::string::npos)
        << metric;
  }
}

TEST_F(HostCollectorTest, ThisMachine) {
  HostOptions options;
  const std::string page = Make(options, HostCalls::OfThisMachine())->Collect();
  EXPECT_THAT(page, HasSubstr("\nnode_cpu_seconds_total{cpu=\"0\",mode=\"idle\"} "));
  EXPECT_THAT(page, HasSubstr("\nnode_memory_MemTotal_bytes "));
  EXPECT_THAT(page, HasSubstr("\nnode_uname_info{"));
  EXPECT_THAT(page, HasSubstr("\nprocess_open_fds "));
}

// A scraper that prefers OpenMetrics gets it.
TEST_F(HostCollectorTest, OpenMetrics) {
  const auto collector = Make(FixtureOptions());
  const std::string text = collector->Collect();
  wire::ServedFormat format;
  format.protocol = wire::ScrapeProtocol::kOpenMetricsText1_0_0;
  const std::string page = collector->Collect(format);
  EXPECT_THAT(page, HasSubstr("# TYPE node_cpu_seconds counter\n"));
  EXPECT_THAT(page, HasSubstr("# TYPE node_vmstat_pgpgin unknown\n"));
  EXPECT_THAT(page, HasSubstr("node_cpu_seconds_total{cpu=\"0\",mode=\"idle\"} 400"));
  EXPECT_TRUE(page.ends_with("# EOF\n"));
  EXPECT_EQ(collector->Collect(), text);  // The next one is as before.
}

TEST(HostPage, EscapesAndOrders) {
  HostPage page;
  page.Gauge("b", "two\nlines \\").Add(1, {{"l", "a\"b\\c\nd\xff"}});
  page.Counter("a_total", "First.").Add(0.5);
  page.Gauge("empty", "Nothing to say.");
  std::string text;
  page.WriteTo(text);
  EXPECT_EQ(text,
            "# HELP a_total First.\n# TYPE a_total counter\na_total 0.5\n"
            "# HELP b two\\nlines \\\\\n# TYPE b gauge\nb{l=\"a\\\"b\\\\c\\nd\xEF\xBF\xBD\"} 1\n");
  page.Clear();
  text.clear();
  page.WriteTo(text);
  EXPECT_EQ(text, "");
}

}  // namespace
}  // namespace sonde::collect
