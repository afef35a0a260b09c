#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/result.h"
#include "base/time.h"

namespace sonde::discovery {

/// Tells when something in a directory changed: a file was written, renamed, created or removed
/// (inotify). Owned by one thread, which may wait; Wake may be called by any.
class DirectoryWatch {
 public:
  /// Where the kernel gives no inotify instance (fs.inotify.max_user_instances), every Add is an
  /// error, and Wait only waits.
  DirectoryWatch();
  ~DirectoryWatch();
  DirectoryWatch(const DirectoryWatch&) = delete;
  DirectoryWatch& operator=(const DirectoryWatch&) = delete;

  /// Watches `directory` from now on; fine if it already is watched. kNotFound or kIo if it cannot
  /// be.
  Status Add(const std::string& directory);
  /// Stops watching everything that is not in `directories`.
  void Keep(const std::set<std::string>& directories);

  /// Returns when something changed, Wake was called or `timeout` has passed: the directories that
  /// changed. A directory that was removed or moved is among them, and is no longer watched.
  std::set<std::string> Wait(Duration timeout);
  void Wake();

 private:
  void Drain(std::set<std::string>& changed);

  const int inotify_;        // -1: none.
  const int inotify_errno_;  // Why.
  const int wake_;
  std::map<int, std::string> directories_;
};

}  // namespace sonde::discovery
