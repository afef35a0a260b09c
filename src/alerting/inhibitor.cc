#include "alerting/inhibitor.h"

#include <algorithm>
#include <utility>

namespace sonde::alerting {
namespace {

std::optional<std::uint64_t> FirstFiring(const std::map<std::uint64_t, StoredAlertPtr>& sources,
                                         Timestamp now) {
  for (const auto& [fingerprint, alert] : sources) {
    if (!alert->ResolvedAt(now)) return fingerprint;
  }
  return {};
}

}  // namespace

StoredAlert MergeAlerts(const StoredAlert& old, StoredAlert update, Timestamp now) {
  const Alert& a = old.alert;
  Alert& b = update.alert;
  const bool overlaps = (b.ends_at > a.starts_at && b.ends_at < a.ends_at) ||
                        (b.starts_at > a.starts_at && b.starts_at < a.ends_at);
  if (!overlaps) return update;
  b.starts_at = std::min(a.starts_at, b.starts_at);
  if (update.ResolvedAt(now)) {
    if (old.ResolvedAt(now)) b.ends_at = std::max(a.ends_at, b.ends_at);
  } else if (a.ends_at > b.ends_at && !old.timed_out) {
    b.ends_at = a.ends_at;
  }
  return update;
}

bool ComesBefore(const StoredAlert& a, const StoredAlert& b) {
  for (const char* name : {"job", "instance"}) {
    const auto order = a.alert.labels.Get(name) <=> b.alert.labels.Get(name);
    if (order != 0) return order < 0;
  }
  return a.alert.labels < b.alert.labels;
}

Inhibitor::Inhibitor(std::vector<InhibitRule> rules) {
  for (InhibitRule& rule : rules)
    rules_.push_back({std::move(rule), {}});
}

std::string Inhibitor::KeyOf(const Rule& rule, LabelsView labels) {
  std::string key;
  for (const std::string& name : rule.options.equal) {
    key += labels.Get(name);
    key += '\xff';  // Not part of UTF-8.
  }
  return key;
}

void Inhibitor::Update(const StoredAlertPtr& alert) {
  const LabelsView labels = alert->alert.labels;
  for (Rule& rule : rules_) {
    if (!MatchesAll(rule.options.source, labels)) continue;
    Bucket& bucket = rule.buckets[KeyOf(rule, labels)];
    Sources& sources =
        MatchesAll(rule.options.target, labels) ? bucket.two_sided : bucket.one_sided;
    sources.insert_or_assign(alert->fingerprint, alert);
  }
}

void Inhibitor::Remove(const StoredAlert& alert) {
  for (Rule& rule : rules_) {
    if (!MatchesAll(rule.options.source, alert.alert.labels)) continue;
    const auto bucket = rule.buckets.find(KeyOf(rule, alert.alert.labels));
    if (bucket == rule.buckets.end()) continue;
    bucket->second.one_sided.erase(alert.fingerprint);
    bucket->second.two_sided.erase(alert.fingerprint);
    if (bucket->second.one_sided.empty() && bucket->second.two_sided.empty())
      rule.buckets.erase(bucket);
  }
}

std::optional<std::uint64_t> Inhibitor::MutedBy(LabelsView labels, Timestamp now) const {
  for (const Rule& rule : rules_) {
    if (!MatchesAll(rule.options.target, labels)) continue;
    const auto bucket = rule.buckets.find(KeyOf(rule, labels));
    if (bucket == rule.buckets.end()) continue;
    if (const auto source = FirstFiring(bucket->second.one_sided, now)) return source;
    if (MatchesAll(rule.options.source, labels)) continue;
    if (const auto source = FirstFiring(bucket->second.two_sided, now)) return source;
  }
  return {};
}

}  // namespace sonde::alerting
