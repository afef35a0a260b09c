#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "model/metadata.h"

namespace sonde::scrape {

/// What a page says about one metric family.
struct FamilyMetadata {
  std::string family;
  Metadata metadata;
};

/// Keeps one copy of each FamilyMetadata: five hundred targets that say the same share it.
/// Thread-safe.
class MetadataPool {
 public:
  std::shared_ptr<const FamilyMetadata> Intern(std::string_view family, const Metadata& metadata)
      EXCLUDES(mutex_);
  std::size_t size() const EXCLUDES(mutex_);

 private:
  struct Key {
    std::string family;
    MetricType type;
    std::string help;
    std::string unit;
    auto operator<=>(const Key&) const = default;
  };

  mutable Mutex mutex_;
  std::map<Key, std::weak_ptr<const FamilyMetadata>> known_ GUARDED_BY(mutex_);
  std::size_t sweep_at_ GUARDED_BY(mutex_) = 1024;
};

/// The metadata of one target's page. Owned by the target's loop and not thread-safe, but for List,
/// which others may call at any time.
class FamilyCache {
 public:
  /// `pool` must outlive it.
  explicit FamilyCache(MetadataPool& pool) : pool_(pool) {}

  /// One family on the page.
  struct Family {
    std::shared_ptr<const FamilyMetadata> data;
    std::uint32_t seen = 0;     ///< The pass in which it was last on the page.
    std::uint32_t changed = 0;  ///< The pass in which it last said something new.
    std::uint32_t next = 0;
  };

  void BeginPass();
  // What a `# TYPE`, `# HELP` or `# UNIT` line says. The index names the family until the pass
  // ends.
  std::size_t SetType(std::string_view family, MetricType type);
  std::size_t SetHelp(std::string_view family, std::string_view help);
  std::size_t SetUnit(std::string_view family, std::string_view unit);
  const FamilyMetadata& at(std::size_t index) const { return *families_[index].data; }
  bool ChangedInThisPass(std::size_t index) const { return families_[index].changed == pass_; }
  /// Ends a pass; families that have been missing from ten good pages are forgotten.
  void EndPass(bool good) EXCLUDES(mutex_);

  using List = std::shared_ptr<const std::vector<std::shared_ptr<const FamilyMetadata>>>;
  /// As of the last good pass; never null. Thread-safe.
  List list() const EXCLUDES(mutex_);

 private:
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;
  static constexpr std::uint32_t kKeepPasses = 10;
  static constexpr std::size_t kSpareOnBadPages = 1000;

  Family& Find(std::string_view family, std::size_t& index);
  void Update(Family& entry, const Metadata& metadata);

  MetadataPool& pool_;
  std::vector<Family> families_;
  std::map<std::string, std::uint32_t, std::less<>> by_name_;
  std::uint32_t pass_ = 0;
  std::uint32_t cursor_ = kNone;
  std::uint32_t first_ = kNone;
  std::size_t good_size_ = 0;  // Families after the last good page.
  bool changed_ = false;

  mutable Mutex mutex_;
  List list_ GUARDED_BY(mutex_) =
      std::make_shared<const std::vector<std::shared_ptr<const FamilyMetadata>>>();
};

}  // namespace sonde::scrape
