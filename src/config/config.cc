#include "config/config.h"

#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/glob.h"
#include "base/quote.h"
#include "config/emit.h"
#include "config/fill.h"
#include "config/schema_blocks.h"

namespace sonde::config {
namespace {

constexpr std::uint64_t kMaxFileBytes = 16U << 20;
constexpr std::size_t kMaxScrapeFiles = 10'000;

class Loader {
 public:
  Loader(Env& env, const std::string& file, const LoadOptions& options)
      : env_(env), file_(file), options_(options), diagnostics_(file) {}

  Result<std::shared_ptr<const Config>> Load(std::string_view text) {
    YamlDocument document = TRY(ParseYaml(text, file_));
    if (document.has_more) {
      diagnostics_.Warn(document.more, "only the first document of the file is read");
    }
    Validate(kRootBlock, document.root, document, diagnostics_);
    if (diagnostics_.ok() && options_.agent) CheckAgent(document.root);
    if (!diagnostics_.ok()) return diagnostics_.ToError();

    auto config = std::make_shared<Config>();
    config->file = file_;
    TRY(Fill(document.root, *config));
    config->warnings.insert(config->warnings.begin(), diagnostics_.warnings().begin(),
                            diagnostics_.warnings().end());
    return std::shared_ptr<const Config>(std::move(config));
  }

 private:
  void CheckAgent(const YamlNode& root) {
    const BlockView view(kRootBlock, &root);
    const BlockView alerting = view.Child("alerting");
    if (!alerting.Children("alertmanagers").empty() ||
        !alerting.Children("alert_relabel_configs").empty()) {
      diagnostics_.Fail(view.MarkOf("alerting"), "field alerting is not allowed in agent mode");
    }
    if (!view.Strings("rule_files").empty()) {
      diagnostics_.Fail(view.MarkOf("rule_files"), "field rule_files is not allowed in agent mode");
    }
    if (!view.Children("remote_read").empty()) {
      diagnostics_.Fail(view.MarkOf("remote_read"),
                        "field remote_read is not allowed in agent mode");
    }
  }

  FillContext ContextOf(const std::string& file) const {
    return {std::filesystem::path(file).parent_path().string(), options_.environment};
  }

  Status Fill(YamlNode& root, Config& config) {
    const FillContext context = ContextOf(file_);
    CompleteGlobal(root);
    const BlockView view(kRootBlock, &root);
    const BlockView global = view.Child("global");
    config.global = FillGlobal(global, context, diagnostics_);
    if (YamlNode* list = root.Find("scrape_configs")) {
      for (YamlNode& node : list->items)
        AddScrape(node, global, context, config);
    }
    for (const std::string& pattern : view.Strings("scrape_config_files")) {
      TRY(LoadScrapeFiles(context.Resolve(pattern), global, config));
    }
    for (const std::string& pattern : view.Strings("rule_files")) {
      config.rule_files.push_back(context.Resolve(pattern));
    }
    const BlockView retention = view.Child("storage").Child("tsdb").Child("retention");
    if (retention.Has("time")) config.storage.retention = retention.Time("time");
    config.sonde =
        FillSonde(view.Child("sonde"), config.global.scrape_interval, context, env_, diagnostics_);
    if (!diagnostics_.ok()) return diagnostics_.ToError();
    config.yaml = EmitYaml(view);
    return OkStatus();
  }

  void AddScrape(YamlNode& node, const BlockView& global, const FillContext& context,
                 Config& config) {
    InheritFromGlobal(node, global);
    config.scrape.push_back(std::make_shared<const scrape::ScrapeOptions>(
        FillScrape(BlockView(kScrapeBlock, &node), global, context)));
    jobs_.emplace(config.scrape.back()->job_name, file_);
  }

  Status LoadScrapeFiles(const std::string& pattern, const BlockView& global, Config& config) {
    auto files = ExpandGlob(env_, pattern);
    if (!files)
      return std::move(files).error().Wrap(
          fmt::format("{}: scrape_config_files {}", file_, pattern));
    if (files->size() > kMaxScrapeFiles) {
      return Error(ErrorKind::kLimit, fmt::format("{}: {} matches {} files, more than {}", file_,
                                                  pattern, files->size(), kMaxScrapeFiles));
    }
    for (const std::string& name : *files)
      TRY(LoadScrapeFile(name, global, config));
    return OkStatus();
  }

  Status LoadScrapeFile(const std::string& name, const BlockView& global, Config& config) {
    const std::string text = TRY(env_.ReadFile(name, kMaxFileBytes));
    YamlDocument document = TRY(ParseYaml(text, name));
    Diagnostics diagnostics(name);
    Validate(kScrapeFileBlock, document.root, document, diagnostics);
    if (diagnostics.ok()) CheckScrapes(document.root, global, diagnostics);
    if (!diagnostics.ok()) return diagnostics.ToError();
    const FillContext context = ContextOf(name);
    if (YamlNode* list = document.root.Find("scrape_configs")) {
      for (YamlNode& node : list->items) {
        AddScrape(node, global, context, config);
        jobs_[config.scrape.back()->job_name] = name;
      }
    }
    config.warnings.insert(config.warnings.end(), diagnostics.warnings().begin(),
                           diagnostics.warnings().end());
    return OkStatus();
  }

  /// What CheckRoot does for the blocks of the main file.
  void CheckScrapes(const YamlNode& root, const BlockView& global, Diagnostics& diagnostics) {
    std::map<std::string, std::string> here;
    for (const BlockView& scrape : BlockView(kScrapeFileBlock, &root).Children("scrape_configs")) {
      CheckScrapeAgainstGlobal(scrape, global, diagnostics);
      const std::string job = scrape.Text("job_name");
      const auto first = jobs_.find(job);
      const bool twice = !here.emplace(job, diagnostics.file()).second;
      if (first == jobs_.end() && !twice) continue;
      diagnostics.Fail(
          scrape.MarkOf("job_name"),
          fmt::format("found multiple scrape configs with job name {}, first found in {}",
                      QuoteGo(job), twice ? diagnostics.file() : first->second));
    }
  }

  Env& env_;
  const std::string& file_;
  const LoadOptions& options_;
  Diagnostics diagnostics_;
  std::map<std::string, std::string> jobs_;  // Job name → the file that has it.
};

}  // namespace

Result<std::shared_ptr<const Config>> Parse(Env& env, std::string_view text,
                                            const std::string& file, const LoadOptions& options) {
  return Loader(env, file, options).Load(text);
}

Result<std::shared_ptr<const Config>> Load(Env& env, const std::string& file,
                                           const LoadOptions& options) {
  const std::string text = TRY(env.ReadFile(file, kMaxFileBytes));
  return Parse(env, text, file, options);
}

Result<std::vector<discovery::TargetGroup>> ParseTargetGroupsYaml(std::string_view text,
                                                                  std::string_view file) {
  const YamlDocument document = TRY(ParseYaml(text, file));
  const YamlNode& root = document.root;
  if (root.is_null()) return std::vector<discovery::TargetGroup>{};
  if (!root.is_sequence()) {
    return Error(ErrorKind::kInvalid,
                 AtMark(file, root.mark, "a list of target groups is expected"));
  }
  Diagnostics diagnostics{std::string(file)};
  std::vector<BlockView> groups;
  for (const YamlNode& item : root.items) {
    if (item.is_null()) {
      diagnostics.Fail(item.mark, "nil target group item found");
      continue;
    }
    Validate(kTargetGroupBlock, item, document, diagnostics);
    groups.emplace_back(kTargetGroupBlock, &item);
  }
  if (!diagnostics.ok()) return diagnostics.ToError();
  return FillTargetGroups(groups);
}

}  // namespace sonde::config
