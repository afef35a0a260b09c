#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "base/result.h"

// A file of records, each of which replaces an earlier one of its kind: where silences and the
// notification log live. Format: docs/formats/alerting.md.

namespace sonde::alerting {

/// Appends records to one file and rewrites it now and then. Not thread-safe.
///
/// A record that was appended survives a power cut. Damaged records are left out on opening: the
/// others are independent of them. After a failed append the file is rewritten by the next one.
class RecordLog {
 public:
  static constexpr std::size_t kMaxRecordBytes = 1 << 20;
  static constexpr std::uint64_t kMaxFileBytes = 1ULL << 30;

  struct Opened;
  /// Reads the file, or creates it with its folder. `env` must outlive the log.
  static Result<Opened> Open(Env& env, std::filesystem::path file);

  /// `record` is one line of JSON. kLimit if it is larger than kMaxRecordBytes.
  Status Append(std::string_view record);
  /// Replaces all by `records`; after a crash at any instant the old or the new ones are there.
  Status Rewrite(const std::vector<std::string>& records);
  /// True if the file is several times larger than after its last rewrite.
  bool ShouldRewrite() const { return broken_ || size_ > 4 * rewritten_size_ + (64 << 10); }

 private:
  RecordLog(Env& env, std::filesystem::path file) : env_(&env), path_(std::move(file)) {}

  Env* env_;
  std::filesystem::path path_;
  std::unique_ptr<WritableFile> file_;
  std::uint64_t size_ = 0;
  std::uint64_t rewritten_size_ = 0;
  bool broken_ = false;
};

struct RecordLog::Opened {
  RecordLog log;
  std::vector<std::string> records;
  std::size_t damaged = 0;  ///< Lines that were left out.
};

}  // namespace sonde::alerting
