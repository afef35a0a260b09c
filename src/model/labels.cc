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

std::uint64_t LabelsView::Hash() const { return Xxh64(packed_); }

std::strong_ordering LabelsView::Compare(LabelsView a, LabelsView b) {
  // The packed forms agree up to some byte; the label that holds it decides. Comparing label by label is
  // simple and fast enough, since equal prefixes are compared by memcmp.
  auto i = a.begin();
  auto j = b.begin();
  const auto a_end = a.end();
  const auto b_end = b.end();
  for (; i != a_end && j != b_end; ++i, ++j) {
    const LabelView left = *i;
    const LabelView right = *j;
    if (const auto order = left.name <=> right.name; order != 0) return order;
    if (const auto order = left.value <=> right.value; order != 0) return order;
  }
  if (i == a_end && j == b_end) return std::strong_ordering::equal;
  return i == a_end ? std::strong_ordering::less : std::strong_ordering::greater;
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
  const auto it = std::ranges::lower_bound(labels_, name, std::less<>(),
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
