#pragma once

#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Label sets. One allocation each: names and values lie packed behind each other, sorted by name,
// in Prometheus's "stringlabels" form: for each name and value a length (1 byte below 255, else
// 0xFF and 3 bytes, little endian) and the bytes. So the hash that PromQL shows (limit_ratio) is
// XXH64 over the packed bytes.

namespace sonde {

inline constexpr std::string_view kMetricName = "__name__";

struct LabelView {
  std::string_view name;
  std::string_view value;
  auto operator<=>(const LabelView&) const = default;
};

/// A borrowed label set: 16 bytes, valid as long as the packed bytes are. Immutable.
class LabelsView {
 public:
  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = LabelView;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    explicit Iterator(const char* at) : at_(at) {}
    LabelView operator*() const {
      const char* p = at_;
      const std::string_view name = Read(p);
      return {name, Read(p)};
    }
    Iterator& operator++() {
      Read(at_);
      Read(at_);
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const Iterator&) const = default;

   private:
    static std::string_view Read(const char*& p) {
      std::size_t size = static_cast<unsigned char>(*p++);
      if (size == 255) {
        size = static_cast<unsigned char>(p[0]) |
               (static_cast<std::size_t>(static_cast<unsigned char>(p[1])) << 8) |
               (static_cast<std::size_t>(static_cast<unsigned char>(p[2])) << 16);
        p += 3;
      }
      const char* begin = p;
      p += size;
      return {begin, size};
    }

    const char* at_ = nullptr;
  };

  LabelsView() = default;
  /// `packed` must be well-formed: it comes from Labels or LabelsBuilder, never from outside.
  static LabelsView FromPacked(std::string_view packed) { return LabelsView(packed); }

  Iterator begin() const { return Iterator(packed_.data()); }
  Iterator end() const { return Iterator(packed_.data() + packed_.size()); }
  bool empty() const { return packed_.empty(); }
  std::size_t size() const { return static_cast<std::size_t>(std::distance(begin(), end())); }

  /// The value, or "" if there is no such label (to PromQL both are the same).
  std::string_view Get(std::string_view name) const;
  bool Has(std::string_view name) const;
  std::string_view metric_name() const { return Get(kMetricName); }

  std::string_view packed() const { return packed_; }
  std::uint64_t Hash()
      const;  ///< XXH64 of the packed bytes: labels.Hash of Prometheus's default build.

  /// `{__name__="up", job="x"}` as `up{job="x"}`: the form of query results in text and of error
  /// messages.
  std::string ToString() const;

  friend bool operator==(LabelsView a, LabelsView b) { return a.packed_ == b.packed_; }
  /// By name, then value, then the next label; a shorter set before a longer one that begins alike.
  friend std::strong_ordering operator<=>(LabelsView a, LabelsView b) { return Compare(a, b); }

 private:
  explicit LabelsView(std::string_view packed) : packed_(packed) {}
  static std::strong_ordering Compare(LabelsView a, LabelsView b);

  std::string_view packed_;
};

/// An owned label set. Immutable once made; copying costs one allocation.
class Labels {
 public:
  Labels() = default;
  explicit Labels(LabelsView view) : packed_(view.packed()) {}
  /// Sorts; later duplicates win; empty values are left out.
  static Labels FromPairs(std::span<const LabelView> pairs);
  static Labels Of(std::initializer_list<LabelView> pairs) {
    return FromPairs(std::span<const LabelView>(pairs.begin(), pairs.size()));
  }

  LabelsView view() const { return LabelsView::FromPacked(packed_); }
  operator LabelsView() const {
    return view();
  }  // NOLINT(google-explicit-constructor): a Labels is a LabelsView with an owner

  LabelsView::Iterator begin() const { return view().begin(); }
  LabelsView::Iterator end() const { return view().end(); }
  bool empty() const { return packed_.empty(); }
  std::size_t size() const { return view().size(); }
  std::string_view Get(std::string_view name) const { return view().Get(name); }
  bool Has(std::string_view name) const { return view().Has(name); }
  std::string_view metric_name() const { return view().metric_name(); }
  std::uint64_t Hash() const { return view().Hash(); }
  std::string ToString() const { return view().ToString(); }

  friend bool operator==(const Labels& a, const Labels& b) { return a.packed_ == b.packed_; }
  friend auto operator<=>(const Labels& a, const Labels& b) { return a.view() <=> b.view(); }

 private:
  friend class LabelsBuilder;
  std::string packed_;
};

/// Changes a label set: start from a base (or nothing), Set and Delete, then Build. Reusable: Reset
/// keeps the memory, so relabelling in a loop does not allocate. Not thread-safe.
class LabelsBuilder {
 public:
  LabelsBuilder() = default;
  explicit LabelsBuilder(LabelsView base) { Reset(base); }

  /// Copies `base`; forgets all changes.
  void Reset(LabelsView base);
  void Clear() { labels_.clear(); }

  /// An empty value deletes the label.
  LabelsBuilder& Set(std::string_view name, std::string_view value);
  LabelsBuilder& Delete(std::string_view name);
  /// Deletes every label whose name is not listed.
  LabelsBuilder& Keep(std::span<const std::string> names);
  std::string_view Get(std::string_view name) const;

  std::size_t size() const { return labels_.size(); }
  /// Calls visit(name, value) in name order. The builder must not change meanwhile.
  template <class F>
  void ForEach(F visit) const {
    for (const auto& label : labels_) {
      visit(std::string_view(label.first), std::string_view(label.second));
    }
  }

  Labels Build() const;

 private:
  std::vector<std::pair<std::string, std::string>> labels_;  // Sorted by name.
};

/// Appends one label in packed form. The caller keeps names sorted and unique.
void AppendPackedLabel(std::string& packed, std::string_view name, std::string_view value);

/// Longest name or value that the packed form can hold.
inline constexpr std::size_t kMaxLabelBytes = (1U << 24) - 1;

}  // namespace sonde

template <>
struct std::hash<sonde::Labels> {
  std::size_t operator()(const sonde::Labels& labels) const { return labels.Hash(); }
};
template <>
struct std::hash<sonde::LabelsView> {
  std::size_t operator()(sonde::LabelsView labels) const { return labels.Hash(); }
};
