#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/result.h"
#include "collect/host/host_calls.h"
#include "collect/host/host_page.h"
#include "collect/host/host_source.h"
#include "collect/options.h"
#include "wire/exposition_format.h"

namespace sonde::collect {

class FilesystemCollector;

/// The machine's vital signs as one exposition page: node_exporter's names, so that its dashboards
/// and rules work.
///
/// Thread-safe. Collect reads some hundred small files, for a few milliseconds (longer where
/// sensors are slow), so it is called on a worker thread, never on a loop. A collector that fails
/// leaves its part of the page out, is logged when it begins to fail, and says so in
/// node_scrape_collector_success.
class HostCollector {
 public:
  /// `clock` and the logger's sink must outlive it. kInvalid for a bad pattern or an unknown name
  /// in `disable` or `enable`.
  static Result<std::unique_ptr<HostCollector>> Make(HostOptions options, const Clock& clock,
                                                     const Logger& logger,
                                                     HostCalls calls = HostCalls::OfThisMachine());
  ~HostCollector();

  /// The page as of now; text format 0.0.4 unless asked otherwise.
  std::string Collect(const wire::ServedFormat& format = {}) EXCLUDES(mutex_);

  /// The names that `disable` and `enable` know, sorted.
  static std::vector<std::string> Names();

 private:
  struct Part {
    std::string_view name;
    std::function<Status(HostSource&, HostPage&)> collect;
    bool failing = false;
  };

  HostCollector(HostOptions options, const Clock& clock, const Logger& logger);
  Status AddParts(HostCalls calls);
  void Run(Part& part) REQUIRES(mutex_);

  const HostOptions options_;
  const Clock& clock_;
  const Logger logger_;
  std::unique_ptr<FilesystemCollector> filesystem_;

  Mutex mutex_;
  HostSource source_ GUARDED_BY(mutex_);
  HostPage page_ GUARDED_BY(mutex_);
  std::vector<Part> parts_ GUARDED_BY(mutex_);
  std::size_t last_size_ GUARDED_BY(mutex_) = 0;
};

}  // namespace sonde::collect
