#include "gateway/feedback.h"

#include <array>

#include <gtest/gtest.h>

namespace sonde::gateway {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

/// "ID VERDICT TAG,TAG", or the error's kind.
std::string Read(std::string_view json) {
  const auto feedback = ParseFeedback(json);
  if (!feedback) return feedback.error().kind() == ErrorKind::kLimit ? "limit" : "invalid";
  std::string text = feedback->request_id + " " + std::string(ToString(feedback->verdict));
  for (const std::string& tag : feedback->tags) {
    text += " " + tag;
  }
  return text;
}
std::string Score(std::string_view score) {
  return Read(R"({"request_id":"r","score":)" + std::string(score) + "}");
}

TEST(ParseFeedback, Scores) {
  EXPECT_EQ(Score("1"), "r positive");
  EXPECT_EQ(Score("0.01"), "r positive");
  EXPECT_EQ(Score("0"), "r neutral");
  EXPECT_EQ(Score("-1"), "r negative");
  EXPECT_EQ(Score("true"), "r positive");
  EXPECT_EQ(Score("false"), "r negative");
  EXPECT_EQ(Score(R"("up")"), "r positive");
  EXPECT_EQ(Score(R"("thumbs_down")"), "r negative");
  EXPECT_EQ(Score(R"("neutral")"), "r neutral");
  EXPECT_EQ(Score(R"(0,"scale":"unit")"), "r negative");
  EXPECT_EQ(Score(R"(0.5,"scale":"unit")"), "r neutral");
  EXPECT_EQ(Score(R"(1,"scale":"unit")"), "r positive");
  EXPECT_EQ(Score(R"(2,"scale":"stars")"), "r negative");
  EXPECT_EQ(Score(R"(3,"scale":"stars")"), "r neutral");
  EXPECT_EQ(Score(R"(5,"scale":"stars")"), "r positive");
}

TEST(ParseFeedback, WhatIsRefused) {
  for (const char* score :
       {"1.01", "-2", "null", "[]", R"("good")", R"(-0.5,"scale":"unit")", R"(0,"scale":"stars")",
        R"(6,"scale":"stars")", R"(1,"scale":"x")", R"(1,"scale":7)", "1e999"}) {
    EXPECT_EQ(Score(score), "invalid") << score;
  }
  EXPECT_EQ(Read(""), "invalid");
  EXPECT_EQ(Read("[]"), "invalid");
  EXPECT_EQ(Read(R"({"score":1})"), "invalid");
  EXPECT_EQ(Read(R"({"request_id":"","score":1})"), "invalid");
  EXPECT_EQ(Read(R"({"request_id":7,"score":1})"), "invalid");
  EXPECT_EQ(Read(R"({"request_id":")" + std::string(257, 'x') + R"(","score":1})"), "invalid");
  EXPECT_EQ(Read(std::string(Feedback::kMaxBody + 1, ' ')), "limit");
}

TEST(ParseFeedback, Tags) {
  EXPECT_EQ(Read(R"({"request_id":"r","score":1,"tags":["a","b","a"],"comment":"never read"})"),
            "r positive a b");
  EXPECT_EQ(Read(R"({"request_id":"r","score":1,"tags":null})"), "r positive");
  EXPECT_EQ(Read(R"({"request_id":"r","score":1,"tags":"a"})"), "invalid");
  EXPECT_EQ(Read(R"({"request_id":"r","score":1,"tags":[1]})"), "invalid");
  EXPECT_EQ(Read(R"({"request_id":"r","score":1,"tags":[""]})"), "invalid");
  std::string many = R"({"request_id":"r","score":1,"tags":[)";
  for (int i = 0; i < 17; ++i) {
    many += std::string(i > 0 ? "," : "") + "\"t" + std::to_string(i) + "\"";
  }
  EXPECT_EQ(Read(many + "]}"), "limit");
}

class FeedbackBookTest : public ::testing::Test {
 protected:
  void Remember(std::string_view id, ModelMetrics* owner, std::int64_t now,
                std::string_view other = "") {
    const std::array<std::string_view, 3> ids = {id, "", other};
    book_.Remember(ids, owner, now);
  }
  Result<FeedbackBook::Change> Give(std::string id, FeedbackVerdict verdict, std::int64_t now,
                                    std::vector<std::string> tags = {}) {
    return book_.Give({std::move(id), verdict, std::move(tags)}, now);
  }
  bool Known(std::string id, std::int64_t now = 0) {
    return Give(std::move(id), FeedbackVerdict::kNeutral, now).ok();
  }
  /// "positive neutral negative" of an owner.
  std::string Tally(const ModelMetrics* owner, std::int64_t now) {
    for (const auto& tally : book_.Tallies(now)) {
      if (tally.owner != owner) continue;
      return std::to_string(tally.verdicts[0]) + " " + std::to_string(tally.verdicts[1]) + " " +
             std::to_string(tally.verdicts[2]);
    }
    return "none";
  }

  // Owners are only told apart here.
  char memory_[2] = {};
  ModelMetrics* const a_ = reinterpret_cast<ModelMetrics*>(&memory_[0]);
  ModelMetrics* const b_ = reinterpret_cast<ModelMetrics*>(&memory_[1]);
  FeedbackOptions options_{.max_requests = 3,
                           .max_age = Duration(60'000),
                           .window = Duration(10'000),
                           .tags = {"slow", "helpful"}};
  FeedbackBook book_{options_};
};

TEST_F(FeedbackBookTest, JoinsByAnyOfTheIds) {
  Remember("r1", a_, 0, "chatcmpl-1");
  Remember("r2", b_, 0);
  EXPECT_EQ(Give("r1", FeedbackVerdict::kPositive, kSecond)->owner, a_);
  EXPECT_EQ(Give("chatcmpl-1", FeedbackVerdict::kPositive, kSecond)->owner, a_);
  EXPECT_EQ(Give("r2", FeedbackVerdict::kPositive, kSecond)->owner, b_);
  const auto unknown = Give("r3", FeedbackVerdict::kPositive, kSecond);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().kind(), ErrorKind::kNotFound);
  EXPECT_NE(unknown.error().message().find("\"r3\""), std::string::npos);
}

TEST_F(FeedbackBookTest, ALaterOpinionReplacesTheFirst) {
  Remember("r", a_, 0);
  EXPECT_EQ(Give("r", FeedbackVerdict::kPositive, 1)->replaced, std::nullopt);
  const auto change = Give("r", FeedbackVerdict::kNegative, 2);
  EXPECT_EQ(change->replaced, FeedbackVerdict::kPositive);
  EXPECT_EQ(Tally(a_, 3), "0 0 1");
}

TEST_F(FeedbackBookTest, TagsAreOfAClosedSetAndCountOnce) {
  Remember("r", a_, 0);
  auto change = Give("r", FeedbackVerdict::kPositive, 1, {"slow", "blue"});
  EXPECT_EQ(change->new_tags, (std::vector<std::string>{"slow"}));
  EXPECT_EQ(change->unknown_tags, (std::vector<std::string>{"blue"}));
  change = Give("r", FeedbackVerdict::kPositive, 1, {"slow", "helpful"});
  EXPECT_EQ(change->new_tags, (std::vector<std::string>{"helpful"}));
}

TEST_F(FeedbackBookTest, OldRequestsAreForgotten) {
  for (const char* id : {"r1", "r2", "r3", "r4"}) {
    Remember(id, a_, 0);
  }
  EXPECT_FALSE(Known("r1")) << "three are kept";
  EXPECT_TRUE(Known("r2"));
  EXPECT_TRUE(Known("r4"));
  EXPECT_TRUE(Known("r4", 60 * kSecond));
  EXPECT_FALSE(Known("r4", 60 * kSecond + 1)) << "a minute is kept";
}

TEST_F(FeedbackBookTest, AnIdUsedTwiceMeansTheLaterRequest) {
  Remember("same", a_, 0);
  Remember("same", b_, 0);
  EXPECT_EQ(Give("same", FeedbackVerdict::kPositive, 1)->owner, b_);
  Remember("x", a_, 0);
  Remember("y", a_, 0);  // The first "same" goes.
  EXPECT_EQ(Give("same", FeedbackVerdict::kPositive, 1)->owner, b_);
}

TEST_F(FeedbackBookTest, OpinionsCountWithinTheWindow) {
  Remember("r1", a_, 0);
  Remember("r2", a_, 0);
  Remember("r3", b_, 0);
  static_cast<void>(Give("r1", FeedbackVerdict::kPositive, 1 * kSecond).ok());
  static_cast<void>(Give("r2", FeedbackVerdict::kNegative, 5 * kSecond).ok());
  static_cast<void>(Give("r3", FeedbackVerdict::kPositive, 5 * kSecond).ok());
  EXPECT_EQ(Tally(a_, 11 * kSecond), "1 0 1");
  EXPECT_EQ(Tally(a_, 12 * kSecond), "0 0 1");
  EXPECT_EQ(Tally(b_, 12 * kSecond), "1 0 0");
  EXPECT_EQ(Tally(a_, 16 * kSecond), "none");
}

TEST_F(FeedbackBookTest, AnOpinionGoesWithItsRequest) {
  Remember("r1", a_, 0);
  ASSERT_TRUE(Give("r1", FeedbackVerdict::kPositive, 1));
  Remember("r2", a_, 0);
  ASSERT_TRUE(Give("r2", FeedbackVerdict::kNegative, 1));
  Remember("r3", a_, 0);
  Remember("r4", b_, 0);  // In place of r1.
  EXPECT_EQ(Tally(a_, 2), "0 0 1");
  EXPECT_EQ(Tally(b_, 2), "none");
  ASSERT_TRUE(Give("r4", FeedbackVerdict::kPositive, 2));
  EXPECT_EQ(Tally(b_, 2), "1 0 0");
  options_.max_requests = 2;
  ASSERT_TRUE(book_.Configure(options_));
  EXPECT_EQ(Tally(a_, 2), "none");
  EXPECT_EQ(Tally(b_, 2), "1 0 0");
}

TEST_F(FeedbackBookTest, ItsSizeMayChange) {
  for (const char* id : {"r1", "r2", "r3", "r4"}) {
    Remember(id, a_, 0);
  }
  options_.max_requests = 2;
  ASSERT_TRUE(book_.Configure(options_));
  EXPECT_FALSE(Known("r2"));
  EXPECT_TRUE(Known("r3"));
  EXPECT_TRUE(Known("r4"));
  Remember("r5", a_, 0);
  EXPECT_FALSE(Known("r3"));
  options_.max_requests = 4;
  ASSERT_TRUE(book_.Configure(options_));
  Remember("r6", b_, 0);
  Remember("r7", a_, 0);
  Remember("r8", a_, 0);
  EXPECT_FALSE(Known("r4"));
  EXPECT_TRUE(Known("r5"));
  EXPECT_EQ(Give("r6", FeedbackVerdict::kPositive, 1)->owner, b_);
  EXPECT_TRUE(Known("r8"));
  options_.max_requests = 0;
  ASSERT_TRUE(book_.Configure(options_));
  Remember("r9", a_, 0);
  EXPECT_FALSE(Known("r9"));
  options_.tags = std::vector<std::string>(65, "t");
  EXPECT_FALSE(book_.Configure(options_));
}

}  // namespace
}  // namespace sonde::gateway
