#include "alerting/record_log.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/fault_env.h"

namespace sonde::alerting {
namespace {

std::vector<std::string> Reopen(FaultEnv& env, std::size_t damaged = 0) {
  auto opened = RecordLog::Open(env, "/d/log");
  EXPECT_TRUE(opened) << opened.error().message();
  if (!opened) return {};
  EXPECT_EQ(opened->damaged, damaged);
  return opened->records;
}

TEST(RecordLog, KeepsAcknowledgedRecordsThroughEveryCrash) {
  // Stopped before each operation in turn: what was acknowledged is there, and nothing was made up.
  for (std::uint64_t stop = 0; stop < 40; ++stop) {
    FaultEnv env;
    env.StopAt(stop, stop + 1);
    std::vector<std::string> acknowledged;
    auto opened = RecordLog::Open(env, "/d/log");
    if (opened) {
      for (int i = 0; i < 6; ++i) {
        const std::string record = "{\"n\":" + std::to_string(i) + "}";
        if (opened->log.Append(record)) acknowledged.push_back(record);
        // May fail, too: then what follows fails, and the old file holds.
        if (i == 3) static_cast<void>(opened->log.Rewrite(acknowledged));
      }
    }
    Rng rng(stop);
    for (auto& left : {env.AfterKill(), env.AfterPowerCut(rng)}) {
      auto again = RecordLog::Open(*left, "/d/log");
      ASSERT_TRUE(again) << again.error().message();
      ASSERT_GE(again->records.size(), acknowledged.size()) << "stopped at " << stop;
      for (std::size_t i = 0; i < acknowledged.size(); ++i)
        EXPECT_EQ(again->records[i], acknowledged[i]);
      EXPECT_LE(again->records.size(), acknowledged.size() + 1);
    }
  }
}

TEST(RecordLog, LeavesDamagedRecordsOut) {
  FaultEnv env;
  {
    auto opened = RecordLog::Open(env, "/d/log");
    ASSERT_TRUE(opened);
    for (const char* record : {"{\"a\":1}", "{\"b\":2}", "{\"c\":3}"})
      ASSERT_TRUE(opened->log.Append(record));
  }
  std::string bytes = *env.ReadFile("/d/log", 1 << 20);
  bytes[bytes.find("b")] = 'x';
  bytes += "1234";  // A torn tail.
  ASSERT_TRUE(WriteFileAtomically(env, "/d/log", bytes));
  EXPECT_EQ(Reopen(env, 2), (std::vector<std::string>{"{\"a\":1}", "{\"c\":3}"}));
  EXPECT_EQ(Reopen(env), (std::vector<std::string>{"{\"a\":1}", "{\"c\":3}"}));
}

TEST(RecordLog, Bounds) {
  FaultEnv env;
  auto opened = RecordLog::Open(env, "/d/log");
  ASSERT_TRUE(opened);
  EXPECT_FALSE(opened->log.Append(std::string(RecordLog::kMaxRecordBytes + 1, 'x')));
  EXPECT_FALSE(opened->log.ShouldRewrite());
  for (int i = 0; i < 2000; ++i)
    ASSERT_TRUE(opened->log.Append("{\"key\":\"the same again and again\"}"));
  EXPECT_TRUE(opened->log.ShouldRewrite());
}

}  // namespace
}  // namespace sonde::alerting
