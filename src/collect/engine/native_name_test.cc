#include "collect/engine/native_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sonde::collect {
namespace {

using ::testing::HasSubstr;

std::string Expanded(std::string_view text) {
  const auto names = ExpandNativeName(text);
  if (!names) return names.error().message();
  std::string out;
  for (const NativeName& name : *names) {
    out += name.name;
    for (const auto& [label, value] : name.labels)
      out += " " + label + "=" + value;
    out += "\n";
  }
  return out;
}

TEST(NativeName, WithoutBracesItIsItself) {
  EXPECT_EQ(Expanded("vllm:num_requests_running"), "vllm:num_requests_running\n");
}

TEST(NativeName, WhatStandsInBracesBecomesALabel) {
  EXPECT_EQ(Expanded("rx_{udie:0-1}_{port:9-10}_bytes"),
            "rx_0_9_bytes udie=0 port=9\n"
            "rx_0_10_bytes udie=0 port=10\n"
            "rx_1_9_bytes udie=1 port=9\n"
            "rx_1_10_bytes udie=1 port=10\n");
  EXPECT_EQ(Expanded("ecc_{kind:corrected|uncorrected}_total"),
            "ecc_corrected_total kind=corrected\necc_uncorrected_total kind=uncorrected\n");
  EXPECT_EQ(Expanded("a_{x:only}"), "a_only x=only\n");
}

TEST(NativeName, MistakesAreNamed) {
  EXPECT_THAT(Expanded("a b"), HasSubstr("\"a b\" is not a metric name"));
  EXPECT_THAT(Expanded(""), HasSubstr("is not a metric name"));
  for (const char* text : {"a_{x}", "a_{x:0-1", "a_{:0-1}", "a_{x:}", "a_{x:3-1}", "a_{x:0-}",
                           "a_{x:a|}", "a_{x:-1-2}", "a_{0:1-2}", "a_{x:0-99999999999}"})
    EXPECT_THAT(Expanded(text), HasSubstr("{label:0-3} or {label:a|b}")) << text;
  EXPECT_THAT(Expanded("a_{x:b c}"), HasSubstr("is not a metric name"));
  EXPECT_THAT(Expanded("a_{x:0-99}_{y:0-99}"), HasSubstr("stands for more than 1000 names"));
}

}  // namespace
}  // namespace sonde::collect
