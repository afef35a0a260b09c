#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include <unistd.h>

#include <gtest/gtest.h>

#include "base/env.h"

// What the tests of the accelerator collectors share.

namespace sonde::collect {

inline std::string ReadTestFile(const std::string& path) {
  PosixEnv env;
  auto text = env.ReadFile(path, 1U << 20);
  EXPECT_TRUE(text.ok()) << path;
  return std::move(text).value_or("");
}

/// Compares line by line, so that a failure shows what differs. With SONDE_UPDATE_GOLDEN=1 the file
/// is written instead.
inline void ExpectGolden(const std::string& got, const std::string& path) {
  if (std::getenv("SONDE_UPDATE_GOLDEN") !=
      nullptr) {  // NOLINT(concurrency-mt-unsafe): before threads are.
    std::ofstream(path) << got;
    return;
  }
  const std::string want = ReadTestFile(path);
  const auto lines = [](const std::string& text) {
    std::multiset<std::string> all;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);)
      all.insert(line);
    return all;
  };
  const auto got_lines = lines(got);
  const auto want_lines = lines(want);
  for (const std::string& line : got_lines)
    EXPECT_TRUE(want_lines.contains(line)) << "not expected: " << line;
  for (const std::string& line : want_lines)
    EXPECT_TRUE(got_lines.contains(line)) << "missing: " << line;
  EXPECT_EQ(got, want);  // Else only the order differs.
}

/// The script of the fake management library (tests/gpu/fake_nvml.cc), replaced as one.
class FakeNvml {
 public:
  FakeNvml() {
    char name[] = "/tmp/sonde-nvml-XXXXXX";
    folder_ = ::mkdtemp(name);
    ::setenv("SONDE_FAKE_NVML", path().c_str(),
             1);  // NOLINT(concurrency-mt-unsafe): before threads are.
    Set(ReadTestFile("tests/gpu/nvml.script"));
  }
  ~FakeNvml() { std::filesystem::remove_all(folder_); }
  FakeNvml(const FakeNvml&) = delete;
  FakeNvml& operator=(const FakeNvml&) = delete;

  std::string path() const { return folder_ + "/script"; }
  const std::string& text() const { return text_; }
  void Set(const std::string& text) {
    text_ = text;
    std::ofstream(path() + ".new") << text;
    std::filesystem::rename(path() + ".new", path());
  }
  /// The recorded machine, but for these lines.
  void SetWith(const std::string& more) {
    Set(ReadTestFile("tests/gpu/nvml.script") + "\n" + more + "\n");
  }

 private:
  std::string folder_;
  std::string text_;
};

}  // namespace sonde::collect
