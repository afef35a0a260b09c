#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/env.h"
#include "base/mutex.h"
#include "base/random.h"

// A file system in memory that can be interrupted: the proof of every promise that the store makes
// about crashes. After LevelDB's fault-injection test and ALICE (Pillai et al. 2014).
//
// It keeps two states. What was *written* survives the kill of a process. What was *synced*
// survives a power cut: a file's bytes by WritableFile::Sync, a name (creation, rename, removal) by
// SyncDir of its directory.

namespace sonde {

/// What an operation that changes the file system is about to do; see FaultEnv::SetFault.
enum class FaultOp : unsigned char {
  kCreate,
  kAppend,
  kSync,
  kRename,
  kRemove,
  kTruncate,
  kMakeDir,
  kSyncDir,
};

/// Thread-safe. Objects handed out (files, mappings, locks) must not outlive it.
class FaultEnv final : public Env {
 public:
  FaultEnv();
  ~FaultEnv() override;

  /// Number of changing operations so far.
  std::uint64_t operations() const;
  /// The operation with this number (from 0) and all later ones fail with kIo and change nothing,
  /// except that a failing Append leaves a random prefix behind: the process was stopped there.
  void StopAt(std::uint64_t operation, std::uint64_t seed = 1);
  /// Called before every changing operation; a returned error is its result, and nothing changes.
  /// Null: off.
  using Fault = std::function<std::optional<Error>(FaultOp op, const Path& path)>;
  void SetFault(Fault fault);
  /// Appends beyond this total of bytes fail with kIo "no space left on device" after writing what
  /// fits.
  void SetCapacity(std::uint64_t bytes);

  /// A new file system that holds what is left after `kill -9`: everything written.
  std::unique_ptr<FaultEnv> AfterKill() const;
  /// What is left after a power cut: everything synced and, of what was not, a prefix chosen by
  /// `rng` (a file's unsynced tail may survive in part, an unsynced name may or may not be there).
  std::unique_ptr<FaultEnv> AfterPowerCut(Rng& rng) const;

  // Env:
  Result<std::unique_ptr<WritableFile>> NewWritableFile(const Path& path) override;
  Result<std::unique_ptr<WritableFile>> NewAppendableFile(const Path& path) override;
  Result<std::unique_ptr<MappedFile>> MapFile(const Path& path) override;
  Result<std::string> ReadFile(const Path& path, std::uint64_t max_bytes) override;
  bool Exists(const Path& path) override;
  Result<std::uint64_t> FileSize(const Path& path) override;
  Result<std::vector<DirEntry>> ListDir(const Path& path) override;
  Status CreateDir(const Path& path) override;
  Status RemoveFile(const Path& path) override;
  Status RemoveAll(const Path& path) override;
  Status Rename(const Path& from, const Path& to) override;
  Status TruncateFile(const Path& path, std::uint64_t size) override;
  Status SyncDir(const Path& path) override;
  Result<std::unique_ptr<FileLock>> LockFile(const Path& path) override;
  Result<std::uint64_t> FreeBytes(const Path& path) override;

 private:
  struct Node;
  class File;
  class Mapping;
  class Lock;
  using Tree = std::map<std::string, std::shared_ptr<Node>>;

  std::optional<Error> Interrupt(FaultOp op, const Path& path) REQUIRES(mutex_);
  Status AppendTo(const std::shared_ptr<Node>& node, const Path& path, std::string_view bytes);
  Status SyncNode(const std::shared_ptr<Node>& node, const Path& path);
  std::shared_ptr<Node> Find(const Path& path) REQUIRES(mutex_);
  Result<std::unique_ptr<WritableFile>> Open(const Path& path, bool truncate);

  mutable Mutex mutex_;
  Tree live_ GUARDED_BY(mutex_);     // What the process sees.
  Tree durable_ GUARDED_BY(mutex_);  // The names that survive a power cut.
  std::uint64_t operations_ GUARDED_BY(mutex_) = 0;
  std::optional<std::uint64_t> stop_at_ GUARDED_BY(mutex_);
  Rng rng_ GUARDED_BY(mutex_){1};
  Fault fault_ GUARDED_BY(mutex_);
  std::uint64_t capacity_ GUARDED_BY(mutex_);
  std::uint64_t bytes_ GUARDED_BY(mutex_) = 0;
  std::map<std::string, bool> locks_ GUARDED_BY(mutex_);
};

}  // namespace sonde
