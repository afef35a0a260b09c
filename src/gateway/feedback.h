#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "gateway/measure_options.h"

// What people say of answers, joined to the requests by id. docs/feedback.md has the body's format.
// No text of anybody is kept: a request is known by hashes of its ids, and a comment is not read.

namespace sonde::gateway {

class ModelMetrics;

enum class FeedbackVerdict : unsigned char { kPositive, kNeutral, kNegative };
inline constexpr std::size_t kFeedbackVerdicts = 3;
std::string_view ToString(FeedbackVerdict verdict);

/// One opinion on one answer.
struct Feedback {
  std::string request_id;
  FeedbackVerdict verdict = FeedbackVerdict::kNeutral;
  std::vector<std::string> tags;  ///< As given; each at most once.

  static constexpr std::size_t kMaxBody = 64U << 10;
  static constexpr std::size_t kMaxId = 256;
  static constexpr std::size_t kMaxTags = 16;
  static constexpr std::size_t kMaxTag = 64;
};

/// Reads the body of a POST. kInvalid or kLimit, with a message for whoever wrote the client.
Result<Feedback> ParseFeedback(std::string_view json);

/// The last requests, and what was said of them. Thread-safe; times are nanoseconds of a monotonic
/// clock and are passed in.
class FeedbackBook {
 public:
  explicit FeedbackBook(const FeedbackOptions& options = {});

  /// From now on. kInvalid if there are too many tags. Requests beyond a smaller bound are
  /// forgotten; what tags mean in requests that were judged already may change with the list.
  Status Configure(const FeedbackOptions& options) EXCLUDES(mutex_);

  /// A request has ended; it goes by all of these ids (empty ones are skipped).
  void Remember(std::span<const std::string_view> ids, ModelMetrics* owner, std::int64_t now)
      EXCLUDES(mutex_);

  /// What giving it has changed.
  struct Change {
    ModelMetrics* owner = nullptr;
    FeedbackVerdict verdict = FeedbackVerdict::kNeutral;
    std::optional<FeedbackVerdict> replaced;  ///< What had been said before.
    std::vector<std::string> new_tags;        ///< Known ones that had not been said before.
    std::vector<std::string> unknown_tags;
  };
  /// kNotFound if no request is known by this id (any longer).
  Result<Change> Give(const Feedback& feedback, std::int64_t now) EXCLUDES(mutex_);

  /// Opinions within the window before `now`, by whose they are.
  struct Tally {
    ModelMetrics* owner = nullptr;
    std::array<std::uint64_t, kFeedbackVerdicts> verdicts = {};
  };
  std::vector<Tally> Tallies(std::int64_t now) const EXCLUDES(mutex_);

 private:
  static constexpr std::size_t kMaxIds = 3;

  struct Request {
    std::array<std::uint64_t, kMaxIds> ids = {};  // Hashes; 0: none.
    ModelMetrics* owner = nullptr;
    std::int64_t ended = 0;
    std::int64_t judged = 0;
    std::uint64_t tags = 0;  // A bit for each of options_.tags.
    std::optional<FeedbackVerdict> verdict;
  };

  void Forget(std::uint32_t slot) REQUIRES(mutex_);
  /// The oldest request first, at most `max` of them.
  void Straighten(std::size_t max) REQUIRES(mutex_);

  mutable Mutex mutex_;
  FeedbackOptions options_ GUARDED_BY(mutex_);
  std::vector<Request> ring_ GUARDED_BY(mutex_);  // Grows to max_requests, then the oldest goes.
  std::uint32_t next_ GUARDED_BY(mutex_) = 0;
  std::unordered_map<std::uint64_t, std::uint32_t> by_id_ GUARDED_BY(mutex_);
  std::set<std::uint32_t> judged_ GUARDED_BY(mutex_);  // Slots with a verdict: few of many.
};

}  // namespace sonde::gateway
