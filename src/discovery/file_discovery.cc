#include "discovery/file_discovery.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include "base/glob.h"

namespace sonde::discovery {
namespace {

constexpr std::uint64_t kMaxFileBytes = 64U << 20;
constexpr std::string_view kFilePath = "__meta_filepath";

bool IsYaml(const std::string& path) {
  const std::string extension = std::filesystem::path(path).extension().string();
  return extension == ".yml" || extension == ".yaml" || extension == ".YML" || extension == ".YAML";
}

}  // namespace

FileDiscovery::FileDiscovery(FileDiscoveryOptions options, Env& env, TargetGroupParser parse_yaml,
                             instrument::Registry& registry, Logger logger)
    : options_(std::move(options)),
      env_(&env),
      parse_yaml_(std::move(parse_yaml)),
      logger_(std::move(logger)),
      read_errors_(&registry.GetCounter("prometheus_sd_file_read_errors_total",
                                        "The number of File-SD read errors.")) {}

Result<std::vector<TargetGroup>> FileDiscovery::Read(const std::string& path) {
  const std::string text = TRY(env_->ReadFile(path, kMaxFileBytes));
  auto groups = TRY(IsYaml(path) ? parse_yaml_(text, path) : ParseTargetGroupsJson(text, path));
  for (std::size_t i = 0; i < groups.size(); ++i) {
    groups[i].source = path + ":" + std::to_string(i);
    groups[i].labels = LabelsBuilder(groups[i].labels).Set(kFilePath, path).Build();
  }
  return groups;
}

std::vector<TargetGroup> FileDiscovery::Refresh() {
  std::set<std::string> paths;
  bool complete = true;
  for (const std::string& pattern : options_.patterns) {
    auto found = ExpandGlob(*env_, pattern);
    if (found) {
      paths.insert(found->begin(), found->end());
    } else {
      complete = false;
      read_errors_->Add();
      logger_.Warn("cannot list target files", {{"pattern", pattern}, {"err", found.error()}});
    }
  }
  // What could not be listed may still be there.
  if (complete)
    std::erase_if(files_, [&](const auto& file) { return !paths.contains(file.first); });
  for (const std::string& path : paths) {
    auto groups = Read(path);
    File& file = files_[path];
    if (groups) {
      if (file.bad) logger_.Info("target file is readable again", {{"path", path}});
      file = {*std::move(groups), false};
      continue;
    }
    read_errors_->Add();
    if (!file.bad)
      logger_.Error("cannot read target file", {{"path", path}, {"err", groups.error()}});
    file.bad = true;
  }
  std::vector<TargetGroup> all;
  for (const auto& [path, file] : files_)
    all.insert(all.end(), file.groups.begin(), file.groups.end());
  return all;
}

std::vector<std::string> FileDiscovery::directories() const {
  std::set<std::string> out;
  for (const std::string& pattern : options_.patterns) {
    const std::filesystem::path parent = std::filesystem::path(pattern).parent_path();
    out.insert(parent.empty() ? "." : parent.string());
  }
  return {out.begin(), out.end()};
}

}  // namespace sonde::discovery
