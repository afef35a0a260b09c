#include "demo/trace.h"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "demo/sim_text.h"

namespace sonde::demo {
namespace {

using ::testing::HasSubstr;

TEST(Trace, Lines) {
  const auto trace = Trace::Parse("# a comment\n\n0,1100,5\n250,7,9\n0,1,1");
  ASSERT_TRUE(trace.ok()) << trace.error().message();
  const auto requests = trace->requests();
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(requests[0].at, SimTime(0));
  EXPECT_EQ(requests[1].at, SimTime(250'000));
  EXPECT_EQ(requests[2].at, SimTime(250'000));
  EXPECT_EQ(requests[1].input_tokens, 7U);
  EXPECT_EQ(requests[1].output_tokens, 9U);
  EXPECT_EQ(trace->length(), SimTime(1'250'000));
}

TEST(Trace, BadLinesAreNamed) {
  for (const auto& [text, want] :
       std::map<std::string, std::string>{{"", "there is no request"},
                                          {"0,1\n", "trace:1: three numbers"},
                                          {"0,1,1,1\n", "trace:1: three numbers"},
                                          {"#\na,1,1\n", "trace:2: three numbers"},
                                          {"0,0,1\n", "trace:1: a number is out of range"},
                                          {"0,1,0\n", "out of range"},
                                          {"-1,1,1\n", "out of range"},
                                          {"0,99999999,1\n", "out of range"}}) {
    const auto trace = Trace::Parse(text);
    ASSERT_FALSE(trace.ok()) << text;
    EXPECT_THAT(trace.error().message(), HasSubstr(want)) << text;
  }
}

TEST(Trace, TheEmbeddedOneIsAzures) {
  const auto trace = Trace::Embedded();
  ASSERT_TRUE(trace.ok()) << trace.error().message();
  const auto requests = trace->requests();
  ASSERT_EQ(requests.size(), 7'600U);
  EXPECT_EQ(requests[0].input_tokens, 419U);
  EXPECT_EQ(requests[0].output_tokens, 130U);
  double input = 0;
  double output = 0;
  for (const TraceRequest& request : requests) {
    input += request.input_tokens;
    output += request.output_tokens;
  }
  // The whole trace has 5.52 requests/s, 1155 tokens in, 211 out; this part writes a little more.
  EXPECT_NEAR(7'600 / Seconds(trace->length()), 5.4, 0.1);
  EXPECT_NEAR(input / 7'600, 1214, 1);
  EXPECT_NEAR(output / 7'600, 235, 1);
}

TEST(PromptText, ExactlySoManyTokensWithASharedBeginning) {
  const std::string a = PromptText(1'000, 2);
  const std::string b = PromptText(700, 4);
  EXPECT_EQ(CountTokens(a), 1'000U);
  EXPECT_EQ(CountTokens(b), 700U);
  EXPECT_EQ(a.substr(0, 1024), b.substr(0, 1024));
  EXPECT_NE(a.substr(1024, 400), b.substr(1024, 400));
  EXPECT_EQ(PromptText(1'000, 2), a);
  EXPECT_EQ(PromptText(1, 9).size(), 4U);
  const auto hashes_a = PrefixHashes(a, 64);
  const auto hashes_b = PrefixHashes(b, 64);
  EXPECT_EQ(hashes_a.size(), 15U);
  EXPECT_EQ(hashes_a[3], hashes_b[3]);
  EXPECT_NE(hashes_a[4], hashes_b[4]);
}

TEST(SimText, SaysThatItIsSimulated) {
  EXPECT_EQ(TokenText(1, 0, false), "[simulated answer]");
  EXPECT_EQ(TokenText(1, 0, true), "[simulated reasoning]");
  EXPECT_EQ(TokenText(1, 5, false), TokenText(1, 5, false));
  EXPECT_EQ(CountTokens(""), 1U);
  EXPECT_EQ(CountTokens("12345"), 2U);
  EXPECT_TRUE(PrefixHashes("short", 64).empty());
}

}  // namespace
}  // namespace sonde::demo
