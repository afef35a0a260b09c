#include "promql/top_k.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace sonde::promql {

bool TopK::Worse(const Item& a, const Item& b) const {
  if (std::isnan(a.value)) return true;
  return order_ == Order::kLargest ? a.value < b.value : a.value > b.value;
}

void TopK::SiftUp(std::size_t at) {
  while (at > 0) {
    const std::size_t parent = (at - 1) / 2;
    if (!Worse(heap_[at], heap_[parent])) return;
    std::swap(heap_[at], heap_[parent]);
    at = parent;
  }
}

void TopK::SiftDown(std::size_t at) {
  while (2 * at + 1 < heap_.size()) {
    std::size_t child = 2 * at + 1;
    if (child + 1 < heap_.size() && Worse(heap_[child + 1], heap_[child])) ++child;
    if (!Worse(heap_[child], heap_[at])) return;
    std::swap(heap_[at], heap_[child]);
    at = child;
  }
}

void TopK::Offer(double value, std::size_t index) {
  if (k_ == 0) return;
  if (heap_.size() < k_) {
    heap_.push_back({value, index});
    SiftUp(heap_.size() - 1);
    return;
  }
  const double worst = heap_.front().value;
  const bool better = order_ == Order::kLargest ? worst < value : worst > value;
  if (!better && !(std::isnan(worst) && !std::isnan(value))) return;
  heap_.front() = {value, index};
  SiftDown(0);
}

std::vector<std::size_t> TopK::Take() {
  std::ranges::stable_sort(heap_, [this](const Item& a, const Item& b) {
    // Both NaN: neither comes first.
    return Worse(b, a) && !(std::isnan(a.value) && std::isnan(b.value));
  });
  std::vector<std::size_t> indices;
  indices.reserve(heap_.size());
  for (const Item& item : heap_) {
    indices.push_back(item.index);
  }
  heap_.clear();
  return indices;
}

}  // namespace sonde::promql
