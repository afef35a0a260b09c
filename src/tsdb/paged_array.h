#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

namespace sonde::tsdb {

/// An array over all 32-bit numbers whose elements never move, and whose memory is there only for
/// pages in use. Reading is lock-free: an element is looked up by its number while another thread
/// adds pages. Adding and removing pages needs a lock of the caller's, and a removed page may be
/// destroyed only when nobody can hold a reference into it.
///
/// T must be default-constructible; elements of a new page are.
template <class T, unsigned kPageBits, unsigned kMiddleBits>
class PagedArray {
 public:
  static constexpr std::uint32_t kPageSize = 1U << kPageBits;

  struct alignas(64) Page {
    std::array<T, kPageSize> elements;
  };

  PagedArray() = default;
  PagedArray(const PagedArray&) = delete;
  PagedArray& operator=(const PagedArray&) = delete;
  ~PagedArray() {
    for (auto& slot : top_) {
      const std::unique_ptr<Middle> middle(slot.load(std::memory_order_relaxed));
      if (middle == nullptr) continue;
      for (auto& page : middle->pages) {
        delete page.load(std::memory_order_relaxed);
      }
    }
  }

  /// Null if the page of element `index` does not exist.
  T* Find(std::uint32_t index) const {
    // Acquire: pairs with the release in Make, so that the page's contents are seen.
    const Middle* middle = top_[index >> (kPageBits + kMiddleBits)].load(std::memory_order_acquire);
    if (middle == nullptr) return nullptr;
    Page* page = middle->pages[(index >> kPageBits) & kMiddleMask].load(std::memory_order_acquire);
    return page == nullptr ? nullptr : &page->elements[index & (kPageSize - 1)];
  }
  /// An element whose page is known to exist.
  T& operator[](std::uint32_t index) const { return *Find(index); }

  /// The element, after making its page if needed. Under the caller's lock.
  T& Make(std::uint32_t index) {
    auto& slot = top_[index >> (kPageBits + kMiddleBits)];
    Middle* middle = slot.load(std::memory_order_relaxed);
    if (middle == nullptr) {
      middle = new Middle();
      slot.store(middle, std::memory_order_release);
    }
    auto& page_slot = middle->pages[(index >> kPageBits) & kMiddleMask];
    Page* page = page_slot.load(std::memory_order_relaxed);
    if (page == nullptr) {
      page = new Page();
      page_slot.store(page, std::memory_order_release);
    }
    return page->elements[index & (kPageSize - 1)];
  }

  /// Takes the page that holds `index` out, under the caller's lock. Those who have just looked it
  /// up may still be in it.
  std::unique_ptr<Page> UnlinkPage(std::uint32_t index) {
    Middle* middle = top_[index >> (kPageBits + kMiddleBits)].load(std::memory_order_relaxed);
    auto& slot = middle->pages[(index >> kPageBits) & kMiddleMask];
    return std::unique_ptr<Page>(slot.exchange(nullptr, std::memory_order_relaxed));
  }

 private:
  static constexpr unsigned kTopBits = 32 - kPageBits - kMiddleBits;
  static constexpr std::uint32_t kMiddleMask = (1U << kMiddleBits) - 1;

  struct Middle {
    std::array<std::atomic<Page*>, 1U << kMiddleBits> pages{};
  };

  std::array<std::atomic<Middle*>, 1U << kTopBits> top_{};
};

}  // namespace sonde::tsdb
