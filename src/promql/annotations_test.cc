#include "promql/annotations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sonde::promql {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(AnnotationsTest, TextsWithPositions) {
  AnnotationSet notes;
  notes.InvalidQuantile(1.5, {.start = 9, .end = 12});
  notes.PossibleNonCounter("foo", {.start = 5, .end = 8});
  const Annotations rendered = notes.Render("quantile(1.5, rate(foo[5m]))");
  EXPECT_THAT(rendered.warnings,
              ElementsAre("quantile value should be between 0 and 1, got 1.5 (1:10)"));
  EXPECT_THAT(rendered.infos, ElementsAre("metric might not be a counter, name does not end in "
                                          "_total/_sum/_count/_bucket: \"foo\" (1:6)"));
}

TEST(AnnotationsTest, PositionsCountLines) {
  EXPECT_EQ(FormatPosition("abc", 0), "1:1");
  EXPECT_EQ(FormatPosition("abc", 2), "1:3");
  EXPECT_EQ(FormatPosition("a\nbc", 2), "2:1");
  EXPECT_EQ(FormatPosition("a\nbc\n\nd", 6), "4:1");
  EXPECT_EQ(FormatPosition("", 7), "1:8");  // The text is not known.
}

TEST(AnnotationsTest, SameTextOnceAtTheExpressionThatEndsLast) {
  AnnotationSet notes;
  notes.set_source({.start = 20, .end = 30});
  notes.PossibleNonCounter("foo", {.start = 25, .end = 28});
  notes.set_source({.start = 0, .end = 10});
  notes.PossibleNonCounter("foo", {.start = 5, .end = 8});
  notes.PossibleNonCounter("bar", {.start = 5, .end = 8});
  EXPECT_THAT(notes.Render("").infos, ElementsAre(::testing::EndsWith("\"bar\" (1:6)"),
                                                  ::testing::EndsWith("\"foo\" (1:26)")));
}

TEST(AnnotationsTest, AnOuterExpressionEndsAfterAnInnerOne) {
  AnnotationSet outer;
  outer.set_source({.start = 0, .end = 30});
  outer.PossibleNonCounter("foo", {.start = 0, .end = 0});
  AnnotationSet inner;
  inner.set_source({.start = 5, .end = 20});
  inner.PossibleNonCounter("foo", {.start = 10, .end = 15});
  AnnotationSet merged = outer;
  merged.Merge(inner);
  EXPECT_THAT(merged.Render("").infos, ElementsAre(::testing::EndsWith("(1:1)")));
  merged = inner;
  merged.Merge(outer);
  EXPECT_THAT(merged.Render("").infos, ElementsAre(::testing::EndsWith("(1:1)")));
}

TEST(AnnotationsTest, MonotonicityRepairsAddUp) {
  AnnotationSet notes;
  notes.ForcedMonotonicity("m",
                           {.forced = true, .min_bucket = 2, .max_bucket = 4, .max_difference = 3},
                           {60'000}, {.start = 24, .end = 25});
  notes.ForcedMonotonicity(
      "m", {.forced = true, .min_bucket = 0.5, .max_bucket = 3, .max_difference = 100}, {120'000},
      {.start = 24, .end = 25});
  const Annotations rendered = notes.Render("");
  EXPECT_THAT(rendered.warnings, IsEmpty());
  EXPECT_THAT(
      rendered.infos,
      ElementsAre(
          "input to histogram_quantile needed to be fixed for monotonicity (see "
          "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile) "
          "for metric "
          "name \"m\", from buckets 0.5 to 4, with a max diff of 1e+02, over 2 samples from "
          "1970-01-01T00:01:00Z to 1970-01-01T00:02:00Z (1:25)"));
}

TEST(AnnotationsTest, OverlapsAreCounted) {
  AnnotationSet one;
  one.StartTimeOverlap("c_total", {.start = 5, .end = 6});
  EXPECT_THAT(
      one.Render("").warnings,
      ElementsAre("sample has start time that overlaps with previous sample timestamp for metric "
                  "\"c_total\" (1:6)"));
  AnnotationSet more = one;
  more.Merge(one);
  EXPECT_THAT(
      more.Render("").warnings,
      ElementsAre("sample has start time that overlaps with previous sample timestamp for metric "
                  "\"c_total\" (2 occurrences) (1:6)"));
}

TEST(AnnotationsTest, NamesOnlyWhereKnown) {
  AnnotationSet notes;
  notes.BadBucketLabel("", "x", {});
  notes.BadBucketLabel("m", "", {});
  notes.MixedClassicNativeHistograms("m", {});
  EXPECT_THAT(
      notes.Render("").warnings,
      ElementsAre(
          "bucket label \"le\" is missing or has a malformed value of \"\" for metric name \"m\" "
          "(1:1)",
          "bucket label \"le\" is missing or has a malformed value of \"x\" (1:1)",
          "vector contains a mix of classic and native histograms for metric name \"m\" (1:1)"));
}

TEST(AnnotationsTest, BinaryOperators) {
  AnnotationSet notes;
  notes.IncompatibleTypes("histogram", BinaryOp::kAdd, "float", {.start = 3, .end = 9});
  notes.IncompatibleBucketLayout(BinaryOp::kSub, {});
  const Annotations rendered = notes.Render("");
  EXPECT_THAT(rendered.infos,
              ElementsAre("incompatible sample types encountered for binary operator \"+\": "
                          "histogram + float (1:4)"));
  EXPECT_THAT(rendered.warnings,
              ElementsAre("incompatible bucket layout encountered for binary operator - (1:1)"));
}

TEST(AnnotationsTest, AStoresWordsHaveNoPosition) {
  AnnotationSet notes;
  EXPECT_TRUE(notes.empty());
  notes.StorageWarning("block 01ABC could not be read");
  EXPECT_THAT(notes.Render("up").warnings, ElementsAre("block 01ABC could not be read"));
}

}  // namespace
}  // namespace sonde::promql
