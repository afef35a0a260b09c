#include "tsdb/postings.h"

#include <algorithm>
#include <limits>

namespace sonde::tsdb {
namespace {

using Ids = std::vector<std::uint32_t>;

// From this ratio of lengths on, searching for each of the few beats walking over the many.
constexpr std::size_t kGallopRatio = 16;

/// The first position from `from` on whose id is not below `id`, found in steps that double.
std::size_t Gallop(const IdList& list, std::size_t from, std::uint32_t id) {
  std::size_t step = 1;
  std::size_t low = from;
  while (low + step < list.size() && list[low + step] < id) {
    low += step;
    step *= 2;
  }
  std::size_t high = std::min(low + step + 1, list.size());
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (list[middle] < id) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/// Keeps the ids whose presence in the list equals `keep_present`.
void Filter(Ids& ids, const IdList& list, bool keep_present) {
  const bool gallop = list.size() > ids.size() * kGallopRatio;
  std::size_t at = 0;
  std::size_t kept = 0;
  for (const std::uint32_t id : ids) {
    if (gallop) {
      at = Gallop(list, at, id);
    } else {
      while (at < list.size() && list[at] < id) {
        ++at;
      }
    }
    const bool present = at < list.size() && list[at] == id;
    if (present == keep_present) ids[kept++] = id;
  }
  ids.resize(kept);
}

Ids UnionByBitmap(std::span<const IdList> lists, std::uint32_t min, std::uint32_t max,
                  std::size_t total) {
  std::vector<std::uint64_t> bits((max - min) / 64 + 1);
  for (const IdList& list : lists) {
    for (std::size_t i = 0; i < list.size(); ++i) {
      const std::uint32_t id = list[i];
      // Foreign lists may be out of order: what is outside of the range that their ends promise is
      // skipped.
      if (id >= min && id <= max) bits[(id - min) / 64] |= std::uint64_t{1} << ((id - min) % 64);
    }
  }
  Ids ids;
  ids.reserve(total);
  for (std::size_t word = 0; word < bits.size(); ++word) {
    for (std::uint64_t rest = bits[word]; rest != 0; rest &= rest - 1) {
      ids.push_back(min + static_cast<std::uint32_t>(word * 64) +
                    static_cast<std::uint32_t>(std::countr_zero(rest)));
    }
  }
  return ids;
}

bool IsAnything(const Matcher& m) {
  return m.type() == Matcher::Type::kRegex && m.value() == ".*";
}

/// The values that a matcher accepts, if they are few and known: `=`, and `=~` with a set of
/// literals. For the negative forms: the values that it refuses.
std::span<const std::string> KnownValues(const Matcher& m, std::string& storage) {
  if (m.regex() == nullptr) {
    storage = m.value();
    return {&storage, 1};
  }
  return m.regex()->literals();
}

/// Evaluates matchers one after the other on a shrinking set of candidates.
class Selection {
 public:
  explicit Selection(const LabelSource& source) : source_(source) {}

  Status Require(const Matcher& m) { return Apply(m, true); }
  Status Refuse(const Matcher& m) { return Apply(m, false); }

  bool started() const { return started_; }
  bool empty() const { return started_ && ids_.empty(); }
  Status StartWithAll() {
    TRY(source_.AllIds()).AppendTo(ids_);
    started_ = true;
    return OkStatus();
  }
  Ids Take() { return std::move(ids_); }

 private:
  // `required`: the matcher does not accept a missing label, so its series are those with an
  // accepted value. Else they are all series but those with a refused value.
  Status Apply(const Matcher& m, bool required) {
    std::string storage;
    const auto known = KnownValues(m, storage);
    const bool lists_matches = m.negative() != required;
    if (!known.empty() && lists_matches) {
      std::vector<IdList> lists;
      for (const std::string& value : known) {
        if (value.empty()) continue;  // No series has an empty label.
        lists.push_back(TRY(source_.Ids(m.name(), value)));
      }
      Combine(lists, required);
      return OkStatus();
    }
    // Looking at the few candidates is cheaper than at the many values.
    if (started_ && TRY(source_.ValueCount(m.name())) > 2 * ids_.size()) return FilterByLabel(m);
    return CombineByValues(m, required);
  }

  Status CombineByValues(const Matcher& m, bool required) {
    const bool positive = !m.negative();
    const std::string_view prefix =
        required && positive && m.regex() != nullptr ? std::string_view(m.regex()->prefix()) : "";
    std::vector<std::uint64_t> handles;
    TRY(source_.ForEachValue(m.name(), prefix, [&](std::string_view value, std::uint64_t handle) {
      if (m.Matches(value) == required) handles.push_back(handle);
    }));
    std::vector<IdList> lists;
    lists.reserve(handles.size());
    for (const std::uint64_t handle : handles) {
      lists.push_back(TRY(source_.IdsOf(handle)));
    }
    Combine(lists, required);
    return OkStatus();
  }

  Status FilterByLabel(const Matcher& m) {
    std::size_t kept = 0;
    // Neighbours often share the value: remember the last verdict.
    const char* last_value = nullptr;
    bool last_verdict = false;
    for (const std::uint32_t id : ids_) {
      const std::string_view value = TRY(source_.ValueOf(id, m.name()));
      if (last_value == nullptr || value.data() != last_value) {
        last_verdict = m.Matches(value);
        last_value = value.data();
      }
      if (last_verdict) ids_[kept++] = id;
    }
    ids_.resize(kept);
    return OkStatus();
  }

  void Combine(std::span<const IdList> lists, bool required) {
    if (!required) {
      if (lists.size() <= 4) {
        for (const IdList& list : lists) {
          SubtractFrom(ids_, list);
        }
        return;
      }
      const Ids united = UnionOf(lists);
      SubtractFrom(ids_, IdList(united));
      return;
    }
    if (!started_) {
      started_ = true;
      ids_ = UnionOf(lists);
      return;
    }
    if (lists.size() == 1) {
      IntersectWith(ids_, lists[0]);
      return;
    }
    const Ids united = UnionOf(lists);
    IntersectWith(ids_, IdList(united));
  }

  const LabelSource& source_;
  Ids ids_;
  bool started_ = false;
};

/// Cheap and selective matchers first.
int CostRank(const Matcher& m) {
  if (m.type() == Matcher::Type::kEqual) return 0;
  if (m.regex() != nullptr && !m.negative() && !m.regex()->literals().empty()) return 1;
  if (m.regex() != nullptr && !m.negative() && !m.regex()->prefix().empty()) return 2;
  return 3;
}

}  // namespace

void IdList::AppendTo(std::vector<std::uint32_t>& out) const {
  const std::size_t before = out.size();
  out.resize(before + size_);
  if (size_ > 0) std::memcpy(out.data() + before, data_, size_ * 4);
  if (!big_endian_) return;
  for (std::size_t i = before; i < out.size(); ++i) {
    out[i] = __builtin_bswap32(out[i]);
  }
}

void IntersectWith(std::vector<std::uint32_t>& ids, const IdList& list) {
  Filter(ids, list, true);
}

void SubtractFrom(std::vector<std::uint32_t>& ids, const IdList& list) {
  Filter(ids, list, false);
}

std::vector<std::uint32_t> UnionOf(std::span<const IdList> lists) {
  Ids ids;
  std::size_t total = 0;
  std::size_t filled = 0;
  std::uint32_t min = std::numeric_limits<std::uint32_t>::max();
  std::uint32_t max = 0;
  for (const IdList& list : lists) {
    if (list.empty()) continue;
    ++filled;
    total += list.size();
    min = std::min(min, list[0]);
    max = std::max(max, list[list.size() - 1]);
  }
  if (filled == 0) return ids;
  if (filled > 1 && max >= min && (max - min) / 64 < total * 2) {
    return UnionByBitmap(lists, min, max, total);
  }
  ids.reserve(total);
  for (const IdList& list : lists) {
    list.AppendTo(ids);
  }
  if (filled > 1) {
    std::ranges::sort(ids);
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  }
  return ids;
}

Result<std::vector<std::uint32_t>> SelectIds(const LabelSource& source,
                                             std::span<const Matcher> matchers) {
  std::vector<const Matcher*> required;
  std::vector<const Matcher*> refusing;
  for (const Matcher& m : matchers) {
    if (IsAnything(m)) continue;
    (m.MatchesEmpty() ? refusing : required).push_back(&m);
  }
  std::ranges::stable_sort(required, {}, [](const Matcher* m) { return CostRank(*m); });
  Selection selection(source);
  for (const Matcher* m : required) {
    TRY(selection.Require(*m));
    if (selection.empty()) return Ids{};
  }
  if (!selection.started()) TRY(selection.StartWithAll());
  for (const Matcher* m : refusing) {
    if (selection.empty()) break;
    TRY(selection.Refuse(*m));
  }
  return selection.Take();
}

Result<std::vector<std::string_view>> SelectValues(const LabelSource& source, std::string_view name,
                                                   std::span<const Matcher> matchers) {
  std::vector<std::string_view> values;
  std::vector<std::uint64_t> handles;
  std::vector<const Matcher*> own;
  bool others = false;
  for (const Matcher& m : matchers) {
    if (m.name() == name) {
      own.push_back(&m);
    } else {
      others = true;
    }
  }
  TRY(source.ForEachValue(name, "", [&](std::string_view value, std::uint64_t handle) {
    if (!std::ranges::all_of(own, [&](const Matcher* m) { return m->Matches(value); })) return;
    values.push_back(value);
    handles.push_back(handle);
  }));
  if (!others || values.empty()) return values;
  const Ids ids = TRY(SelectIds(source, matchers));
  std::vector<std::string_view> selected;
  if (ids.size() < values.size() * 4) {
    // Few series: look at each of them.
    for (const std::uint32_t id : ids) {
      const std::string_view value = TRY(source.ValueOf(id, name));
      if (value.empty() || (!selected.empty() && selected.back() == value)) continue;
      selected.push_back(value);
    }
    std::ranges::sort(selected);
    selected.erase(std::unique(selected.begin(), selected.end()), selected.end());
    return selected;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const IdList list = TRY(source.IdsOf(handles[i]));
    Ids common;
    if (list.size() <= ids.size()) {
      list.AppendTo(common);
      IntersectWith(common, IdList(ids));
    } else {
      common = ids;
      IntersectWith(common, list);
    }
    if (!common.empty()) selected.push_back(values[i]);
  }
  return selected;
}

}  // namespace sonde::tsdb
