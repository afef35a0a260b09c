#include "collect/host/host_source.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/number.h"
#include "base/quote.h"

namespace sonde::collect {
namespace {

constexpr std::size_t kMaxFileBytes = 16U << 20;      // /proc/interrupts of the largest machines.
constexpr std::size_t kMaxAttributeBytes = 1U << 20;  // Anything that is not read in every round.

std::string WithoutSlash(std::string path) {
  while (!path.empty() && path.back() == '/')
    path.pop_back();
  return path;
}

std::string Join(const std::string& root, std::string_view path) {
  std::string joined = root;
  joined += '/';
  joined += path;
  return joined;
}

std::optional<std::string> ReadBytes(const std::string& path) {
  // O_NONBLOCK: a FIFO or a broken driver must not stop the page.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return std::nullopt;
  std::string contents;
  char chunk[4096];
  ssize_t got = 0;
  while ((got = ::read(descriptor, chunk, sizeof(chunk))) > 0) {
    contents.append(chunk, static_cast<std::size_t>(got));
    if (contents.size() > kMaxAttributeBytes) break;
  }
  ::close(descriptor);
  if (got < 0) return std::nullopt;
  return contents;
}

std::optional<std::string> ReadAll(const std::string& path) {
  auto read = ReadBytes(path);
  if (!read) return std::nullopt;
  std::string& contents = *read;
  while (!contents.empty() && static_cast<unsigned char>(contents.back()) <= ' ')
    contents.pop_back();
  return read;
}

std::vector<std::string> List(const std::string& path) {
  std::vector<std::string> names;
  DIR* dir = ::opendir(path.c_str());
  if (dir == nullptr) return names;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): each DIR is used by one thread only.
  while (const dirent* entry = ::readdir(dir)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  ::closedir(dir);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

HostSource::HostSource(const HostOptions& options)
    : procfs_(WithoutSlash(options.procfs)),
      sysfs_(WithoutSlash(options.sysfs)),
      rootfs_(WithoutSlash(options.rootfs)),
      udev_(WithoutSlash(options.udev)) {
  buffer_.resize(16U << 10);
}

HostSource::~HostSource() {
  for (const auto& [name, descriptor] : open_)
    ::close(descriptor);
}

Result<std::string_view> HostSource::Proc(std::string_view name) {
  if (const auto found = open_.find(name); found != open_.end()) {
    auto contents = ReadOpen(found->second, name);
    if (contents) return contents;
    ::close(found->second);  // The module behind it was unloaded, perhaps loaded again.
    open_.erase(found);
  }
  const std::string path = Join(procfs_, name);
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    const bool absent = errno == ENOENT || errno == ENOTDIR;
    return Error(absent ? ErrorKind::kNotFound : ErrorKind::kIo,
                 "cannot open " + path + ": " + std::generic_category().message(errno));
  }
  auto contents = ReadOpen(descriptor, name);
  if (!contents) {
    ::close(descriptor);
    return contents;
  }
  open_.emplace(name, descriptor);
  return contents;
}

Result<std::string_view> HostSource::ReadOpen(int descriptor, std::string_view name) {
  std::size_t size = 0;
  while (true) {
    if (size == buffer_.size()) {
      if (size >= kMaxFileBytes) {
        return Error(ErrorKind::kLimit, Join(procfs_, name) + " has more than 16 MiB");
      }
      buffer_.resize(size * 2);
    }
    const ssize_t got =
        ::pread(descriptor, buffer_.data() + size, buffer_.size() - size, static_cast<off_t>(size));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return Error(
          errno == EOPNOTSUPP || errno == ENODEV ? ErrorKind::kNotFound : ErrorKind::kIo,
          "cannot read " + Join(procfs_, name) + ": " + std::generic_category().message(errno));
    }
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  return std::string_view(buffer_.data(), size);
}

std::optional<std::string> HostSource::ReadProc(std::string_view path) const {
  return ReadAll(Join(procfs_, path));
}
std::optional<std::string> HostSource::ReadSys(std::string_view path) const {
  return ReadAll(Join(sysfs_, path));
}
std::optional<std::string> HostSource::ReadSysBytes(std::string_view path) const {
  return ReadBytes(Join(sysfs_, path));
}
std::optional<std::string> HostSource::ReadRoot(std::string_view path) const {
  return ReadAll(Join(rootfs_, path));
}
std::optional<std::string> HostSource::ReadUdev(std::string_view name) const {
  return ReadAll(Join(udev_, name));
}

std::optional<double> HostSource::SysNumber(std::string_view path) const {
  const auto text = ReadSys(path);
  return text ? ToNumber(*text) : std::nullopt;
}
std::optional<double> HostSource::ProcNumber(std::string_view path) const {
  const auto text = ReadProc(path);
  return text ? ToNumber(*text) : std::nullopt;
}

std::vector<std::string> HostSource::ListSys(std::string_view path) const {
  return List(Join(sysfs_, path));
}
std::vector<std::string> HostSource::ListProc(std::string_view path) const {
  return List(path.empty() ? procfs_ : Join(procfs_, path));
}

bool HostSource::SysExists(std::string_view path) const {
  struct stat status {};
  return ::stat(Join(sysfs_, path).c_str(), &status) == 0;
}

std::optional<std::string> HostSource::ResolveSys(std::string_view path) const {
  char* resolved = ::realpath(Join(sysfs_, path).c_str(), nullptr);
  if (resolved == nullptr) return std::nullopt;
  std::string result = resolved;
  std::free(resolved);
  return result;
}

std::string_view FieldScanner::Next() {
  std::size_t begin = 0;
  while (begin < rest_.size() && (rest_[begin] == ' ' || rest_[begin] == '\t'))
    ++begin;
  std::size_t end = begin;
  while (end < rest_.size() && rest_[end] != ' ' && rest_[end] != '\t')
    ++end;
  const std::string_view field = rest_.substr(begin, end - begin);
  rest_.remove_prefix(end);
  return field;
}

std::uint64_t FieldScanner::NextUint() {
  return ParseUint(Next()).value_or(0);
}
double FieldScanner::NextDouble() {
  return ToNumber(Next()).value_or(0);
}

bool TakeLine(std::string_view& text, std::string_view& line) {
  if (text.empty()) return false;
  const std::size_t end = text.find('\n');
  line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return true;
}

std::optional<double> ToNumber(std::string_view text) {
  text = TrimSpace(text);
  if (text.empty()) return std::nullopt;
  if (text.starts_with("0x")) {  // Flags and device ids of sysfs.
    std::uint64_t value = 0;
    const auto [end, error] =
        std::from_chars(text.data() + 2, text.data() + text.size(), value, 16);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return static_cast<double>(value);
  }
  return ParseFloat(text);
}

}  // namespace sonde::collect
