#include "alerting/notification_log.h"

#include <algorithm>
#include <charconv>

#include "base/json.h"
#include "model/fingerprint.h"

namespace sonde::alerting {
namespace {

void WriteSet(JsonWriter& json, const std::vector<std::uint64_t>& set) {
  json.BeginArray();
  for (const std::uint64_t fingerprint : set)
    json.String(FormatFingerprint(fingerprint));
  json.EndArray();
}

std::vector<std::uint64_t> ReadSet(JsonView array) {
  std::vector<std::uint64_t> set;
  for (std::size_t i = 0; i < array.size(); ++i) {
    const std::string_view text = array.at(i).string().value_or("");
    std::uint64_t value = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), value, 16).ec == std::errc())
      set.push_back(value);
  }
  std::sort(set.begin(), set.end());
  return set;
}

bool Contains(const std::vector<std::uint64_t>& set, const std::vector<std::uint64_t>& subset) {
  return std::includes(set.begin(), set.end(), subset.begin(), subset.end());
}

}  // namespace

std::string_view ToString(NotificationReason reason) {
  switch (reason) {
    case NotificationReason::kNone:
      return "none";
    case NotificationReason::kFirst:
      return "first notification";
    case NotificationReason::kNewAlerts:
      return "new alerts in group";
    case NotificationReason::kAllResolved:
      return "all alerts resolved";
    case NotificationReason::kResolved:
      return "new resolved alerts";
    case NotificationReason::kRepeat:
      return "repeat interval elapsed";
  }
  return "none";
}

std::string NotificationEntry::ToRecord() const {
  std::string out;
  JsonWriter json(out);
  json.BeginObject().Key("key").String(key).Key("sent").Int(sent_at.ms);
  json.Key("expires").Int(expires_at.ms).Key("firing");
  WriteSet(json, firing);
  json.Key("resolved");
  WriteSet(json, resolved);
  json.EndObject();
  return out;
}

Result<NotificationEntry> NotificationEntry::FromRecord(std::string_view record) {
  const JsonDocument document = TRY(JsonDocument::Parse(record, 8));
  const JsonView root = document.root();
  NotificationEntry entry;
  entry.key = root["key"].string().value_or("");
  if (entry.key.empty() || !root["sent"].integer() || !root["expires"].integer())
    return Error(ErrorKind::kInvalid, "not an entry of the notification log");
  entry.sent_at = {*root["sent"].integer()};
  entry.expires_at = {*root["expires"].integer()};
  entry.firing = ReadSet(root["firing"]);
  entry.resolved = ReadSet(root["resolved"]);
  return entry;
}

NotificationReason NeedsNotification(const NotificationEntry* entry,
                                     const std::vector<std::uint64_t>& firing,
                                     const std::vector<std::uint64_t>& resolved, bool send_resolved,
                                     Duration repeat_interval, Timestamp now) {
  using enum NotificationReason;
  if (entry == nullptr) return firing.empty() ? kNone : kFirst;
  if (!Contains(entry->firing, firing)) return entry->firing.empty() ? kFirst : kNewAlerts;
  // Also for receivers that are not told of resolved alerts: the log must be cleared, so that the
  // next firing counts as the first.
  if (firing.empty()) return entry->firing.empty() ? kNone : kAllResolved;
  if (send_resolved && !Contains(entry->resolved, resolved)) return kResolved;
  return entry->sent_at < now - repeat_interval ? kRepeat : kNone;
}

const NotificationEntry* NotificationLog::Find(const std::string& key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : &found->second;
}

void NotificationLog::Set(NotificationEntry entry) {
  const auto found = entries_.find(entry.key);
  if (found != entries_.end() && found->second.sent_at > entry.sent_at) return;
  std::string key = entry.key;
  entries_.insert_or_assign(std::move(key), std::move(entry));
}

std::size_t NotificationLog::Collect(Timestamp now) {
  return std::erase_if(entries_, [&](const auto& item) { return item.second.expires_at <= now; });
}

}  // namespace sonde::alerting
