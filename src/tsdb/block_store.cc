#include "tsdb/block_store.h"

#include <algorithm>

#include "tsdb/block_writer.h"

namespace sonde::tsdb {

Status BlockStore::RemoveLeftovers() {
  for (const DirEntry& entry : TRY(env_.ListDir(dir_))) {
    if (!entry.is_directory) continue;
    const std::string_view name = entry.name;
    const bool temporary = name.ends_with(kCreationSuffix) || name.ends_with(kDeletionSuffix) ||
                           name.ends_with(".tmp");
    // Only what is a block but for the suffix: the directory may hold folders of others.
    if (!temporary || !Ulid::Parse(name.substr(0, name.find('.')))) continue;
    TRY(env_.RemoveAll(dir_ / entry.name));
    logger_.Info("Removed an unfinished block", {{"dir", entry.name}});
  }
  return OkStatus();
}

bool BlockStore::BeyondRetention(const Block& block, Timestamp newest) const {
  return retention_.count() > 0 && newest - block.meta().max_time >= retention_;
}

Result<std::shared_ptr<const BlockList>> BlockStore::Load() {
  metrics_.reloads.Add();
  auto entries = env_.ListDir(dir_);
  if (!entries) {
    metrics_.reloads_failed.Add();
    return std::move(entries).error();
  }
  BlockList found;
  for (const DirEntry& entry : *entries) {
    if (!entry.is_directory || !Ulid::Parse(entry.name)) continue;
    const Env::Path path = dir_ / entry.name;
    const auto known =
        std::ranges::find_if(*last_, [&](const auto& b) { return b->dir() == path; });
    if (known != last_->end()) {
      found.push_back(*known);
      continue;
    }
    auto block = Block::Open(env_, path);
    if (block) {
      complained_.erase(entry.name);
      found.push_back(*std::move(block));
      continue;
    }
    if (!complained_.insert(entry.name).second) continue;
    metrics_.reloads_failed.Add();
    logger_.Error("A block cannot be read and is left out",
                  {{"dir", path.string()}, {"err", block.error()}});
  }
  std::vector<Ulid> replaced;
  Timestamp newest = Timestamp::Min();
  for (const auto& block : found) {
    for (const BlockParent& parent : block->meta().parents) {
      replaced.push_back(parent.id);
    }
    newest = std::max(newest, block->meta().max_time);
  }
  auto list = std::make_shared<BlockList>();
  dropped_.clear();
  std::uint64_t bytes = 0;
  bool aged = false;
  for (auto& block : found) {
    const bool is_replaced =
        block->meta().deletable || std::ranges::find(replaced, block->meta().id) != replaced.end();
    const bool is_old = BeyondRetention(*block, newest);
    if (is_replaced || is_old) {
      dropped_.push_back(block->dir());
      aged = aged || is_old;
      continue;
    }
    bytes += block->bytes();
    list->push_back(std::move(block));
  }
  // A block that cannot be read and was replaced by another one is of no use to anybody.
  for (const Ulid& id : replaced) {
    const Env::Path path = dir_ / id.ToString();
    const bool unreadable = complained_.contains(id.ToString());
    if (unreadable && std::ranges::find(dropped_, path) == dropped_.end()) dropped_.push_back(path);
  }
  if (aged) metrics_.time_retentions.Add();
  std::ranges::sort(*list, {}, [](const auto& b) { return b->meta().min_time; });
  metrics_.blocks_loaded.Set(static_cast<double>(list->size()));
  metrics_.blocks_bytes.Set(static_cast<double>(bytes));
  last_ = list;
  return last_;
}

Status BlockStore::RemoveDropped() {
  for (const Env::Path& path : dropped_) {
    // Renamed first: a crash in the middle leaves a leftover and no half block.
    Env::Path doomed = path;
    doomed += kDeletionSuffix;
    TRY(env_.RemoveAll(doomed));
    TRY(env_.Rename(path, doomed));
    TRY(env_.RemoveAll(doomed));
    complained_.erase(path.filename().string());
    logger_.Info("Removed a block", {{"dir", path.filename().string()}});
  }
  dropped_.clear();
  return OkStatus();
}

Timestamp BlockStore::EndOf(const BlockList& blocks) {
  Timestamp end = Timestamp::Min();
  for (const auto& block : blocks) {
    // By the time at which they begin: the last one in order decides.
    if (!block->meta().HasHint(kOutOfOrderHint)) end = block->meta().max_time;
  }
  return end;
}

}  // namespace sonde::tsdb
