#include "config/rule_file.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/quote.h"
#include "config/prune.h"
#include "config/schema.h"
#include "rules/check.h"

namespace sonde::config {
namespace {

using enum FieldType;

constexpr Field kRuleFields[] = {
    {"record", kString},         {"alert", kString},     {"expr", kString},
    {"for", kDuration},          {"labels", kStringMap}, {"keep_firing_for", kDuration},
    {"annotations", kStringMap},
};
constexpr Block kRuleBlock = {"rule", "rulefmt.Rule", kRuleFields};

constexpr Field kGroupFields[] = {
    {"name", kString},
    {"interval", kDuration},
    {"query_offset", kDuration},
    {"limit", kInt},
    {"labels", kStringMap},
    {"rules", kBlocks, nullptr, kNone, &kRuleBlock, "empty or null rule"},
};
constexpr Block kGroupBlock = {"rule_group", "rulefmt.RuleGroup", kGroupFields};

constexpr Field kFileFields[] = {
    {"groups", kBlocks, nullptr, kNone, &kGroupBlock, "empty or null rule group"},
};
constexpr Block kFileBlock = {"rule_file", "rulefmt.RuleGroups", kFileFields};

/// Sorted by name; `base` first, so that the own ones win.
rules::TextPairs ReadPairs(const rules::TextPairs& base, const YamlNode* mapping) {
  std::map<std::string, std::string> pairs(base.begin(), base.end());
  if (mapping != nullptr) {
    for (const YamlEntry& entry : mapping->entries)
      pairs[entry.key] = entry.value.text;
  }
  return {pairs.begin(), pairs.end()};
}

class Reader {
 public:
  Reader(std::string_view file, const RuleFileOptions& options, Diagnostics& diagnostics)
      : file_(file), options_(options), diagnostics_(diagnostics) {}

  std::vector<rules::GroupOptions> Read(const BlockView& view) {
    std::vector<rules::GroupOptions> groups;
    std::set<std::string> names;
    for (const BlockView& group : view.Children("groups")) {
      const std::string name = group.Text("name");
      if (name.empty()) diagnostics_.Fail(group.mark(), "Groupname must not be empty");
      if (!name.empty() && !names.insert(name).second) {
        diagnostics_.Fail(group.MarkOf("name"),
                          fmt::format("groupname: {} is repeated in the same file", QuoteGo(name)));
      }
      groups.push_back(ReadGroup(group));
    }
    return groups;
  }

 private:
  rules::GroupOptions ReadGroup(const BlockView& view) {
    rules::GroupOptions group;
    group.name = view.Text("name");
    group.file = file_;
    group.interval = view.Time("interval");
    if (view.Has("query_offset")) group.query_offset = view.Time("query_offset");
    const std::int64_t limit = view.Int("limit");
    if (limit < 0 || limit > std::numeric_limits<int>::max()) {
      diagnostics_.Fail(view.MarkOf("limit"), "limit must be 0 (none) or a number of series");
    }
    group.limit =
        static_cast<int>(std::clamp<std::int64_t>(limit, 0, std::numeric_limits<int>::max()));
    const rules::TextPairs labels = ReadPairs({}, view.Raw("labels"));
    for (const auto& [name, value] : labels) {
      const std::string problem = rules::CheckLabel(name, value, options_.legacy_names);
      if (!problem.empty())
        diagnostics_.Fail(view.MarkOf("labels"),
                          fmt::format("group {}: {}", QuoteGo(group.name), problem));
    }
    for (const BlockView& rule : view.Children("rules"))
      ReadRule(rule, labels, group);
    return group;
  }

  void Fail(const rules::GroupOptions& group, const std::string& name, YamlMark mark,
            std::string_view message) {
    diagnostics_.Fail(mark, fmt::format("group {}, rule {}, {}: {}", QuoteGo(group.name),
                                        group.rules.size() + 1, QuoteGo(name), message));
  }

  void ReadRule(const BlockView& view, const rules::TextPairs& group_labels,
                rules::GroupOptions& group) {
    rules::RuleOptions rule;
    const std::string record = view.Text("record");
    const std::string alert = view.Text("alert");
    rule.alerting = record.empty();
    rule.name = rule.alerting ? alert : record;
    if (!record.empty() && !alert.empty()) {
      Fail(group, rule.name, view.MarkOf("alert"), "only one of 'record' and 'alert' must be set");
    } else if (rule.name.empty()) {
      Fail(group, rule.name, view.mark(), "one of 'record' or 'alert' must be set");
    }
    rule.expr = view.Text("expr");
    rule.hold = view.Time("for");
    rule.keep_firing_for = view.Time("keep_firing_for");
    rule.labels = ReadPairs(group_labels, view.Raw("labels"));
    rule.annotations = ReadPairs({}, view.Raw("annotations"));
    for (const rules::RuleProblem& problem :
         rules::CheckRule(rule, {options_.parser, options_.legacy_names})) {
      if (rule.name.empty() && problem.key == rules::RuleKey::kName) continue;
      Fail(group, rule.name, MarkOf(view, problem.key, rule.alerting), problem.message);
    }
    group.rules.push_back(std::move(rule));
  }

  static YamlMark MarkOf(const BlockView& view, rules::RuleKey key, bool alerting) {
    switch (key) {
      case rules::RuleKey::kName:
        return view.MarkOf(alerting ? "alert" : "record");
      case rules::RuleKey::kExpr:
        return view.MarkOf("expr");
      case rules::RuleKey::kFor:
        return view.MarkOf("for");
      case rules::RuleKey::kKeepFiringFor:
        return view.MarkOf("keep_firing_for");
      case rules::RuleKey::kLabels:
        return view.MarkOf("labels");
      case rules::RuleKey::kAnnotations:
        return view.MarkOf("annotations");
    }
    return view.mark();
  }

  const std::string file_;
  const RuleFileOptions& options_;
  Diagnostics& diagnostics_;
};

}  // namespace

Result<RuleFile> ParseRuleFile(std::string_view text, std::string_view file,
                               const RuleFileOptions& options) {
  YamlDocument document = TRY(ParseYaml(text, file, {.max_bytes = kMaxRuleFileBytes}));
  Diagnostics diagnostics{std::string(file)};
  if (document.has_more) {
    diagnostics.Warn(document.more, "only the first document of the file is read");
  }
  if (options.ignore_unknown_fields) PruneUnknown(kFileBlock, document.root);
  Validate(kFileBlock, document.root, document, diagnostics);
  if (!diagnostics.ok()) return diagnostics.ToError();
  RuleFile out;
  out.groups = Reader(file, options, diagnostics).Read(BlockView(kFileBlock, &document.root));
  if (!diagnostics.ok()) return diagnostics.ToError();
  out.warnings = diagnostics.warnings();
  return out;
}

}  // namespace sonde::config
