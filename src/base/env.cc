#include "base/env.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace sonde {
namespace {

Error ErrnoError(std::string_view what, const Env::Path& path, int code = errno) {
  const ErrorKind kind = code == ENOENT ? ErrorKind::kNotFound : ErrorKind::kIo;
  std::string message(what);
  message += " ";
  message += path.string();
  message += ": ";
  message += std::generic_category().message(code);
  return Error(kind, std::move(message));
}

/// Closes a descriptor at the end of a scope.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

class PosixWritableFile final : public WritableFile {
 public:
  PosixWritableFile(int fd, Env::Path path, std::uint64_t size)
      : fd_(fd), path_(std::move(path)), size_(size) {}
  ~PosixWritableFile() override {
    if (fd_ >= 0) ::close(fd_);
  }

  Status Append(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
      if (n < 0) {
        if (errno == EINTR) continue;
        return ErrnoError("write", path_);
      }
      size_ += static_cast<std::uint64_t>(n);
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return OkStatus();
  }

  Status Sync() override {
    if (::fdatasync(fd_) != 0) return ErrnoError("fdatasync", path_);
    return OkStatus();
  }

  Status Close() override {
    if (::close(std::exchange(fd_, -1)) != 0) return ErrnoError("close", path_);
    return OkStatus();
  }

  std::uint64_t size() const override { return size_; }

 private:
  int fd_;
  const Env::Path path_;
  std::uint64_t size_;
};

class PosixMappedFile final : public MappedFile {
 public:
  PosixMappedFile(void* address, std::size_t size) : address_(address), size_(size) {}
  ~PosixMappedFile() override {
    if (size_ > 0) ::munmap(address_, size_);
  }
  std::string_view bytes() const override { return {static_cast<const char*>(address_), size_}; }

 private:
  void* address_;
  std::size_t size_;
};

class PosixFileLock final : public FileLock {
 public:
  explicit PosixFileLock(int fd) : fd_(fd) {}

 private:
  Descriptor fd_;  // Closing releases the flock.
};

Result<std::unique_ptr<WritableFile>> OpenForWriting(const Env::Path& path, int flags) {
  Descriptor fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644));
  if (fd.get() < 0) return ErrnoError("open", path);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return ErrnoError("stat", path);
  return std::unique_ptr<WritableFile>(std::make_unique<PosixWritableFile>(
      fd.Release(), path, static_cast<std::uint64_t>(status.st_size)));
}

}  // namespace

Result<std::unique_ptr<WritableFile>> PosixEnv::NewWritableFile(const Path& path) {
  return OpenForWriting(path, O_TRUNC);
}

Result<std::unique_ptr<WritableFile>> PosixEnv::NewAppendableFile(const Path& path) {
  return OpenForWriting(path, O_APPEND);
}

Result<std::unique_ptr<MappedFile>> PosixEnv::MapFile(const Path& path) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return ErrnoError("open", path);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return ErrnoError("stat", path);
  const auto size = static_cast<std::size_t>(status.st_size);
  void* address = nullptr;
  if (size > 0) {
    address = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd.get(), 0);
    if (address == MAP_FAILED) return ErrnoError("mmap", path);
  }
  return std::unique_ptr<MappedFile>(std::make_unique<PosixMappedFile>(address, size));
}

Result<std::string> PosixEnv::ReadFile(const Path& path, std::uint64_t max_bytes) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return ErrnoError("open", path);
  std::string contents;
  // Not by st_size: files of /proc and /sys say 0.
  std::size_t used = 0;
  while (true) {
    contents.resize(std::max<std::size_t>(used * 2, 16384));
    const ssize_t n = ::read(fd.get(), contents.data() + used, contents.size() - used);
    if (n < 0) {
      if (errno == EINTR) continue;
      return ErrnoError("read", path);
    }
    if (n == 0) break;
    used += static_cast<std::size_t>(n);
    if (used > max_bytes) {
      return Error(ErrorKind::kLimit, "read " + path.string() + ": larger than " +
                                          std::to_string(max_bytes) + " bytes");
    }
  }
  contents.resize(used);
  return contents;
}

bool PosixEnv::Exists(const Path& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

Result<std::uint64_t> PosixEnv::FileSize(const Path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return ErrnoError("stat", path);
  return static_cast<std::uint64_t>(status.st_size);
}

Result<std::vector<DirEntry>> PosixEnv::ListDir(const Path& path) {
  std::error_code error;
  std::vector<DirEntry> entries;
  std::filesystem::directory_iterator it(path, error);
  if (error) return ErrnoError("list", path, error.value());
  for (; it != std::filesystem::directory_iterator(); it.increment(error)) {
    if (error) return ErrnoError("list", path, error.value());
    DirEntry entry;
    entry.name = it->path().filename().string();
    std::error_code ignored;  // The entry may have gone since it was listed.
    entry.is_directory = it->is_directory(ignored);
    if (!entry.is_directory) {
      const std::uintmax_t size = it->file_size(ignored);
      if (!ignored) entry.size = size;
    }
    entries.push_back(std::move(entry));
  }
  std::ranges::sort(entries, {}, &DirEntry::name);
  return entries;
}

Status PosixEnv::CreateDir(const Path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return ErrnoError("mkdir", path, error.value());
  return OkStatus();
}

Status PosixEnv::RemoveFile(const Path& path) {
  if (::unlink(path.c_str()) != 0) return ErrnoError("remove", path);
  return OkStatus();
}

Status PosixEnv::RemoveAll(const Path& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return ErrnoError("remove", path, error.value());
  return OkStatus();
}

Status PosixEnv::Rename(const Path& from, const Path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return ErrnoError("rename", from);
  return OkStatus();
}

Status PosixEnv::TruncateFile(const Path& path, std::uint64_t size) {
  if (::truncate(path.c_str(), static_cast<off_t>(size)) != 0) return ErrnoError("truncate", path);
  return OkStatus();
}

Status PosixEnv::SyncDir(const Path& path) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0) return ErrnoError("open", path);
  if (::fsync(fd.get()) != 0) return ErrnoError("fsync", path);
  return OkStatus();
}

Result<std::unique_ptr<FileLock>> PosixEnv::LockFile(const Path& path) {
  Descriptor fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (fd.get() < 0) return ErrnoError("open", path);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    return Error(ErrorKind::kUnavailable,
                 "lock " + path.string() + ": held by another process (is one running here?)");
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd.get(), 0) != 0 ||
      ::pwrite(fd.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return ErrnoError("write", path);
  }
  return std::unique_ptr<FileLock>(std::make_unique<PosixFileLock>(fd.Release()));
}

Result<std::uint64_t> PosixEnv::FreeBytes(const Path& path) {
  struct statvfs status {};
  if (::statvfs(path.c_str(), &status) != 0) return ErrnoError("statvfs", path);
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

Status WriteFileAtomically(Env& env, const Env::Path& path, std::string_view contents) {
  Env::Path temporary = path;
  temporary += ".tmp";
  {
    const auto file = TRY(env.NewWritableFile(temporary));
    TRY(file->Append(contents));
    // Sync before rename: the reverse order can leave an empty file after a power cut.
    TRY(file->Sync());
    TRY(file->Close());
  }
  TRY(env.Rename(temporary, path));
  return env.SyncDir(path.has_parent_path() ? path.parent_path() : Env::Path("."));
}

Result<std::uint64_t> DirectoryBytes(Env& env, const Env::Path& path) {
  if (!env.Exists(path)) return std::uint64_t{0};
  std::uint64_t total = 0;
  for (const DirEntry& entry : TRY(env.ListDir(path))) {
    if (!entry.is_directory) {
      total += entry.size;
      continue;
    }
    auto below = DirectoryBytes(env, path / entry.name);
    // A directory that was removed in between counts as empty.
    if (!below && below.error().kind() != ErrorKind::kNotFound) return std::move(below).error();
    if (below) total += *below;
  }
  return total;
}

}  // namespace sonde
