// The body of POST /api/v1/feedback, and then the book that it is entered in: whatever is accepted
// has its bounds, and is found by its id.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "gateway/feedback.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using sonde::gateway::Feedback;
  const auto feedback = sonde::gateway::ParseFeedback({reinterpret_cast<const char*>(data), size});
  if (!feedback) return 0;
  CHECK(!feedback->request_id.empty() && feedback->request_id.size() <= Feedback::kMaxId);
  CHECK(feedback->tags.size() <= Feedback::kMaxTags);
  for (const auto& tag : feedback->tags) {
    CHECK(!tag.empty() && tag.size() <= Feedback::kMaxTag);
  }
  sonde::gateway::FeedbackBook book;
  CHECK(!book.Give(*feedback, 0));
  const std::array<std::string_view, 1> ids = {feedback->request_id};
  book.Remember(ids, nullptr, 0);
  const auto change = book.Give(*feedback, 0);
  CHECK(change && change->verdict == feedback->verdict && !change->replaced);
  CHECK(change->new_tags.size() + change->unknown_tags.size() == feedback->tags.size());
  CHECK(book.Give(*feedback, 0)->new_tags.empty());
  return 0;
}
