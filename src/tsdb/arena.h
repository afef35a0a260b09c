#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace sonde::tsdb {

/// Memory that is given out in pieces and freed at once. Pieces do not move. Not thread-safe.
class Arena {
 public:
  /// Room for `bytes`, not aligned.
  char* Allocate(std::size_t bytes) {
    if (bytes > left_) AddBlock(bytes);
    char* const piece = at_;
    at_ += bytes;
    left_ -= bytes;
    return piece;
  }
  /// A copy of `bytes`, with `slack` zero bytes behind it.
  std::string_view Copy(std::string_view bytes, std::size_t slack = 0) {
    char* const piece = Allocate(bytes.size() + slack);
    if (!bytes.empty()) std::memcpy(piece, bytes.data(), bytes.size());
    if (slack > 0) std::memset(piece + bytes.size(), 0, slack);
    return {piece, bytes.size()};
  }

 private:
  static constexpr std::size_t kFirstBlock = 4096;
  static constexpr std::size_t kLargestBlock = 1 << 20;

  void AddBlock(std::size_t bytes) {
    // Doubling: a query for one series takes a page, a large one takes few blocks.
    block_bytes_ = block_bytes_ == 0 ? kFirstBlock : std::min(block_bytes_ * 2, kLargestBlock);
    left_ = std::max(bytes, block_bytes_);
    blocks_.emplace_back(new char[left_]);
    at_ = blocks_.back().get();
  }

  std::vector<std::unique_ptr<char[]>> blocks_;
  char* at_ = nullptr;
  std::size_t left_ = 0;
  std::size_t block_bytes_ = 0;
};

}  // namespace sonde::tsdb
