#include "alerting/record_log.h"

#include <cstdio>
#include <utility>

#include "base/hash.h"

namespace sonde::alerting {
namespace {

constexpr std::size_t kChecksumDigits = 8;

std::string Line(std::string_view record) {
  char checksum[16];
  std::snprintf(checksum, sizeof checksum, "%08x ", Crc32c(record));
  return checksum + std::string(record) + "\n";
}

}  // namespace

Result<RecordLog::Opened> RecordLog::Open(Env& env, std::filesystem::path file) {
  if (file.has_parent_path()) TRY(env.CreateDir(file.parent_path()));
  Opened opened{RecordLog(env, file), {}, 0};
  if (env.Exists(file)) {
    const std::string bytes = TRY(env.ReadFile(file, kMaxFileBytes));
    std::string_view rest = bytes;
    while (!rest.empty()) {
      const std::size_t end = rest.find('\n');
      const std::string_view line = rest.substr(0, end);
      const bool whole = end != std::string_view::npos && line.size() > kChecksumDigits + 1;
      const std::string_view record = whole ? line.substr(kChecksumDigits + 1) : "";
      if (whole && Line(record) == std::string(line) + "\n") {
        opened.records.emplace_back(record);
      } else {
        ++opened.damaged;
      }
      if (end == std::string_view::npos) break;
      rest.remove_prefix(end + 1);
    }
  }
  TRY(opened.log.Rewrite(opened.records));
  return opened;
}

Status RecordLog::Append(std::string_view record) {
  if (record.size() > kMaxRecordBytes) {
    return Error(ErrorKind::kLimit, "a record of " + std::to_string(record.size()) +
                                        " bytes is too large, at most 1 MiB");
  }
  if (broken_ || file_ == nullptr)
    return Error(ErrorKind::kIo, path_.string() + " must be rewritten after a failed write");
  const std::string line = Line(record);
  auto status = file_->Append(line);
  if (status) status = file_->Sync();
  broken_ = !status;
  size_ += line.size();
  return status;
}

Status RecordLog::Rewrite(const std::vector<std::string>& records) {
  std::string contents;
  for (const std::string& record : records)
    contents += Line(record);
  file_.reset();
  broken_ = true;
  TRY(WriteFileAtomically(*env_, path_, contents));
  file_ = TRY(env_->NewAppendableFile(path_));
  broken_ = false;
  size_ = rewritten_size_ = contents.size();
  return OkStatus();
}

}  // namespace sonde::alerting
