#include "gateway/feedback.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "base/json.h"
#include "base/quote.h"

namespace sonde::gateway {
namespace {

Error Invalid(std::string message) {
  return Error(ErrorKind::kInvalid, std::move(message));
}

FeedbackVerdict VerdictAround(double value, double middle) {
  if (value > middle) return FeedbackVerdict::kPositive;
  return value < middle ? FeedbackVerdict::kNegative : FeedbackVerdict::kNeutral;
}

Result<FeedbackVerdict> VerdictOfNumber(double score, std::string_view scale) {
  struct Scale {
    std::string_view name;
    double low;
    double high;
  };
  static constexpr std::array<Scale, 3> kScales = {
      {{"signed", -1, 1}, {"unit", 0, 1}, {"stars", 1, 5}}};
  for (const Scale& known : kScales) {
    if (known.name != scale) continue;
    if (!(score >= known.low && score <= known.high)) {
      return Invalid("score must lie between " + std::to_string(static_cast<int>(known.low)) +
                     " and " + std::to_string(static_cast<int>(known.high)) + " on the scale " +
                     QuoteGo(scale));
    }
    return VerdictAround(score, (known.low + known.high) / 2);
  }
  return Invalid("scale must be \"signed\" (-1 to 1), \"unit\" (0 to 1) or \"stars\" (1 to 5)");
}

Result<FeedbackVerdict> VerdictOfWord(std::string_view word) {
  static constexpr std::array<std::pair<std::string_view, FeedbackVerdict>, 7> kWords = {
      {{"up", FeedbackVerdict::kPositive},
       {"thumbs_up", FeedbackVerdict::kPositive},
       {"positive", FeedbackVerdict::kPositive},
       {"neutral", FeedbackVerdict::kNeutral},
       {"down", FeedbackVerdict::kNegative},
       {"thumbs_down", FeedbackVerdict::kNegative},
       {"negative", FeedbackVerdict::kNegative}}};
  for (const auto& [known, verdict] : kWords) {
    if (known == word) return verdict;
  }
  return Invalid(
      "score must be a number, true, false, \"up\", \"down\", \"positive\", \"neutral\" or "
      "\"negative\"");
}

Result<FeedbackVerdict> ReadVerdict(JsonView root) {
  const JsonView score = root["score"];
  if (const auto word = score.string()) return VerdictOfWord(*word);
  if (const auto thumb = score.boolean())
    return *thumb ? FeedbackVerdict::kPositive : FeedbackVerdict::kNegative;
  const auto number = score.number();
  if (!number) return VerdictOfWord("");
  const JsonView scale = root["scale"];
  if (scale.exists() && !scale.is_string()) return VerdictOfNumber(*number, "");
  return VerdictOfNumber(*number, scale.string().value_or("signed"));
}

Result<std::vector<std::string>> ReadTags(JsonView tags) {
  std::vector<std::string> all;
  if (!tags.exists() || tags.is_null()) return all;
  if (!tags.is_array()) return Invalid("tags must be a list of strings");
  if (tags.size() > Feedback::kMaxTags) {
    return Error(ErrorKind::kLimit,
                 "at most " + std::to_string(Feedback::kMaxTags) + " tags can be given");
  }
  for (std::size_t i = 0; i < tags.size(); ++i) {
    const auto tag = tags.at(i).string();
    if (!tag || tag->empty() || tag->size() > Feedback::kMaxTag) {
      return Invalid("each tag must be a string of 1 to " + std::to_string(Feedback::kMaxTag) +
                     " bytes");
    }
    if (std::ranges::find(all, *tag) == all.end()) all.emplace_back(*tag);
  }
  return all;
}

/// 0 stands for "no id".
std::uint64_t IdHash(std::string_view id) {
  return std::max<std::uint64_t>(Xxh3(id), 1);
}

constexpr std::int64_t kNanosPerMs = 1'000'000;

}  // namespace

std::string_view ToString(FeedbackVerdict verdict) {
  constexpr std::array<std::string_view, kFeedbackVerdicts> kNames = {"positive", "neutral",
                                                                      "negative"};
  return kNames[static_cast<std::size_t>(verdict)];
}

Result<Feedback> ParseFeedback(std::string_view json) {
  if (json.size() > Feedback::kMaxBody) {
    return Error(ErrorKind::kLimit,
                 "the body is larger than " + std::to_string(Feedback::kMaxBody) + " bytes");
  }
  auto document = JsonDocument::Parse(json, 8);
  if (!document) return std::move(document).error().Wrap("the body is not JSON");
  const JsonView root = document->root();
  if (!root.is_object()) return Invalid("the body must be a JSON object");
  Feedback feedback;
  const auto id = root["request_id"].string();
  if (!id || id->empty() || id->size() > Feedback::kMaxId) {
    return Invalid("request_id must be a string of 1 to " + std::to_string(Feedback::kMaxId) +
                   " bytes: the answer's X-Request-Id, or its \"id\"");
  }
  feedback.request_id = *id;
  feedback.verdict = TRY(ReadVerdict(root));
  feedback.tags = TRY(ReadTags(root["tags"]));
  return feedback;
}

FeedbackBook::FeedbackBook(const FeedbackOptions& options) : options_(options) {}

Status FeedbackBook::Configure(const FeedbackOptions& options) {
  if (options.tags.size() > FeedbackOptions::kMaxTags) {
    return Error(ErrorKind::kLimit, "feedback: there are " + std::to_string(options.tags.size()) +
                                        " tags, at most " +
                                        std::to_string(FeedbackOptions::kMaxTags) + " are allowed");
  }
  MutexLock lock(mutex_);
  // A ring that shrinks keeps its newest; one that grows goes on at its end.
  if (options.max_requests != options_.max_requests) Straighten(options.max_requests);
  options_ = options;
  return OkStatus();
}

void FeedbackBook::Straighten(std::size_t max) {
  std::rotate(ring_.begin(), ring_.begin() + next_, ring_.end());
  if (ring_.size() > max)
    ring_.erase(ring_.begin(), ring_.end() - static_cast<std::ptrdiff_t>(max));
  next_ = 0;
  by_id_.clear();
  judged_.clear();
  for (std::uint32_t slot = 0; slot < ring_.size(); ++slot) {
    for (const std::uint64_t id : ring_[slot].ids) {
      if (id != 0) by_id_[id] = slot;
    }
    if (ring_[slot].verdict) judged_.insert(slot);
  }
}

void FeedbackBook::Forget(std::uint32_t slot) {
  for (const std::uint64_t id : ring_[slot].ids) {
    const auto it = by_id_.find(id);
    // A later request may go by the same id.
    if (it != by_id_.end() && it->second == slot) by_id_.erase(it);
  }
  if (ring_[slot].verdict) judged_.erase(slot);
}

void FeedbackBook::Remember(std::span<const std::string_view> ids, ModelMetrics* owner,
                            std::int64_t now) {
  Request request;
  request.owner = owner;
  request.ended = now;
  std::size_t count = 0;
  for (const std::string_view id : ids) {
    if (id.empty() || count == kMaxIds) continue;
    const std::uint64_t hash = IdHash(id);
    if (std::ranges::find(request.ids, hash) == request.ids.end()) request.ids[count++] = hash;
  }
  if (count == 0) return;
  MutexLock lock(mutex_);
  if (options_.max_requests == 0) return;
  std::uint32_t slot = next_;
  if (ring_.size() < options_.max_requests) {
    slot = static_cast<std::uint32_t>(ring_.size());
    ring_.push_back(request);
  } else {
    Forget(slot);
    ring_[slot] = request;
    next_ = (next_ + 1) % options_.max_requests;
  }
  for (std::size_t i = 0; i < count; ++i) {
    by_id_[request.ids[i]] = slot;
  }
}

Result<FeedbackBook::Change> FeedbackBook::Give(const Feedback& feedback, std::int64_t now) {
  MutexLock lock(mutex_);
  const auto it = by_id_.find(IdHash(feedback.request_id));
  if (it == by_id_.end() ||
      now - ring_[it->second].ended > options_.max_age.count() * kNanosPerMs) {
    return Error(ErrorKind::kNotFound,
                 "no request is known by the id " + QuoteGo(feedback.request_id) +
                     ": it did not pass through this gateway, or is not among its last " +
                     std::to_string(options_.max_requests) +
                     " any more (sonde.feedback.max_requests, max_age)");
  }
  Request& request = ring_[it->second];
  Change change;
  change.owner = request.owner;
  change.verdict = feedback.verdict;
  change.replaced = request.verdict;
  std::uint64_t tags = 0;
  for (const std::string& tag : feedback.tags) {
    const auto known = std::ranges::find(options_.tags, tag);
    if (known == options_.tags.end()) {
      change.unknown_tags.push_back(tag);
      continue;
    }
    const std::uint64_t bit = std::uint64_t{1} << (known - options_.tags.begin());
    if ((request.tags & bit) == 0) change.new_tags.push_back(tag);
    tags |= bit;
  }
  // A tag that was counted once is not counted again, also if it was taken back in between.
  request.tags |= tags;
  request.verdict = feedback.verdict;
  request.judged = now;
  judged_.insert(it->second);
  return change;
}

std::vector<FeedbackBook::Tally> FeedbackBook::Tallies(std::int64_t now) const {
  std::vector<Tally> tallies;
  MutexLock lock(mutex_);
  const std::int64_t window = options_.window.count() * kNanosPerMs;
  for (const std::uint32_t slot : judged_) {
    const Request& request = ring_[slot];
    if (now - request.judged > window) continue;
    auto it = std::ranges::find(tallies, request.owner, &Tally::owner);
    if (it == tallies.end()) {
      tallies.push_back({request.owner, {}});
      it = tallies.end() - 1;
    }
    ++it->verdicts[static_cast<std::size_t>(*request.verdict)];
  }
  return tallies;
}

}  // namespace sonde::gateway
