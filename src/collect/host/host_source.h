#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "collect/options.h"

// How the host collectors read procfs and sysfs: many small files, again and again.

namespace sonde::collect {

/// Reads small files below configurable roots. Not thread-safe.
class HostSource {
 public:
  explicit HostSource(const HostOptions& options);
  ~HostSource();
  HostSource(const HostSource&) = delete;
  HostSource& operator=(const HostSource&) = delete;

  /// The contents of procfs's file `name`, which is read in every round: its descriptor stays open.
  /// Borrowed until the next Proc. kNotFound if this kernel has no such file, kIo if it cannot be
  /// read.
  Result<std::string_view> Proc(std::string_view name);

  /// The contents of a file that comes and goes, without white space at its end; nothing if there
  /// is none or it cannot be read (sysfs attributes answer with errors as a matter of course).
  std::optional<std::string> ReadProc(std::string_view path) const;
  std::optional<std::string> ReadSys(std::string_view path) const;
  /// As it is, for binary files of sysfs.
  std::optional<std::string> ReadSysBytes(std::string_view path) const;
  std::optional<std::string> ReadRoot(std::string_view path) const;
  std::optional<std::string> ReadUdev(std::string_view name) const;
  /// As ReadSys and ReadProc, for files that hold one decimal number.
  std::optional<double> SysNumber(std::string_view path) const;
  std::optional<double> ProcNumber(std::string_view path) const;

  /// Names in a directory, sorted; empty if there is none.
  std::vector<std::string> ListSys(std::string_view path) const;
  std::vector<std::string> ListProc(std::string_view path) const;
  bool SysExists(std::string_view path) const;
  /// Where a path below sysfs leads to, symbolic links resolved; nothing if it does not exist.
  std::optional<std::string> ResolveSys(std::string_view path) const;

  const std::string& sysfs() const { return sysfs_; }
  const std::string& rootfs() const { return rootfs_; }

 private:
  Result<std::string_view> ReadOpen(int descriptor, std::string_view name);

  const std::string procfs_;
  const std::string sysfs_;
  const std::string rootfs_;
  const std::string udev_;
  std::map<std::string, int, std::less<>> open_;
  std::string buffer_;
};

/// Walks over the fields of a line that blanks separate.
class FieldScanner {
 public:
  explicit FieldScanner(std::string_view line) : rest_(line) {}

  /// The next field; empty at the end.
  std::string_view Next();
  /// The next field as a number; 0 if it is missing or none.
  std::uint64_t NextUint();
  double NextDouble();
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

/// Takes the first line from `text`, without its newline; false at the end.
bool TakeLine(std::string_view& text, std::string_view& line);

/// `text` as a number; nothing unless the whole of it is one.
std::optional<double> ToNumber(std::string_view text);

}  // namespace sonde::collect
