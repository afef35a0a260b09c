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
