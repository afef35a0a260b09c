#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/result.h"
#include "net/event_loop.h"

// Names to addresses, without blocking a loop. Only net/ includes this file.

namespace sonde::net {

/// A socket address of IPv4 or IPv6.
struct Address {
  union {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6 = {};
  };
  socklen_t size = 0;

  /// An address literal ("127.0.0.1", "::1"); size 0 if `host` is not one.
  static Address FromLiteral(std::string_view host, std::uint16_t port);
  void set_port(std::uint16_t port);
  std::uint16_t port() const;
  /// "127.0.0.1:80", "[::1]:80".
  std::string ToString() const;
};

/// What getaddrinfo knows, asked on threads of its own, and remembered for 30 s; a failure for 1 s.
/// While the name service fails, an answer of the last 5 minutes is used. Literals and "localhost"
/// need no look-up.
///
/// Owned by a loop and used on its thread only. Its threads start with the first look-up.
/// Destroying it waits at most a second for a look-up that hangs, and then leaves that thread
/// behind: getaddrinfo cannot be interrupted.
class Resolver {
 public:
  /// Replaces getaddrinfo in tests. Runs on a thread of the resolver.
  using LookUp = Result<std::vector<Address>> (*)(const std::string& host);

  explicit Resolver(EventLoop::Impl& loop);
  ~Resolver();

  /// Never empty. kUnavailable if the name is not known, kTimeout, kCancelled.
  Result<std::vector<Address>> Resolve(Fiber& fiber, const std::string& host, std::uint16_t port,
                                       std::int64_t deadline);

  void SetLookUpForTest(LookUp look_up) { look_up_ = look_up; }

 private:
  struct Threads;
  struct Entry;

  std::shared_ptr<Entry> Ask(const std::string& host);
  void Answer(const std::string& host, Result<std::vector<Address>> answer);
  void DropOld(std::int64_t now);

  EventLoop::Impl& loop_;
  LookUp look_up_;
  std::map<std::string, std::shared_ptr<Entry>, std::less<>> entries_;
  std::shared_ptr<Threads> threads_;  // Shared with its threads.
};

}  // namespace sonde::net
