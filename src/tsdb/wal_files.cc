#include "tsdb/wal_files.h"

#include <algorithm>

namespace sonde::tsdb {
namespace {

constexpr std::string_view kCheckpointPrefix = "checkpoint.";
constexpr std::string_view kTemporarySuffix = ".tmp";

std::string EightDigits(std::uint32_t number) {
  std::string digits = std::to_string(number);
  return std::string(digits.size() < 8 ? 8 - digits.size() : 0, '0') + digits;
}

std::optional<std::uint32_t> ParseDigits(std::string_view text) {
  if (text.empty() || text.size() > 10) return std::nullopt;
  std::uint64_t number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (number > 0x7FFFFFFF) return std::nullopt;
  return static_cast<std::uint32_t>(number);
}

}  // namespace

std::string WalSegmentName(std::uint32_t number) {
  return EightDigits(number);
}

std::string WalCheckpointName(std::uint32_t number) {
  return std::string(kCheckpointPrefix) + EightDigits(number);
}

Result<std::vector<WalSegment>> ListWalSegments(Env& env, const Env::Path& dir) {
  std::vector<WalSegment> segments;
  if (!env.Exists(dir)) return segments;
  for (const DirEntry& entry : TRY(env.ListDir(dir))) {
    const auto number = ParseDigits(entry.name);
    if (!number || entry.is_directory) continue;
    segments.push_back({*number, dir / entry.name, entry.size});
  }
  std::ranges::sort(segments, {}, &WalSegment::number);
  return segments;
}

Result<std::vector<WalCheckpoint>> ListWalCheckpoints(Env& env, const Env::Path& dir) {
  std::vector<WalCheckpoint> checkpoints;
  if (!env.Exists(dir)) return checkpoints;
  for (const DirEntry& entry : TRY(env.ListDir(dir))) {
    if (!entry.is_directory || !entry.name.starts_with(kCheckpointPrefix)) continue;
    const auto number = ParseDigits(std::string_view(entry.name).substr(kCheckpointPrefix.size()));
    if (number) checkpoints.push_back({*number, dir / entry.name});
  }
  std::ranges::sort(checkpoints, {}, &WalCheckpoint::number);
  return checkpoints;
}

Status RemoveWalLeftovers(Env& env, const Env::Path& dir) {
  if (!env.Exists(dir)) return OkStatus();
  for (const DirEntry& entry : TRY(env.ListDir(dir))) {
    if (entry.name.ends_with(kTemporarySuffix)) TRY(env.RemoveAll(dir / entry.name));
  }
  return OkStatus();
}

}  // namespace sonde::tsdb
