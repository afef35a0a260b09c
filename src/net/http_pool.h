#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "net/input_buffer.h"
#include "net/reactor.h"
#include "net/transport.h"

// A client's connections on one loop. Only net/ includes this file.

namespace sonde::net {

class ConnectionPool;

/// A connection to a server, in use or waiting in its pool. While it waits it watches for the
/// server closing it.
class ClientConnection final : Runnable {
 public:
  ClientConnection(std::unique_ptr<Transport> t, std::string pool_key)
      : transport(std::move(t)), key(std::move(pool_key)) {}
  ~ClientConnection() override { transport->source().OnReadable(nullptr); }

  const std::unique_ptr<Transport> transport;
  const std::string key;
  InputBuffer in;

 private:
  friend class ConnectionPool;
  void Run() override;  // Readable while idle.

  ConnectionPool* pool_ = nullptr;  // While idle.
  std::int64_t idle_since_ = 0;
};

/// Idle connections by key. Loop thread only, but the last reference may go elsewhere once the loop
/// has ended.
class ConnectionPool final : Timer {
 public:
  ConnectionPool(EventLoop::Impl& loop_impl, std::uint32_t max_idle_per_key, Duration idle_timeout)
      : Timer(loop_impl.timers),
        loop(loop_impl),
        mailbox(loop_impl.mailbox),
        max_idle_(max_idle_per_key),
        idle_timeout_(idle_timeout) {}

  /// The one that was used last, or null. `certain`: ask the operating system whether the server
  /// has closed it.
  std::unique_ptr<ClientConnection> Take(const std::string& key, bool certain);
  void Give(std::unique_ptr<ClientConnection> connection);
  void Drop(ClientConnection& connection);
  /// Closes all; what is given back later is closed, too.
  void Close();

  EventLoop::Impl& loop;  ///< May be gone once the pool is closed.
  const std::shared_ptr<Mailbox> mailbox;

 private:
  void OnTimer() override;

  const std::uint32_t max_idle_;
  const Duration idle_timeout_;
  std::map<std::string, std::vector<std::unique_ptr<ClientConnection>>> idle_;
  bool closed_ = false;
};

}  // namespace sonde::net
