#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

#include "base/check.h"

namespace sonde::net {

/// Bytes that were received and not consumed yet. Memory is there only while it is needed: an idle
/// connection has none. Views into it live until the next call that is not const.
class InputBuffer {
 public:
  std::string_view view() const { return {bytes_.get() + begin_, end_ - begin_}; }
  bool empty() const { return begin_ == end_; }
  std::size_t size() const { return end_ - begin_; }

  void Consume(std::size_t n) {
    DCHECK(n <= size());
    begin_ += n;
    if (begin_ == end_) begin_ = end_ = 0;
  }

  /// Room for at least `want` more bytes behind the others; `room` says how many.
  char* Reserve(std::size_t want, std::size_t& room) {
    if (capacity_ - end_ < want) {
      const std::size_t used = size();
      if (capacity_ - used >= want && used <= capacity_ / 2) {
        std::memmove(bytes_.get(), bytes_.get() + begin_, used);
      } else {
        const std::size_t capacity = std::max({used + want, 2 * used, kFirst});
        std::unique_ptr<char[]> bytes(new char[capacity]);  // Not zeroed.
        if (used > 0) std::memcpy(bytes.get(), bytes_.get() + begin_, used);
        bytes_ = std::move(bytes);
        capacity_ = capacity;
      }
      begin_ = 0;
      end_ = used;
    }
    room = capacity_ - end_;
    return bytes_.get() + end_;
  }
  void Commit(std::size_t n) {
    DCHECK(n <= capacity_ - end_);
    end_ += n;
  }

  /// Empty again for another use; memory beyond the usual is given back.
  void Recycle() {
    begin_ = end_ = 0;
    if (capacity_ <= kFirst) return;
    bytes_.reset();
    capacity_ = 0;
  }

  static constexpr std::size_t kFirst = 16384;

 private:
  std::unique_ptr<char[]> bytes_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace sonde::net
