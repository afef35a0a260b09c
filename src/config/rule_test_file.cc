#include "config/rule_test_file.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/number.h"
#include "base/quote.h"
#include "config/llm_values.h"
#include "config/prune.h"
#include "config/scalar.h"
#include "config/schema.h"

namespace sonde::config {
namespace {

using enum FieldType;

constexpr Field kSeriesFields[] = {{"series", kString}, {"values", kString}};
constexpr Block kSeriesBlock = {"input_series", "main.series", kSeriesFields};

constexpr Field kExpectedAlertFields[] = {
    {"exp_labels", kStringMap},
    {"exp_annotations", kStringMap},
};
constexpr Block kExpectedAlertBlock = {"exp_alert", "main.alert", kExpectedAlertFields};

constexpr Field kAlertTestFields[] = {
    {"eval_time", kDuration},
    {"alertname", kString},
    {"exp_alerts", kBlocks, nullptr, kNone, &kExpectedAlertBlock},
};
constexpr Block kAlertTestBlock = {"alert_rule_test", "main.alertTestCase", kAlertTestFields};

constexpr Field kSampleFields[] = {
    {"labels", kString},
    {"value", kFloat},
    {"histogram", kString},
};
constexpr Block kSampleBlock = {"exp_sample", "main.sample", kSampleFields};

constexpr Field kExpressionTestFields[] = {
    {"expr", kString},
    {"eval_time", kDuration},
    {"exp_samples", kBlocks, nullptr, kNone, &kSampleBlock},
};
constexpr Block kExpressionTestBlock = {"promql_expr_test", "main.promqlTestCase",
                                        kExpressionTestFields};

constexpr Field kTestFields[] = {
    {"name", kString},
    {"interval", kDuration},
    {"start_timestamp", kString},
    {"input_series", kBlocks, nullptr, kNone, &kSeriesBlock},
    {"external_labels", kStringMap},
    {"external_url", kString},
    {"alert_rule_test", kBlocks, nullptr, kNone, &kAlertTestBlock},
    {"promql_expr_test", kBlocks, nullptr, kNone, &kExpressionTestBlock},
};
constexpr Block kTestBlock = {"test", "main.testGroup", kTestFields};

constexpr Field kFileFields[] = {
    {"rule_files", kStrings},
    {"evaluation_interval", kDuration},
    {"fuzzy_compare", kBool},
    {"group_eval_order", kStrings},
    {"tests", kBlocks, nullptr, kNone, &kTestBlock},
};
constexpr Block kFileBlock = {"rule_test_file", "main.unitTestFile", kFileFields};

Duration OrElse(Duration duration, Duration fallback) {
  return duration > Duration(0) ? duration : fallback;
}

/// RFC 3339: "2024-01-01T00:00:00Z".
std::optional<Timestamp> ParseRfc3339(std::string_view text) {
  if (text.size() < 20 || (text[10] != 'T' && text[10] != 't')) return std::nullopt;
  const auto day = ParseDate(text.substr(0, 10));
  const auto minutes = ParseClock(text.substr(11, 5));
  const auto seconds = ParseUint(text.substr(17, 2));
  std::string_view rest = text.substr(19);
  double fraction = 0;
  if (rest.starts_with('.')) {
    const std::size_t end = std::min(rest.find_first_not_of("0123456789", 1), rest.size());
    fraction = ParseFloat("0" + std::string(rest.substr(0, end))).value_or(0);
    rest.remove_prefix(end);
  }
  const auto offset = ParseUtcOffset(rest);
  if (!day || !minutes || !seconds || *seconds > 59 || !offset || text[16] != ':')
    return std::nullopt;
  const std::int64_t since_midnight =
      (*minutes - *offset) * 60 + static_cast<std::int64_t>(*seconds);
  return Timestamp{(*day * 86'400 + since_midnight) * 1000 +
                   static_cast<std::int64_t>(fraction * 1000)};
}

rules::TextPairs ReadPairs(const YamlNode* mapping) {
  rules::TextPairs pairs;
  if (mapping == nullptr) return pairs;
  for (const YamlEntry& entry : mapping->entries)
    pairs.emplace_back(entry.key, entry.value.text);
  return pairs;
}

Labels ReadLabels(const YamlNode* mapping) {
  LabelsBuilder builder;
  for (const auto& [name, value] : ReadPairs(mapping))
    builder.Set(name, value);
  return builder.Build();
}

rules::UnitTest ReadTest(const BlockView& view, Duration evaluation_interval,
                         Diagnostics& diagnostics) {
  rules::UnitTest test;
  test.name = view.Text("name");
  test.interval = OrElse(view.Time("interval"), evaluation_interval);
  if (const std::string start = view.Text("start_timestamp"); !start.empty()) {
    const auto seconds = ParseYamlFloat(start);
    const auto date = seconds ? std::optional(Timestamp{static_cast<std::int64_t>(
                                    std::min(std::max(*seconds, -1e11), 1e11) * 1000)})
                              : ParseRfc3339(start);
    if (!date)
      diagnostics.Fail(view.MarkOf("start_timestamp"),
                       fmt::format("{} is neither Unix seconds nor RFC 3339", QuoteGo(start)));
    test.start = date.value_or(Timestamp{});
  }
  for (const BlockView& series : view.Children("input_series"))
    test.series.push_back({series.Text("series"), series.Text("values")});
  test.external_labels = ReadLabels(view.Raw("external_labels"));
  test.external_url = view.Text("external_url");
  for (const BlockView& alert : view.Children("alert_rule_test")) {
    rules::AlertTest read{alert.Time("eval_time"), alert.Text("alertname"), {}};
    for (const BlockView& expected : alert.Children("exp_alerts"))
      read.alerts.push_back(
          {ReadPairs(expected.Raw("exp_labels")), ReadPairs(expected.Raw("exp_annotations"))});
    test.alert_tests.push_back(std::move(read));
  }
  for (const BlockView& expression : view.Children("promql_expr_test")) {
    rules::ExpressionTest read{expression.Text("expr"), expression.Time("eval_time"), {}};
    for (const BlockView& sample : expression.Children("exp_samples"))
      read.samples.push_back(
          {sample.Text("labels"), sample.Float("value"), sample.Text("histogram")});
    test.expression_tests.push_back(std::move(read));
  }
  return test;
}

}  // namespace

Result<rules::UnitTestFile> ParseRuleTestFile(std::string_view text, std::string_view file,
                                              bool ignore_unknown_fields) {
  YamlDocument document = TRY(ParseYaml(text, file));
  Diagnostics diagnostics{std::string(file)};
  if (ignore_unknown_fields) PruneUnknown(kFileBlock, document.root);
  Validate(kFileBlock, document.root, document, diagnostics);
  if (!diagnostics.ok()) return diagnostics.ToError();
  const BlockView view(kFileBlock, &document.root);
  rules::UnitTestFile out;
  out.rule_files = view.Strings("rule_files");
  out.evaluation_interval = OrElse(view.Time("evaluation_interval"), out.evaluation_interval);
  out.fuzzy_compare = view.Bool("fuzzy_compare");
  out.group_eval_order = view.Strings("group_eval_order");
  if (std::set<std::string>(out.group_eval_order.begin(), out.group_eval_order.end()).size() !=
      out.group_eval_order.size()) {
    diagnostics.Fail(view.MarkOf("group_eval_order"), "group name repeated in evaluation order");
  }
  for (const BlockView& test : view.Children("tests"))
    out.tests.push_back(ReadTest(test, out.evaluation_interval, diagnostics));
  if (!diagnostics.ok()) return diagnostics.ToError();
  return out;
}

}  // namespace sonde::config
