#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"

// Blocking sockets on loopback, for tests that send bytes which no client of ours would send.

namespace sonde::net {

/// One end of a connection. Reads give up after 20 s, so that a broken test fails instead of
/// hanging.
class RawSocket {
 public:
  explicit RawSocket(int fd) : fd_(fd) {
    const timeval patience{20, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  }
  ~RawSocket() { Close(); }
  RawSocket(RawSocket&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), buffer_(std::move(other.buffer_)) {}
  RawSocket(const RawSocket&) = delete;
  RawSocket& operator=(const RawSocket&) = delete;
  RawSocket& operator=(RawSocket&&) = delete;

  static RawSocket Connect(std::uint16_t port, int receive_buffer = 0) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer > 0)
      setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
    return RawSocket(fd);
  }

  /// False once the other side takes no more.
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }

  /// Everything up to and including `marker`; less if the connection ends before.
  std::string ReadUntil(std::string_view marker) {
    while (true) {
      const std::size_t at = buffer_.find(marker);
      if (at != std::string::npos) return TakeFront(at + marker.size());
      if (!Receive()) return TakeFront(buffer_.size());
    }
  }
  std::string ReadBytes(std::size_t n) {
    while (buffer_.size() < n && Receive()) {
    }
    return TakeFront(std::min(n, buffer_.size()));
  }
  /// To the end of the connection (or until it is reset).
  std::string ReadToEnd() {
    while (Receive()) {
    }
    return TakeFront(buffer_.size());
  }

  void ShutdownWrite() { ::shutdown(fd_, SHUT_WR); }
  void Close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  /// Closes with a reset instead of a FIN.
  void Reset() {
    const linger now{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    Close();
  }

 private:
  bool Receive() {
    char bytes[16384];
    const ssize_t n = ::recv(fd_, bytes, sizeof(bytes), 0);
    if (n <= 0) return false;
    buffer_.append(bytes, static_cast<std::size_t>(n));
    return true;
  }
  std::string TakeFront(std::size_t n) {
    std::string front = buffer_.substr(0, n);
    buffer_.erase(0, n);
    return front;
  }

  int fd_;
  std::string buffer_;
};

/// Listens on a port of its own.
class RawListener {
 public:
  RawListener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
    CHECK(::listen(fd_, 16) == 0);
    socklen_t size = sizeof(address);
    CHECK(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
  }
  ~RawListener() { Close(); }
  RawListener(const RawListener&) = delete;
  RawListener& operator=(const RawListener&) = delete;

  std::uint16_t port() const { return port_; }
  RawSocket Accept() {
    const int fd = ::accept(fd_, nullptr, nullptr);
    CHECK(fd >= 0);
    return RawSocket(fd);
  }
  /// From now on connections to the port are refused.
  void Close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
  std::uint16_t port_ = 0;
};

}  // namespace sonde::net
