#include "discovery/directory_watch.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <limits>
#include <system_error>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/check.h"

namespace sonde::discovery {
namespace {

constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM |
                                  IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

std::string ErrnoText(int code) {
  return std::generic_category().message(code);
}

}  // namespace

DirectoryWatch::DirectoryWatch()
    : inotify_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)),
      inotify_errno_(inotify_ < 0 ? errno : 0),
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  CHECK(wake_ >= 0);
}

DirectoryWatch::~DirectoryWatch() {
  if (inotify_ >= 0) close(inotify_);
  close(wake_);
}

Status DirectoryWatch::Add(const std::string& directory) {
  if (inotify_ < 0) return Error(ErrorKind::kIo, "inotify: " + ErrnoText(inotify_errno_));
  const int id = inotify_add_watch(inotify_, directory.c_str(), kEvents);
  if (id < 0) {
    const int code = errno;
    return Error(code == ENOENT ? ErrorKind::kNotFound : ErrorKind::kIo,
                 "cannot watch " + directory + ": " + ErrnoText(code));
  }
  directories_[id] = directory;
  return OkStatus();
}

void DirectoryWatch::Keep(const std::set<std::string>& directories) {
  std::erase_if(directories_, [&](const auto& entry) {
    if (directories.contains(entry.second)) return false;
    inotify_rm_watch(inotify_, entry.first);
    return true;
  });
}

std::set<std::string> DirectoryWatch::Wait(Duration timeout) {
  std::array<pollfd, 2> fds = {{{inotify_, POLLIN, 0}, {wake_, POLLIN, 0}}};
  const auto wait = std::clamp<std::int64_t>(timeout.count(), 0, std::numeric_limits<int>::max());
  std::set<std::string> changed;
  if (poll(fds.data(), fds.size(), static_cast<int>(wait)) <= 0) return changed;
  if (fds[1].revents != 0) {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto n = read(wake_, &count, sizeof count);
  }
  if (fds[0].revents != 0) Drain(changed);
  return changed;
}

void DirectoryWatch::Drain(std::set<std::string>& changed) {
  alignas(inotify_event) std::array<char, 16 << 10> buffer;
  for (;;) {
    const ssize_t n = read(inotify_, buffer.data(), buffer.size());
    if (n <= 0) return;
    for (ssize_t at = 0; at < n;) {
      inotify_event event;
      std::memcpy(&event, buffer.data() + at, sizeof event);
      at += static_cast<ssize_t>(sizeof event + event.len);
      if ((event.mask & IN_Q_OVERFLOW) != 0) {
        for (const auto& [id, directory] : directories_)
          changed.insert(directory);
        continue;
      }
      const auto found = directories_.find(event.wd);
      if (found == directories_.end()) continue;
      changed.insert(found->second);
      if ((event.mask & IN_MOVE_SELF) != 0) inotify_rm_watch(inotify_, event.wd);
      if ((event.mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF)) != 0)
        directories_.erase(found);
    }
  }
}

void DirectoryWatch::Wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = write(wake_, &one, sizeof one);
}

}  // namespace sonde::discovery
