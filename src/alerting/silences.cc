#include "alerting/silences.h"

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "base/utf8.h"
#include "model/names.h"

namespace sonde::alerting {
namespace {

Error Invalid(std::string message) {
  return {ErrorKind::kInvalid, "silence invalid: " + std::move(message)};
}

std::size_t BytesOf(const Silence& silence) {
  std::size_t bytes = silence.comment.size() + silence.created_by.size();
  for (const Matcher& matcher : silence.matchers)
    bytes += matcher.name().size() + matcher.value().size();
  return bytes;
}

bool CanUpdate(const Silence& old, const Silence& wanted, Timestamp now) {
  if (old.matchers != wanted.matchers) return false;
  switch (old.State(now)) {
    case SilenceState::kActive:
      return wanted.starts_at == old.starts_at && wanted.ends_at >= now;
    case SilenceState::kPending:
      return wanted.starts_at >= now;
    case SilenceState::kExpired:
      return false;
  }
  return false;
}

}  // namespace

std::string_view ToString(SilenceState state) {
  switch (state) {
    case SilenceState::kPending:
      return "pending";
    case SilenceState::kActive:
      return "active";
    case SilenceState::kExpired:
      return "expired";
  }
  return "expired";
}

std::string Silence::ToRecord() const {
  std::string out;
  JsonWriter json(out);
  json.BeginObject().Key("id").String(id).Key("matchers").BeginArray();
  for (const Matcher& matcher : matchers) {
    json.BeginArray()
        .String(matcher.name())
        .String(sonde::ToString(matcher.type()))
        .String(matcher.value())
        .EndArray();
  }
  json.EndArray().Key("starts").Int(starts_at.ms).Key("ends").Int(ends_at.ms);
  json.Key("updated").Int(updated_at.ms).Key("by").String(created_by);
  json.Key("comment").String(comment).EndObject();
  return out;
}

Result<Silence> Silence::FromRecord(std::string_view record) {
  const JsonDocument document = TRY(JsonDocument::Parse(record, 8));
  const JsonView root = document.root();
  Silence silence;
  silence.id = root["id"].string().value_or("");
  silence.starts_at = {root["starts"].integer().value_or(0)};
  silence.ends_at = {root["ends"].integer().value_or(0)};
  silence.updated_at = {root["updated"].integer().value_or(0)};
  silence.created_by = root["by"].string().value_or("");
  silence.comment = root["comment"].string().value_or("");
  for (std::size_t i = 0; i < root["matchers"].size(); ++i) {
    const JsonView entry = root["matchers"].at(i);
    const std::string_view op = entry.at(1).string().value_or("");
    using enum Matcher::Type;
    for (const Matcher::Type type : {kEqual, kNotEqual, kRegex, kNotRegex}) {
      if (sonde::ToString(type) != op) continue;
      silence.matchers.push_back(
          TRY(Matcher::Make(type, std::string(entry.at(0).string().value_or("")),
                            std::string(entry.at(2).string().value_or("")))));
    }
  }
  if (silence.id.empty() || silence.matchers.empty())
    return Error(ErrorKind::kInvalid, "not a silence");
  return silence;
}

Status Silences::Validate(const Silence& silence, Timestamp now) const {
  if (silence.matchers.empty()) return Invalid("at least one matcher required");
  bool restricts = false;
  for (const Matcher& matcher : silence.matchers) {
    if (!IsValidName(matcher.name()))
      return Invalid("invalid label name \"" + matcher.name() + "\"");
    if (!IsValidUtf8(matcher.value())) return Invalid("invalid label value");
    restricts |= !matcher.MatchesEmpty();
  }
  if (!restricts) return Invalid("at least one matcher must not match the empty string");
  if (silence.starts_at.ms == 0) return Invalid("invalid zero start timestamp");
  if (silence.ends_at.ms == 0) return Invalid("invalid zero end timestamp");
  if (silence.ends_at < silence.starts_at) return Invalid("end time must not be before start time");
  if (silence.ends_at < now) return Invalid("end time can't be in the past");
  if (silence.comment.empty() || silence.created_by.empty())
    return Invalid("a comment and an author are needed");
  if (BytesOf(silence) > limits_.max_bytes) {
    return Error(ErrorKind::kLimit,
                 "silence exceeded maximum size: " + std::to_string(BytesOf(silence)) +
                     " bytes (limit: " + std::to_string(limits_.max_bytes) + " bytes)");
  }
  return OkStatus();
}

Result<std::string> Silences::Set(Silence silence, Timestamp now) {
  Silence* old = nullptr;
  if (!silence.id.empty()) {
    const auto found = silences_.find(silence.id);
    if (found == silences_.end())
      return Error(ErrorKind::kNotFound, "silence " + silence.id + " not found");
    old = &found->second;
  }
  silence.updated_at = now;
  if (old != nullptr && CanUpdate(*old, silence, now)) {
    TRY(Validate(silence, now));
    changed_.push_back(silence.id);
    *old = std::move(silence);
    return old->id;
  }
  if (silence.starts_at < now) silence.starts_at = now;
  TRY(Validate(silence, now));
  if (silences_.size() >= limits_.max_silences) {
    return Error(ErrorKind::kLimit,
                 "exceeded maximum number of silences: " + std::to_string(silences_.size()) +
                     " (limit: " + std::to_string(limits_.max_silences) + ")");
  }
  if (old != nullptr && old->State(now) != SilenceState::kExpired) TRY(Expire(old->id, now));
  silence.id = new_id_();
  const std::string id = silence.id;
  silences_.insert_or_assign(id, std::move(silence));
  changed_.push_back(id);
  return id;
}

Status Silences::Expire(std::string_view id, Timestamp now) {
  const auto found = silences_.find(id);
  if (found == silences_.end())
    return Error(ErrorKind::kNotFound, "silence " + std::string(id) + " not found");
  Silence& silence = found->second;
  switch (silence.State(now)) {
    case SilenceState::kExpired:
      return Error(ErrorKind::kInvalid, "silence " + silence.id + " already expired");
    case SilenceState::kPending:
      silence.starts_at = now;
      [[fallthrough]];
    case SilenceState::kActive:
      silence.ends_at = now;
  }
  silence.updated_at = now;
  changed_.push_back(silence.id);
  return OkStatus();
}

void Silences::Load(Silence silence) {
  std::string id = silence.id;
  silences_.insert_or_assign(std::move(id), std::move(silence));
}

const Silence* Silences::Find(std::string_view id) const {
  const auto found = silences_.find(id);
  return found == silences_.end() ? nullptr : &found->second;
}

std::vector<std::string> Silences::Muting(LabelsView labels, Timestamp now) const {
  std::vector<std::string> ids;
  for (const auto& [id, silence] : silences_) {
    if (silence.State(now) == SilenceState::kActive && MatchesAll(silence.matchers, labels))
      ids.push_back(id);
  }
  return ids;
}

std::size_t Silences::Collect(Timestamp now, Duration retention) {
  return std::erase_if(silences_,
                       [&](const auto& entry) { return entry.second.ends_at + retention < now; });
}

}  // namespace sonde::alerting
