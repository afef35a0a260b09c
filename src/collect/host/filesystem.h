#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/regex.h"
#include "base/result.h"
#include "collect/host/host_calls.h"
#include "collect/host/host_page.h"
#include "collect/host/host_source.h"
#include "collect/options.h"

namespace sonde::collect {

/// One line of /proc/1/mountinfo.
struct Mount {
  std::string device, mount_point, fs_type, major, minor;
  bool read_only = false;
};

/// Mounts in their order; lines that do not parse are left out. Octal escapes ("\040") are decoded.
std::vector<Mount> ParseMountInfo(std::string_view text);

/// node_filesystem_*: size and free space of mounted file systems.
///
/// A network file system whose server is gone blocks statfs(2) for ever, and nothing can interrupt
/// it. So the thread `collect-host` asks, and Collect waits only for a while; it then shows the
/// last answer, and after `mount_timeout` marks the mount (node_filesystem_device_error 1) and does
/// not ask again before the call returns. The thread that hangs is given up and replaced, at most 8
/// times (docs/decisions/0070-stuck-mounts.md).
///
/// Collect is for one thread at a time. The destructor does not wait for calls that hang: their
/// threads end when the calls do, and touch nothing of this object.
class FilesystemCollector {
 public:
  using UsageCall = std::function<Result<FilesystemUsage>(const std::string& path)>;

  /// `clock` must outlive it. kInvalid if a pattern of `options` does not compile.
  static Result<std::unique_ptr<FilesystemCollector>> Make(const HostOptions& options,
                                                           UsageCall usage, const Clock& clock);
  ~FilesystemCollector();
  FilesystemCollector(const FilesystemCollector&) = delete;
  FilesystemCollector& operator=(const FilesystemCollector&) = delete;

  Status Collect(HostSource& source, HostPage& page);

 private:
  struct Shared;

  FilesystemCollector(const HostOptions& options, UsageCall usage, const Clock& clock, Regex mounts,
                      Regex types);
  void Ask(const std::vector<Mount>& mounts);
  void GiveUpStuckThread();

  const Duration mount_timeout_;
  const Duration mount_wait_;
  const std::string rootfs_;
  const Clock& clock_;
  const Regex mounts_exclude_;
  const Regex types_exclude_;
  const std::shared_ptr<Shared> shared_;
};

}  // namespace sonde::collect
