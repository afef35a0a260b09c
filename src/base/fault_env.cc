#include "base/fault_env.h"

#include <algorithm>
#include <limits>

namespace sonde {
namespace {

std::string Key(const Env::Path& path) {
  std::string key = path.lexically_normal().string();
  while (key.size() > 1 && key.back() == '/') {
    key.pop_back();
  }
  return key;
}

std::string ParentKey(const std::string& key) {
  const std::size_t slash = key.rfind('/');
  if (slash == std::string::npos) return "";
  return slash == 0 ? "/" : key.substr(0, slash);
}

bool IsBelow(const std::string& key, const std::string& directory) {
  return key.size() > directory.size() && key.starts_with(directory) &&
         key[directory.size()] == '/';
}

Error NotFound(std::string_view what, const Env::Path& path) {
  return Error(ErrorKind::kNotFound,
               std::string(what) + " " + path.string() + ": No such file or directory");
}

}  // namespace

struct FaultEnv::Node {
  bool is_directory = false;
  // Bytes are only appended, or replaced as a whole by a truncation; mappings keep the old string
  // alive.
  std::shared_ptr<std::string> written = std::make_shared<std::string>();
  std::string synced;
};

class FaultEnv::File final : public WritableFile {
 public:
  File(FaultEnv& env, std::shared_ptr<Node> node, Path path, std::uint64_t size)
      : env_(env), node_(std::move(node)), path_(std::move(path)), size_(size) {}

  Status Append(std::string_view bytes) override {
    TRY(env_.AppendTo(node_, path_, bytes));
    size_ += bytes.size();
    return OkStatus();
  }
  Status Sync() override { return env_.SyncNode(node_, path_); }
  Status Close() override { return OkStatus(); }
  std::uint64_t size() const override { return size_; }

 private:
  FaultEnv& env_;
  const std::shared_ptr<Node> node_;
  const Path path_;
  std::uint64_t size_;
};

class FaultEnv::Mapping final : public MappedFile {
 public:
  explicit Mapping(std::string bytes) : bytes_(std::move(bytes)) {}
  std::string_view bytes() const override { return bytes_; }

 private:
  const std::string bytes_;
};

class FaultEnv::Lock final : public FileLock {
 public:
  Lock(FaultEnv& env, std::string key) : env_(env), key_(std::move(key)) {}
  ~Lock() override {
    MutexLock lock(env_.mutex_);
    env_.locks_.erase(key_);
  }

 private:
  FaultEnv& env_;
  const std::string key_;
};

FaultEnv::FaultEnv() : capacity_(std::numeric_limits<std::uint64_t>::max()) {}
FaultEnv::~FaultEnv() = default;

std::uint64_t FaultEnv::operations() const {
  MutexLock lock(mutex_);
  return operations_;
}

void FaultEnv::StopAt(std::uint64_t operation, std::uint64_t seed) {
  MutexLock lock(mutex_);
  stop_at_ = operation;
  rng_ = Rng(seed);
}

void FaultEnv::SetFault(Fault fault) {
  MutexLock lock(mutex_);
  fault_ = std::move(fault);
}

void FaultEnv::SetCapacity(std::uint64_t bytes) {
  MutexLock lock(mutex_);
  capacity_ = bytes;
}

std::unique_ptr<FaultEnv> FaultEnv::AfterKill() const {
  auto after = std::make_unique<FaultEnv>();
  MutexLock lock(mutex_);
  MutexLock after_lock(after->mutex_);
  for (const auto& [key, node] : live_) {
    auto copy = std::make_shared<Node>();
    copy->is_directory = node->is_directory;
    *copy->written = *node->written;
    copy->synced = *node->written;
    after->bytes_ += node->written->size();
    after->live_[key] = copy;
    after->durable_[key] = copy;
  }
  return after;
}

std::unique_ptr<FaultEnv> FaultEnv::AfterPowerCut(Rng& rng) const {
  auto after = std::make_unique<FaultEnv>();
  MutexLock lock(mutex_);
  MutexLock after_lock(after->mutex_);
  Tree names = durable_;
  for (const auto& [key, node] : live_) {
    const auto durable = durable_.find(key);
    const bool changed = durable == durable_.end() || durable->second != node;
    if (changed && rng.Below(2) == 1) names[key] = node;
  }
  for (const auto& [key, node] : durable_) {
    if (!live_.contains(key) && rng.Below(2) == 1) names.erase(key);
  }
  for (const auto& [key, node] : names) {
    // A file in a directory that is gone is gone too.
    const std::string parent = ParentKey(key);
    if (parent.size() > 1 && !names.contains(parent)) continue;
    auto copy = std::make_shared<Node>();
    copy->is_directory = node->is_directory;
    copy->synced = node->synced;
    // Of an unsynced tail any prefix may have reached the disk.
    if (node->written->size() > node->synced.size() && node->written->starts_with(node->synced)) {
      const std::uint64_t tail = node->written->size() - node->synced.size();
      copy->synced.append(*node->written, node->synced.size(), rng.Below(tail + 1));
    }
    *copy->written = copy->synced;
    after->bytes_ += copy->synced.size();
    after->live_[key] = copy;
    after->durable_[key] = copy;
  }
  return after;
}

std::optional<Error> FaultEnv::Interrupt(FaultOp op, const Path& path) {
  const std::uint64_t number = operations_++;
  if (stop_at_ && number >= *stop_at_) {
    return Error(ErrorKind::kIo, path.string() + ": stopped by the test");
  }
  return fault_ ? fault_(op, path) : std::nullopt;
}

Status FaultEnv::AppendTo(const std::shared_ptr<Node>& node, const Path& path,
                          std::string_view bytes) {
  MutexLock lock(mutex_);
  const bool first_stop = stop_at_ && operations_ == *stop_at_;
  if (auto error = Interrupt(FaultOp::kAppend, path)) {
    if (first_stop) node->written->append(bytes.substr(0, rng_.Below(bytes.size() + 1)));
    return *std::move(error);
  }
  const std::uint64_t room = capacity_ > bytes_ ? capacity_ - bytes_ : 0;
  const bool full = bytes.size() > room;
  if (full) bytes = bytes.substr(0, room);
  node->written->append(bytes);
  bytes_ += bytes.size();
  if (full) return Error(ErrorKind::kIo, "write " + path.string() + ": No space left on device");
  return OkStatus();
}

Status FaultEnv::SyncNode(const std::shared_ptr<Node>& node, const Path& path) {
  MutexLock lock(mutex_);
  if (auto error = Interrupt(FaultOp::kSync, path)) return *std::move(error);
  node->synced = *node->written;
  return OkStatus();
}

std::shared_ptr<FaultEnv::Node> FaultEnv::Find(const Path& path) {
  const auto it = live_.find(Key(path));
  return it == live_.end() ? nullptr : it->second;
}

Result<std::unique_ptr<WritableFile>> FaultEnv::Open(const Path& path, bool truncate) {
  MutexLock lock(mutex_);
  const std::string key = Key(path);
  const std::string parent = ParentKey(key);
  if (parent.size() > 1 && !live_.contains(parent)) return NotFound("open", path);
  auto node = Find(path);
  if (node != nullptr && node->is_directory) {
    return Error(ErrorKind::kIo, "open " + path.string() + ": Is a directory");
  }
  if (node == nullptr || truncate) {
    if (auto error = Interrupt(FaultOp::kCreate, path)) return *std::move(error);
  }
  if (node == nullptr) {
    node = std::make_shared<Node>();
    live_[key] = node;
  } else if (truncate) {
    bytes_ -= node->written->size();
    node->written = std::make_shared<std::string>();
  }
  const std::uint64_t size = node->written->size();
  return std::unique_ptr<WritableFile>(std::make_unique<File>(*this, std::move(node), path, size));
}

Result<std::unique_ptr<WritableFile>> FaultEnv::NewWritableFile(const Path& path) {
  return Open(path, true);
}

Result<std::unique_ptr<WritableFile>> FaultEnv::NewAppendableFile(const Path& path) {
  return Open(path, false);
}

Result<std::unique_ptr<MappedFile>> FaultEnv::MapFile(const Path& path) {
  std::string bytes = TRY(ReadFile(path, std::numeric_limits<std::uint64_t>::max()));
  return std::unique_ptr<MappedFile>(std::make_unique<Mapping>(std::move(bytes)));
}

Result<std::string> FaultEnv::ReadFile(const Path& path, std::uint64_t max_bytes) {
  MutexLock lock(mutex_);
  const auto node = Find(path);
  if (node == nullptr || node->is_directory) return NotFound("open", path);
  if (node->written->size() > max_bytes) {
    return Error(ErrorKind::kLimit,
                 "read " + path.string() + ": larger than " + std::to_string(max_bytes) + " bytes");
  }
  return *node->written;
}

bool FaultEnv::Exists(const Path& path) {
  MutexLock lock(mutex_);
  return Find(path) != nullptr;
}

Result<std::uint64_t> FaultEnv::FileSize(const Path& path) {
  MutexLock lock(mutex_);
  const auto node = Find(path);
  if (node == nullptr) return NotFound("stat", path);
  return static_cast<std::uint64_t>(node->written->size());
}

Result<std::vector<DirEntry>> FaultEnv::ListDir(const Path& path) {
  MutexLock lock(mutex_);
  const std::string key = Key(path);
  const auto node = Find(path);
  if (node == nullptr || !node->is_directory) return NotFound("list", path);
  std::vector<DirEntry> entries;
  for (const auto& [name, child] : live_) {
    if (ParentKey(name) != key) continue;
    entries.push_back({name.substr(key.size() + (key == "/" ? 0 : 1)), child->is_directory,
                       child->written->size()});
  }
  std::ranges::sort(entries, {}, &DirEntry::name);
  return entries;
}

Status FaultEnv::CreateDir(const Path& path) {
  MutexLock lock(mutex_);
  Path built;
  for (const Path& part : Path(Key(path))) {
    built /= part;
    const std::string key = Key(built);
    if (key == "/" || live_.contains(key)) continue;
    if (auto error = Interrupt(FaultOp::kMakeDir, built)) return *std::move(error);
    auto node = std::make_shared<Node>();
    node->is_directory = true;
    live_[key] = std::move(node);
  }
  return OkStatus();
}

Status FaultEnv::RemoveFile(const Path& path) {
  MutexLock lock(mutex_);
  const auto it = live_.find(Key(path));
  if (it == live_.end()) return NotFound("remove", path);
  if (auto error = Interrupt(FaultOp::kRemove, path)) return *std::move(error);
  bytes_ -= it->second->written->size();
  live_.erase(it);
  return OkStatus();
}

Status FaultEnv::RemoveAll(const Path& path) {
  MutexLock lock(mutex_);
  const std::string root = Key(path);
  // Deepest first, one operation each, as the system call sequence of a real removal.
  while (true) {
    auto last = live_.end();
    for (auto it = live_.begin(); it != live_.end(); ++it) {
      if (it->first == root || IsBelow(it->first, root)) last = it;
    }
    if (last == live_.end()) return OkStatus();
    if (auto error = Interrupt(FaultOp::kRemove, last->first)) return *std::move(error);
    bytes_ -= last->second->written->size();
    live_.erase(last);
  }
}

Status FaultEnv::Rename(const Path& from, const Path& to) {
  MutexLock lock(mutex_);
  const std::string source = Key(from);
  const std::string target = Key(to);
  if (!live_.contains(source)) return NotFound("rename", from);
  if (auto error = Interrupt(FaultOp::kRename, from)) return *std::move(error);
  Tree moved;
  for (auto it = live_.begin(); it != live_.end();) {
    if (it->first == source || IsBelow(it->first, source)) {
      moved[target + it->first.substr(source.size())] = it->second;
      it = live_.erase(it);
    } else {
      ++it;
    }
  }
  for (auto& [key, node] : moved) {
    live_[key] = node;
    // What is inside a directory moves with its name: the children's own names stay as durable as
    // they were.
    const std::string old_key = source + key.substr(target.size());
    if (key != target && durable_.contains(old_key)) durable_[key] = durable_[old_key];
  }
  return OkStatus();
}

Status FaultEnv::TruncateFile(const Path& path, std::uint64_t size) {
  MutexLock lock(mutex_);
  const auto node = Find(path);
  if (node == nullptr) return NotFound("truncate", path);
  if (auto error = Interrupt(FaultOp::kTruncate, path)) return *std::move(error);
  auto bytes = std::make_shared<std::string>(*node->written);
  bytes_ += size - bytes->size();
  bytes->resize(size);
  node->written = std::move(bytes);
  return OkStatus();
}

Status FaultEnv::SyncDir(const Path& path) {
  MutexLock lock(mutex_);
  if (auto error = Interrupt(FaultOp::kSyncDir, path)) return *std::move(error);
  const std::string key = Key(path);
  for (auto it = durable_.begin(); it != durable_.end();) {
    const bool gone = ParentKey(it->first) == key && !live_.contains(it->first);
    it = gone ? durable_.erase(it) : std::next(it);
  }
  for (const auto& [name, node] : live_) {
    if (ParentKey(name) == key) durable_[name] = node;
  }
  // The directory's own name: creating it and syncing its parent is what mkdir -p callers do first.
  for (std::string up = key; up.size() > 1; up = ParentKey(up)) {
    if (const auto it = live_.find(up); it != live_.end()) durable_.try_emplace(up, it->second);
  }
  return OkStatus();
}

Result<std::unique_ptr<FileLock>> FaultEnv::LockFile(const Path& path) {
  MutexLock lock(mutex_);
  const std::string key = Key(path);
  if (!locks_.try_emplace(key, true).second) {
    return Error(ErrorKind::kUnavailable, "lock " + path.string() + ": held by another process");
  }
  if (!live_.contains(key)) live_[key] = std::make_shared<Node>();
  return std::unique_ptr<FileLock>(std::make_unique<Lock>(*this, key));
}

Result<std::uint64_t> FaultEnv::FreeBytes(const Path&) {
  MutexLock lock(mutex_);
  return capacity_ > bytes_ ? capacity_ - bytes_ : 0;
}

}  // namespace sonde
