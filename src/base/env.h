#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

// The file system as the store sees it. Whatever keeps data goes through an Env, so that FaultEnv
// (base/fault_env.h) can stop it after any write, forget what was not synced, or be full.

namespace sonde {

/// A file that is written from its start or its end on. Not thread-safe, except that Sync may run
/// beside an Append (what is being appended may be synced or not). Destruction closes it; bytes
/// that were appended but not synced may be lost in a power cut, never in a kill of the process.
class WritableFile {
 public:
  virtual ~WritableFile() = default;

  /// Hands the bytes to the operating system (no buffer of our own). After an error the file's tail
  /// is unknown.
  virtual Status Append(std::string_view bytes) = 0;
  /// Returns when everything appended so far survives a power cut (fdatasync).
  virtual Status Sync() = 0;
  /// Closes; later calls are an error. Destruction does the same without a result.
  virtual Status Close() = 0;
  /// Bytes in the file.
  virtual std::uint64_t size() const = 0;
};

/// A read-only mapping of a file's bytes as of the time of mapping. The bytes stay readable when
/// the file is removed. Thread-safe.
class MappedFile {
 public:
  virtual ~MappedFile() = default;
  virtual std::string_view bytes() const = 0;
};

/// Holds an advisory lock on a file until it is destroyed.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

struct DirEntry {
  std::string name;
  bool is_directory = false;
  std::uint64_t size = 0;  ///< Files only.
};

/// Thread-safe. Errors: kNotFound if a path does not exist, else kIo with errno's text; each names
/// the path.
class Env {
 public:
  using Path = std::filesystem::path;

  virtual ~Env() = default;

  /// Creates the file, or empties it if it exists.
  virtual Result<std::unique_ptr<WritableFile>> NewWritableFile(const Path& path) = 0;
  /// Opens for appending; creates it if it does not exist.
  virtual Result<std::unique_ptr<WritableFile>> NewAppendableFile(const Path& path) = 0;
  /// Maps the whole file as it is now; an empty file gives empty bytes.
  virtual Result<std::unique_ptr<MappedFile>> MapFile(const Path& path) = 0;
  /// Reads the whole file; kLimit if it is larger than `max_bytes`.
  virtual Result<std::string> ReadFile(const Path& path, std::uint64_t max_bytes) = 0;

  virtual bool Exists(const Path& path) = 0;
  virtual Result<std::uint64_t> FileSize(const Path& path) = 0;
  /// Sorted by name, without "." and "..".
  virtual Result<std::vector<DirEntry>> ListDir(const Path& path) = 0;

  /// Creates the directory and its parents; fine if it exists.
  virtual Status CreateDir(const Path& path) = 0;
  virtual Status RemoveFile(const Path& path) = 0;
  /// Removes a file or a directory with all it holds; fine if it does not exist.
  virtual Status RemoveAll(const Path& path) = 0;
  /// Atomic; replaces a file (or an empty directory) of the new name.
  virtual Status Rename(const Path& from, const Path& to) = 0;
  virtual Status TruncateFile(const Path& path, std::uint64_t size) = 0;
  /// Makes creations, renames and removals in this directory survive a power cut.
  virtual Status SyncDir(const Path& path) = 0;

  /// Creates the file if needed, locks it and writes the process id into it. kUnavailable if
  /// another process (or another lock of this Env) holds it.
  virtual Result<std::unique_ptr<FileLock>> LockFile(const Path& path) = 0;
  /// Bytes that can still be written to the file system that holds `path`.
  virtual Result<std::uint64_t> FreeBytes(const Path& path) = 0;
};

/// The machine's file system. Stateless.
class PosixEnv final : public Env {
 public:
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
};

/// Writes `contents` to `path` so that after a crash at any instant the file has either its old or
/// its new contents: temporary file, sync, rename, sync of the directory.
Status WriteFileAtomically(Env& env, const Env::Path& path, std::string_view contents);

/// Total size of the files below `path`; 0 if it does not exist.
Result<std::uint64_t> DirectoryBytes(Env& env, const Env::Path& path);

}  // namespace sonde
