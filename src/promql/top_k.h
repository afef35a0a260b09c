#pragma once

#include <cstddef>
#include <vector>

namespace sonde::promql {

/// Selects the k largest (or smallest) of a sequence of values. NaN ranks behind every number.
///
/// Which of several equal values at the cut survive is part of the contract, so that both
/// evaluators, and the reference, agree: a binary heap with the worst value on top, whose top a
/// strictly better value replaces.
class TopK {
 public:
  enum class Order : unsigned char { kLargest, kSmallest };

  TopK(std::size_t k, Order order) : k_(k), order_(order) {}

  /// Offers the value of element `index`.
  void Offer(double value, std::size_t index);
  /// The indices of the survivors, the best first.
  std::vector<std::size_t> Take();

 private:
  struct Item {
    double value;
    std::size_t index;
  };

  bool Worse(const Item& a, const Item& b) const;
  void SiftUp(std::size_t at);
  void SiftDown(std::size_t at);

  std::size_t k_;
  Order order_;
  std::vector<Item> heap_;  // The worst on top.
};

}  // namespace sonde::promql
