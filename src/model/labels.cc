#include "model/labels.h"

#include <algorithm>

#include "base/check.h"
#include "base/hash.h"
#include "base/quote.h"
#include "model/names.h"

namespace sonde {
namespace {

void AppendPackedString(std::string& packed, std::string_view s) {
  CHECK(s.size() <= kMaxLabelBytes);
  if (s.size() < 255) {
    packed.push_back(static_cast<char>(s.size()));
  } else {
    packed.push_back(static_cast<char>(255));
    packed.push_back(static_cast<char>(s.size()));
    packed.push_back(static_cast<char>(s.size() >> 8));
    packed.push_back(static_cast<char>(s.size() >> 16));
  }
  packed.append(s);
}

std::string_view UnpackString(const char* p) {
  std::size_t size = static_cast<unsigned char>(*p++);
  if (size == 255) {
    size = static_cast<unsigned char>(p[0]) |
           (static_cast<std::size_t>(static_cast<unsigned char>(p[1])) << 8) |
           (static_cast<std::size_t>(static_cast<unsigned char>(p[2])) << 16);
    p += 3;
  }
  return {p, size};
}

/// Of a packed name or value, with its length.
std::size_t PackedStringSize(const char* p) {
  const std::string_view unpacked = UnpackString(p);
  return static_cast<std::size_t>(unpacked.data() - p) + unpacked.size();
}

}  // namespace

void AppendPackedLabel(std::string& packed, std::string_view name, std::string_view value) {
  AppendPackedString(packed, name);
  AppendPackedString(packed, value);
}

std::string_view LabelsView::Get(std::string_view name) const {
  for (const LabelView label : *this) {
    if (label.name == name) return label.value;
    if (label.name > name) break;
  }
  return {};
}

bool LabelsView::Has(std::string_view name) const {
  for (const LabelView label : *this) {
    if (label.name == name) return true;
  }
  return false;
}

std::uint64_t LabelsView::Hash() const {
  return Xxh64(packed_);
}

std::strong_ordering LabelsView::Compare(LabelsView a, LabelsView b) {
  // The packed forms agree up to some byte; the name or value that holds it (or its length)
  // decides. Sets that are sorted against each other mostly share a long beginning, so that is
  // skipped by words.
  const std::string_view left = a.packed_;
  const std::string_view right = b.packed_;
  const std::size_t common = std::min(left.size(), right.size());
  std::size_t same = 0;
  while (same + 8 <= common && std::memcmp(left.data() + same, right.data() + same, 8) == 0) {
    same += 8;
  }
  while (same < common && left[same] == right[same]) {
    ++same;
  }
  if (same == common) return left.size() <=> right.size();
  // Everything in front of that name or value is the same in both, so its beginning is found in
  // either.
  std::size_t begin = 0;
  while (true) {
    const std::size_t size = PackedStringSize(left.data() + begin);
    if (begin + size > same) break;
    begin += size;
  }
  return UnpackString(left.data() + begin) <=> UnpackString(right.data() + begin);
}

std::string LabelsView::ToString() const {
  std::string out;
  const std::string_view name = metric_name();
  // A name that is not a legacy identifier can only be written inside the braces.
  const bool outside = !name.empty() && IsLegacyMetricName(name);
  if (outside) out += name;
  if (outside && size() == 1) return out;
  out.push_back('{');
  bool first = true;
  const auto separate = [&] {
    if (!first) out += ", ";
    first = false;
  };
  if (!name.empty() && !outside) {
    separate();
    AppendQuoteGo(out, name);
  }
  for (const LabelView label : *this) {
    if (label.name == kMetricName) continue;
    separate();
    if (IsLegacyLabelName(label.name)) {
      out += label.name;
    } else {
      AppendQuoteGo(out, label.name);
    }
    out.push_back('=');
    AppendQuoteGo(out, label.value);
  }
  out.push_back('}');
  return out;
}

Labels Labels::FromPairs(std::span<const LabelView> pairs) {
  std::vector<LabelView> sorted(pairs.begin(), pairs.end());
  std::ranges::stable_sort(sorted, {}, &LabelView::name);
  Labels labels;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const bool replaced = i + 1 < sorted.size() && sorted[i + 1].name == sorted[i].name;
    if (replaced || sorted[i].value.empty()) continue;
    AppendPackedLabel(labels.packed_, sorted[i].name, sorted[i].value);
  }
  return labels;
}

void LabelsBuilder::Reset(LabelsView base) {
  std::size_t count = 0;
  for (const LabelView label : base) {
    if (count == labels_.size()) labels_.emplace_back();
    labels_[count].first.assign(label.name);
    labels_[count].second.assign(label.value);
    ++count;
  }
  labels_.resize(count);
}

LabelsBuilder& LabelsBuilder::Set(std::string_view name, std::string_view value) {
  if (value.empty()) return Delete(name);
  const auto it =
      std::ranges::lower_bound(labels_, name, std::less<>(),
                               [](const auto& label) -> const std::string& { return label.first; });
  if (it != labels_.end() && it->first == name) {
    it->second.assign(value);
  } else {
    labels_.insert(it, {std::string(name), std::string(value)});
  }
  return *this;
}

LabelsBuilder& LabelsBuilder::Delete(std::string_view name) {
  std::erase_if(labels_, [&](const auto& label) { return label.first == name; });
  return *this;
}

LabelsBuilder& LabelsBuilder::Keep(std::span<const std::string> names) {
  std::erase_if(labels_, [&](const auto& label) {
    return std::ranges::find(names, label.first) == names.end();
  });
  return *this;
}

std::string_view LabelsBuilder::Get(std::string_view name) const {
  for (const auto& label : labels_) {
    if (label.first == name) return label.second;
  }
  return {};
}

Labels LabelsBuilder::Build() const {
  Labels labels;
  std::size_t bytes = 0;
  for (const auto& label : labels_) {
    bytes += label.first.size() + label.second.size() + 2;
  }
  labels.packed_.reserve(bytes);
  for (const auto& label : labels_) {
    AppendPackedLabel(labels.packed_, label.first, label.second);
  }
  return labels;
}

}  // namespace sonde
