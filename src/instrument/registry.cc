#include "instrument/registry.h"

#include <algorithm>
#include <optional>

#include "base/check.h"

namespace sonde::instrument {

Histogram::Histogram(std::span<const double> bounds)
    : bounds_(bounds.begin(), bounds.end()), counts_(bounds.size() + 1) {
  CHECK(std::ranges::is_sorted(bounds_));
}

Histogram::~Histogram() = default;

std::size_t Histogram::Bucket(double v) const {
  return static_cast<std::size_t>(std::ranges::lower_bound(bounds_, v) - bounds_.begin());
}

void Histogram::Observe(double v, std::uint64_t count) {
  counts_[Bucket(v)].fetch_add(count, std::memory_order_relaxed);
  sum_.Add(v * static_cast<double>(count));
}

void Histogram::Observe(double v, std::string_view label, std::string_view id, Timestamp time) {
  Observe(v, 1);
  if (id.empty() || id.size() > kMaxExampleId) return;
  MutexLock lock(examples_mutex_);
  if (examples_.empty()) examples_.resize(counts_.size());
  BucketExample& example = examples_[Bucket(v)];
  example.label = label;
  example.id = id;
  example.value = v;
  example.time = time;
}

std::vector<BucketExample> Histogram::examples() const {
  MutexLock lock(examples_mutex_);
  return examples_;
}

std::vector<std::uint64_t> Histogram::counts() const {
  std::vector<std::uint64_t> counts;
  counts.reserve(counts_.size());
  for (const auto& count : counts_) {
    counts.push_back(count.load(std::memory_order_relaxed));
  }
  return counts;
}

struct Registry::Member {
  std::vector<std::pair<std::string, std::string>> labels;
  std::unique_ptr<Counter> counter;
  std::unique_ptr<Gauge> gauge;
  std::unique_ptr<Histogram> histogram;
  std::function<double()> read;
};

struct Registry::Family {
  std::string help;
  FamilyType type = FamilyType::kGauge;
  std::vector<std::unique_ptr<Member>> members;
  std::function<void(std::vector<Point>&)> collect;
};

Registry::Registry() = default;
Registry::~Registry() = default;

Registry::Family& Registry::GetFamily(std::string_view name, std::string_view help,
                                      FamilyType type) {
  auto it = families_.find(name);
  if (it == families_.end()) {
    auto family = std::make_unique<Family>();
    family->help = help;
    family->type = type;
    it = families_.emplace(std::string(name), std::move(family)).first;
  }
  CHECK(it->second->type == type);
  return *it->second;
}

Registry::Member& Registry::GetMember(Family& family, LabelPairs labels) {
  const auto same = [&](const std::unique_ptr<Member>& member) {
    return std::ranges::equal(member->labels, labels, [](const auto& a, const auto& b) {
      return a.first == b.first && a.second == b.second;
    });
  };
  if (const auto it = std::ranges::find_if(family.members, same); it != family.members.end()) {
    return **it;
  }
  auto member = std::make_unique<Member>();
  for (const auto& [name, value] : labels) {
    member->labels.emplace_back(name, value);
  }
  family.members.push_back(std::move(member));
  return *family.members.back();
}

Counter& Registry::GetCounter(std::string_view name, std::string_view help, LabelPairs labels) {
  MutexLock lock(mutex_);
  Member& member = GetMember(GetFamily(name, help, FamilyType::kCounter), labels);
  if (member.counter == nullptr) member.counter = std::make_unique<Counter>();
  return *member.counter;
}

Gauge& Registry::GetGauge(std::string_view name, std::string_view help, LabelPairs labels) {
  MutexLock lock(mutex_);
  Member& member = GetMember(GetFamily(name, help, FamilyType::kGauge), labels);
  if (member.gauge == nullptr) member.gauge = std::make_unique<Gauge>();
  return *member.gauge;
}

Histogram& Registry::GetHistogram(std::string_view name, std::string_view help,
                                  std::span<const double> bounds, LabelPairs labels) {
  MutexLock lock(mutex_);
  Member& member = GetMember(GetFamily(name, help, FamilyType::kHistogram), labels);
  if (member.histogram == nullptr) member.histogram = std::make_unique<Histogram>(bounds);
  return *member.histogram;
}

void Registry::AddCallback(std::string_view name, std::string_view help, FamilyType type,
                           std::function<double()> read, LabelPairs labels) {
  CHECK(type != FamilyType::kHistogram);
  MutexLock lock(mutex_);
  GetMember(GetFamily(name, help, type), labels).read = std::move(read);
}

void Registry::AddCollector(std::string_view name, std::string_view help, FamilyType type,
                            std::function<void(std::vector<Point>&)> collect) {
  MutexLock lock(mutex_);
  GetFamily(name, help, type).collect = std::move(collect);
}

std::vector<FamilySnapshot> Registry::Snapshot() const {
  std::vector<FamilySnapshot> snapshot;
  // Callbacks run without the lock: they may take locks of their own.
  std::vector<std::pair<std::size_t, std::function<void(std::vector<Point>&)>>> collectors;
  struct Pending {
    std::size_t family;
    std::size_t point;
    std::function<double()> read;
  };
  std::vector<Pending> pending;
  {
    MutexLock lock(mutex_);
    for (const auto& [name, family] : families_) {
      FamilySnapshot out{name, family->help, family->type, {}};
      for (const auto& member : family->members) {
        Point point;
        point.labels = member->labels;
        point.histogram = member->histogram.get();
        if (member->counter != nullptr) point.value = member->counter->value();
        if (member->gauge != nullptr) point.value = member->gauge->value();
        if (member->read) pending.push_back({snapshot.size(), out.points.size(), member->read});
        out.points.push_back(std::move(point));
      }
      if (family->collect) collectors.emplace_back(snapshot.size(), family->collect);
      snapshot.push_back(std::move(out));
    }
  }
  for (const Pending& p : pending) {
    snapshot[p.family].points[p.point].value = p.read();
  }
  for (const auto& [index, collect] : collectors) {
    collect(snapshot[index].points);
  }
  return snapshot;
}

}  // namespace sonde::instrument
