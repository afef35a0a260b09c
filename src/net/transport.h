#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/result.h"
#include "net/quick_acks.h"
#include "net/reactor.h"
#include "net/resolver.h"
#include "net/tls_session.h"

// A connected socket as a fiber uses it: plain or TLS. Only net/ includes this file.

namespace sonde::net {

/// Bound to its loop's thread. Errors: kTimeout, kCancelled (the fiber was cancelled, or Interrupt
/// was called), kUnavailable (reset, broken). After an error it is of no further use.
class Transport {
 public:
  /// Takes a connected, non-blocking socket.
  Transport(EventLoop::Impl& loop, int fd) : source_(loop, fd) {}
  ~Transport();

  /// Opens a connection. kUnavailable if it is refused.
  static Result<std::unique_ptr<Transport>> Connect(Fiber& fiber, const Address& address,
                                                    std::int64_t deadline);

  /// Makes it a TLS connection; the context says which side. kInvalid with the reason if the peer
  /// is not trusted.
  Status StartTls(Fiber& fiber, const TlsContext& context, std::string_view server_name,
                  std::int64_t deadline);

  /// At least one byte, or 0 at the end.
  Result<std::size_t> Read(Fiber& fiber, char* to, std::size_t size, std::int64_t deadline);
  IoAttempt TryRead(char* to, std::size_t size);
  /// All pieces, in as few packets as possible. `timeout`: without the peer taking a byte; 0: none.
  Status Write(Fiber& fiber, std::span<const std::string_view> pieces, Duration timeout);

  /// Worth a TryRead.
  bool maybe_readable() const { return source_.readable() || (tls_ && tls_->HasPending()); }
  /// Asks the operating system: a byte has come that was not read, or the connection has ended.
  bool HasNews();
  bool is_tls() const { return tls_ != nullptr; }
  const TlsSession* tls() const { return tls_.get(); }  ///< Null: plain.
  IoSource& source() { return source_; }
  const IoSource& source() const { return source_; }

  /// Sends FIN (and TLS's close notice); reading goes on.
  void ShutdownWrite();

 private:
  Status WritePlain(Fiber& fiber, std::span<const std::string_view> pieces, Duration timeout);
  Status WriteTls(Fiber& fiber, std::string_view bytes, Duration timeout);
  /// Waits for what an attempt asked for; an error if it may not be tried again.
  Status WaitFor(Fiber& fiber, const IoAttempt& attempt, std::int64_t deadline, const char* what);

  IoSource source_;
  std::unique_ptr<TlsSession> tls_;
  bool connected_here_ = false;  // By Connect: this is the side that waits for answers.
  QuickAcks quick_acks_;
};

/// The text for an errno, thread-safe: "connection reset by peer".
std::string ErrnoText(int error);

}  // namespace sonde::net
