#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

namespace sonde::scrape {

/// Bounds the bytes of all bodies that are in memory at one time. Thread-safe.
class BodyBudget {
 public:
  explicit BodyBudget(std::uint64_t max_bytes) : max_bytes_(max_bytes) {}

  bool Take(std::uint64_t bytes) {
    if (used_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= max_bytes()) return true;
    Give(bytes);
    return false;
  }
  void Give(std::uint64_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }

  std::uint64_t used() const { return used_.load(std::memory_order_relaxed); }
  std::uint64_t max_bytes() const { return max_bytes_.load(std::memory_order_relaxed); }
  void SetMax(std::uint64_t max_bytes) { max_bytes_.store(max_bytes, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> used_{0};
  std::atomic<std::uint64_t> max_bytes_;
};

/// What one body has taken; gives it back when it goes. A body may outlive the scraper by a moment,
/// so it owns a share of the budget.
class BodyLease {
 public:
  BodyLease() = default;
  explicit BodyLease(std::shared_ptr<BodyBudget> budget) : budget_(std::move(budget)) {}
  BodyLease(BodyLease&& other) noexcept
      : budget_(std::move(other.budget_)), bytes_(std::exchange(other.bytes_, 0)) {}
  BodyLease& operator=(BodyLease&& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~BodyLease() {
    if (budget_ != nullptr) budget_->Give(bytes_);
  }

  /// False if the budget does not allow so many more.
  bool Add(std::uint64_t bytes) {
    if (budget_ != nullptr && !budget_->Take(bytes)) return false;
    bytes_ += bytes;
    return true;
  }

 private:
  std::shared_ptr<BodyBudget> budget_;
  std::uint64_t bytes_ = 0;
};

}  // namespace sonde::scrape
