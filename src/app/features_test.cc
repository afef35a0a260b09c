#include "app/features.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sonde::app {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Features, NothingIsOnByDefaultThatPrometheusHasOff) {
  const promql::ParserOptions parser = ParserOptionsOf({});
  EXPECT_FALSE(parser.experimental_functions);
  EXPECT_FALSE(parser.extended_range_selectors);
  EXPECT_FALSE(parser.binop_fill_modifiers);
  promql::EvalOptions eval;
  SetEvalFeatures({}, eval);
  EXPECT_FALSE(eval.delayed_name_removal);
}

TEST(Features, AreSwitchedOnByPrometheussNames) {
  EXPECT_TRUE(ParserOptionsOf({"native-histograms", "promql-experimental-functions"})
                  .experimental_functions);
  promql::EvalOptions eval;
  SetEvalFeatures({"promql-delayed-name-removal", "use-start-timestamps"}, eval);
  EXPECT_TRUE(eval.delayed_name_removal);
  EXPECT_TRUE(eval.use_start_timestamps);
}

TEST(Features, ThoseOfPrometheusWithoutMeaningHereAreNoSurprise) {
  EXPECT_THAT(UnknownFeatures({"exemplar-storage", "remote-write-receiver"}), IsEmpty());
  EXPECT_THAT(UnknownFeatures({"exemplar-storag"}), ElementsAre("exemplar-storag"));
}

}  // namespace
}  // namespace sonde::app
