#include "gateway/request_scanner.h"

#include <gtest/gtest.h>

namespace sonde::gateway {
namespace {

struct Read {
  std::string model;
  bool stream = false;
  bool settled = false;
  bool operator==(const Read&) const = default;
};

Read Scan(std::string_view body) {
  RequestScanner whole;
  whole.Feed(body);
  RequestScanner pieces;
  for (const char& byte : body) {
    pieces.Feed({&byte, 1});
  }
  const Read result{whole.model(), whole.stream(), whole.settled()};
  EXPECT_EQ(result, (Read{pieces.model(), pieces.stream(), pieces.settled()})) << body;
  return result;
}

TEST(RequestScanner, ReadsModelAndStream) {
  EXPECT_EQ(Scan(R"({"model":"m","stream":true})"), (Read{"m", true, true}));
  EXPECT_EQ(Scan(R"({"messages":[{"model":"no","stream":true}],"stream":false,"model":"a\/b:c"})"),
            (Read{"a/b:c", false, true}));
  EXPECT_EQ(Scan(R"({"model":"m","messages":[)"), (Read{"m", false, true}))
      << "the rest is still to come";
  EXPECT_EQ(Scan(R"({"messages":[)"), (Read{"", false, false}));
}

TEST(RequestScanner, TheLastOfSeveralCounts) {
  EXPECT_EQ(Scan(R"({"model":"a","model":"b","stream":true,"stream":null})"),
            (Read{"b", false, true}));
  EXPECT_EQ(Scan(R"({"model":"a","model":{"x":"b"}})"), (Read{"", false, true}));
}

TEST(RequestScanner, ReadsWhatBalancingNeeds) {
  const auto scan = [](std::string_view body) {
    RequestScanner scanner;
    scanner.Feed(body);
    return scanner;
  };
  EXPECT_EQ(scan(R"({"max_tokens":7})").max_tokens(), 7);
  EXPECT_EQ(scan(R"({"max_completion_tokens":8})").max_tokens(), 8);
  EXPECT_EQ(scan(R"({"max_output_tokens":9})").max_tokens(), 9);
  for (const char* odd : {"null", "-1", "1.5", "\"7\"", "99999999999999999999", "{}", "1e3"}) {
    EXPECT_EQ(scan("{\"max_tokens\":" + std::string(odd) + "}").max_tokens(), std::nullopt) << odd;
  }
  EXPECT_EQ(scan(R"({"user":"u","prompt_cache_key":"k"})").session(), "k");
  EXPECT_EQ(scan(R"({"user":"u"})").session(), "u");
  EXPECT_EQ(scan(R"({"user":"u","user":1})").session(), "");
  EXPECT_EQ(scan(R"({"user":")" + std::string(300, 'u') + "\"}").session(), "")
      << "longer than any name should be";
  EXPECT_EQ(scan(R"({"messages":[{"user":"u"}]})").session(), "");
}

TEST(RequestScanner, OddBodies) {
  EXPECT_EQ(Scan(""), (Read{"", false, false}));
  EXPECT_EQ(Scan("not JSON"), (Read{"", false, true}));
  EXPECT_EQ(Scan(R"(["model","m"])"), (Read{"", false, true}));
  EXPECT_EQ(Scan(R"({"model":null,"stream":"true"})"), (Read{"", false, true}));
  EXPECT_EQ(Scan(R"({"model":")" + std::string(257, 'x') + "\"}"), (Read{"", false, true}));
  EXPECT_EQ(Scan(R"({"model":"m"} trailing)"), (Read{"m", false, true}));
}

}  // namespace
}  // namespace sonde::gateway
