#include "net/http_pool.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <sys/socket.h>

namespace sonde::net {

void ClientConnection::Run() {
  char byte = 0;
  const IoAttempt attempt = transport->TryRead(&byte, 1);
  // TLS sends tickets at any time; anything else from a server that was not asked means that it
  // closes, or is confused.
  if (attempt.kind == IoAttempt::Kind::kNeedRead) return;
  pool_->Drop(*this);
}

std::unique_ptr<ClientConnection> ConnectionPool::Take(const std::string& key, bool certain) {
  const auto it = idle_.find(key);
  if (it == idle_.end()) return nullptr;
  while (!it->second.empty()) {
    std::unique_ptr<ClientConnection> connection = std::move(it->second.back());
    it->second.pop_back();
    IoSource& source = connection->transport->source();
    source.OnReadable(nullptr);
    connection->Unqueue();
    connection->pool_ = nullptr;
    if (source.peer_closed()) continue;
    if (certain) {
      // Events may be on their way to us; the operating system knows.
      char byte = 0;
      const ssize_t n = ::recv(source.fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
      if (n == 0 || (n < 0 && errno != EAGAIN)) continue;
    }
    return connection;
  }
  return nullptr;
}

void ConnectionPool::Give(std::unique_ptr<ClientConnection> connection) {
  IoSource& source = connection->transport->source();
  if (closed_ || loop.stopping || source.peer_closed() || !connection->in.empty()) return;
  auto& idle = idle_[connection->key];
  if (idle.size() >= max_idle_) return;
  connection->in = InputBuffer();
  connection->pool_ = this;
  connection->idle_since_ = NowNanos();
  source.OnReadable(connection.get());
  idle.push_back(std::move(connection));
  if (!armed()) Arm(DeadlineAfter(idle_timeout_));
}

void ConnectionPool::Drop(ClientConnection& connection) {
  const auto it = idle_.find(connection.key);
  std::erase_if(it->second, [&](const auto& c) { return c.get() == &connection; });
}

void ConnectionPool::Close() {
  closed_ = true;
  idle_.clear();
  Leave();
}

void ConnectionPool::OnTimer() {
  const std::int64_t oldest = NowNanos() - idle_timeout_.count() * 1'000'000;
  std::int64_t next = kNever;
  for (auto it = idle_.begin(); it != idle_.end();) {
    auto& idle = it->second;
    std::erase_if(idle, [&](const auto& c) { return c->idle_since_ <= oldest; });
    for (const auto& connection : idle) {
      next = std::min(next, connection->idle_since_);
    }
    it = idle.empty() ? idle_.erase(it) : std::next(it);
  }
  if (next != kNever) Arm(next + idle_timeout_.count() * 1'000'000);
}

}  // namespace sonde::net
