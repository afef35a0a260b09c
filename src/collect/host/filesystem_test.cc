#include "collect/host/filesystem.h"

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sonde::collect {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(MountInfo, Lines) {
  const auto mounts = ParseMountInfo(
      "36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 propagate_from:2 - ext3 /dev/root "
      "rw,errors=continue\n"
      "37 35 0:45 / /nfs ro - nfs4 store:/x rw\n"
      "38 35 0:46 / /broken rw - btrfs /dev/b rw,emergency_ro\n"
      "39 35 98 / /x rw - ext4 /dev/c rw\n"
      "40 35 0:1 / /no/dash rw ext4 /dev/c rw\n"
      "\n");
  ASSERT_EQ(mounts.size(), 3U);
  EXPECT_EQ(mounts[0].mount_point, "/mnt 2");
  EXPECT_EQ(mounts[0].fs_type, "ext3");
  EXPECT_EQ(mounts[0].device, "/dev/root");
  EXPECT_EQ(mounts[0].major, "98");
  EXPECT_FALSE(mounts[0].read_only);
  EXPECT_TRUE(mounts[1].read_only);
  EXPECT_TRUE(mounts[2].read_only);
}

/// File systems that answer, or hang until they are let go.
class Servers {
 public:
  Result<FilesystemUsage> Answer(const std::string& path) {
    std::unique_lock lock(mutex_);
    ++asked_[path];
    changed_.notify_all();
    changed_.wait(lock, [&] { return !dead_.contains(path); });
    return FilesystemUsage{100, 50, 40, 10, 5};
  }
  void Kill(const std::string& path) {
    std::lock_guard lock(mutex_);
    dead_.insert(path);
  }
  void Revive(const std::string& path) {
    std::lock_guard lock(mutex_);
    dead_.erase(path);
    changed_.notify_all();
  }
  void WaitUntilAsked(const std::string& path, int times) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return asked_[path] >= times; });
  }
  int asked(const std::string& path) {
    std::lock_guard lock(mutex_);
    return asked_[path];
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::string> dead_;
  std::map<std::string, int> asked_;
};

class FilesystemTest : public ::testing::Test {
 protected:
  FilesystemTest() {
    char name[] = "/tmp/sonde-fs-XXXXXX";
    root_ = ::mkdtemp(name);
    std::filesystem::create_directories(root_ + "/1");
    std::ofstream(root_ + "/1/mountinfo") << "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
                                             "2 1 0:5 / /nfs rw - nfs4 store:/x rw\n"
                                             "3 1 0:6 / /home rw - ext4 /dev/sdb1 rw\n";
    options_.procfs = root_;
  }
  ~FilesystemTest() override { std::filesystem::remove_all(root_); }

  std::string Page(FilesystemCollector& collector) {
    HostSource source(options_);
    HostPage page;
    EXPECT_TRUE(collector.Collect(source, page).ok());
    std::string text;
    page.WriteTo(text);
    return text;
  }
  std::unique_ptr<FilesystemCollector> Make() {
    auto collector = FilesystemCollector::Make(
        options_, [servers = servers_](const std::string& path) { return servers->Answer(path); },
        clock_);
    EXPECT_TRUE(collector.ok());
    return *std::move(collector);
  }

  std::string root_;
  HostOptions options_;
  ManualClock clock_;
  std::shared_ptr<Servers> servers_ = std::make_shared<Servers>();
};

constexpr const char* kRootSize =
    "node_filesystem_size_bytes{device=\"/dev/sda1\",fstype=\"ext4\",mountpoint=\"/\"} 100\n";
constexpr const char* kHomeSize =
    "node_filesystem_size_bytes{device=\"/dev/sdb1\",fstype=\"ext4\",mountpoint=\"/home\"} 100\n";
constexpr const char* kNfsSize =
    "node_filesystem_size_bytes{device=\"store:/x\",fstype=\"nfs4\",mountpoint=\"/nfs\"} 100\n";
constexpr const char* kNfsStuck =
    "node_filesystem_device_error{device=\"store:/x\",fstype=\"nfs4\",mountpoint=\"/nfs\","
    "device_error=\"mountpoint timeout\"} 1\n";

TEST_F(FilesystemTest, AllAnswer) {
  options_.mount_wait = Duration(60'000);
  const std::string page = Page(*Make());
  EXPECT_THAT(page, HasSubstr(kRootSize));
  EXPECT_THAT(page, HasSubstr(kNfsSize));
  EXPECT_THAT(page,
              HasSubstr("device_error{device=\"/dev/sda1\",fstype=\"ext4\",mountpoint=\"/\"} 0\n"));
}

TEST_F(FilesystemTest, DeadServerIsMarkedSkippedAndForgiven) {
  options_.mount_wait = Duration(60'000);
  const auto collector = Make();
  EXPECT_THAT(Page(*collector), HasSubstr(kNfsSize));

  servers_->Kill("/nfs");
  options_.mount_wait = Duration(1);
  // The wait is part of the collector's options; make one that does not wait, on the same servers.
  const auto impatient = Make();
  Page(*impatient);
  servers_->WaitUntilAsked("/nfs", 2);
  EXPECT_THAT(Page(*impatient), Not(HasSubstr(kNfsStuck)));  // Slow is not stuck.

  clock_.Advance(Duration(5'000));
  EXPECT_THAT(Page(*impatient), HasSubstr(kNfsStuck));
  const int asked = servers_->asked("/nfs");
  // A new thread took over: what stands behind the dead server in the queue is answered.
  servers_->WaitUntilAsked("/home", 2);
  std::string page;
  do {
    page = Page(*impatient);
  } while (page.find(kHomeSize) == std::string::npos);
  EXPECT_THAT(page, HasSubstr(kNfsStuck));
  EXPECT_THAT(page, Not(HasSubstr(kNfsSize)));
  EXPECT_EQ(servers_->asked("/nfs"), asked);  // Nobody asks again while the call hangs.

  servers_->Revive("/nfs");
  do {
    page = Page(*impatient);
  } while (page.find(kNfsSize) == std::string::npos);
  EXPECT_THAT(page, Not(HasSubstr(kNfsStuck)));
}

TEST_F(FilesystemTest, DestructionDoesNotWaitForADeadServer) {
  options_.mount_wait = Duration(1);
  servers_->Kill("/nfs");
  {
    const auto collector = Make();
    Page(*collector);
    servers_->WaitUntilAsked("/nfs", 1);
  }
  servers_->Revive("/nfs");  // Its thread ends now, without the collector.
}

TEST_F(FilesystemTest, UnmountedIsForgotten) {
  options_.mount_wait = Duration(60'000);
  const auto collector = Make();
  EXPECT_THAT(Page(*collector), HasSubstr(kHomeSize));
  std::ofstream(root_ + "/1/mountinfo") << "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n";
  const std::string page = Page(*collector);
  EXPECT_THAT(page, HasSubstr(kRootSize));
  EXPECT_THAT(page, Not(HasSubstr("/home")));
}

TEST_F(FilesystemTest, TheSameMountTwiceIsOneSeries) {
  options_.mount_wait = Duration(60'000);
  std::ofstream(root_ + "/1/mountinfo") << "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
                                           "2 0 8:1 / / ro - ext4 /dev/sda1 rw\n";
  const std::string page = Page(*Make());
  EXPECT_EQ(page.find(kRootSize), page.rfind(kRootSize));
}

}  // namespace
}  // namespace sonde::collect
