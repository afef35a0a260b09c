#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "base/number.h"
#include "wire/exposition_parser.h"
#include "wire/number_text.h"

// The part of the parser that looks inside a series: labels, exemplars, start timestamps.

namespace sonde::wire {
namespace {

bool CountsFromAStart(MetricType type) {
  return type == MetricType::kCounter || type == MetricType::kHistogram ||
         type == MetricType::kSummary;
}

constexpr std::string_view kCreated = "_created";

// The metric name without the suffix that tells a metric's samples apart.
std::string_view BaseName(std::string_view name, MetricType type) {
  constexpr std::array<std::string_view, 5> kSuffixes{kCreated, "_total", "_count", "_sum",
                                                      "_bucket"};
  for (const std::string_view suffix : kSuffixes) {
    if (suffix == "_total" && type != MetricType::kCounter) continue;
    if (suffix != kCreated && suffix != "_total" && type == MetricType::kCounter) continue;
    if (suffix == "_bucket" && type != MetricType::kHistogram) continue;
    if (name.ends_with(suffix)) return name.substr(0, name.size() - suffix.size());
  }
  return name;
}

// What all samples of one counter, histogram or summary have in common.
void AppendMetricKey(std::string& key, const std::vector<LabelToken>& tokens, MetricType type) {
  for (const LabelToken& token : tokens) {
    if (token.name == kMetricName) {
      key += BaseName(token.value, type);
      continue;
    }
    if (type == MetricType::kHistogram && token.name == "le") continue;
    if (type == MetricType::kSummary && token.name == "quantile") continue;
    key.append("\xFF").append(token.name).append("\xFF").append(token.value);
  }
}

std::string_view NameOf(const std::vector<LabelToken>& tokens) {
  for (const LabelToken& token : tokens) {
    if (token.name == kMetricName) return token.value;
  }
  return {};
}

}  // namespace

// ------------------------------------------------------------------------------------------ labels

Result<LabelsView> ExpositionParser::Labels() {
  if (!PackLabels()) return error();
  return LabelsView::FromPacked(packed_);
}

Status ExpositionParser::Labels(LabelsBuilder& builder) {
  builder.Reset(TRY(Labels()));
  return OkStatus();
}

bool ExpositionParser::PackLabels() {
  if (failure_) return false;
  SyntaxError error;
  const char* stop = ReadSeries(series_.data(), end_, dialect(), tokens_, error);
  if (stop == nullptr) {
    Fail(error.at, std::move(error.message));
    return false;
  }
  if (stop != series_.data() + series_.size()) {
    // Not what DelimitSeries took it for: then what follows the series cannot be right.
    if (ParseSuffix(stop) != EntryKind::kInvalid) Fail(stop, "expected a value after the series");
    return false;
  }
  labels_.clear();
  unescaped_.clear();
  // Views of unescaped_ are kept below, so it must not move: only a rewritten float can grow.
  unescaped_.reserve(series_.size() + kMaxFloatBytes * tokens_.size());
  for (const LabelToken& token : tokens_) {
    LabelView label{token.name, token.value};
    if (token.escaped_name) label.name = Unescape(token.name);
    if (token.escaped_value) label.value = Unescape(token.value);
    if ((type_ == MetricType::kHistogram && label.name == "le") ||
        (type_ == MetricType::kSummary && label.name == "quantile")) {
      label.value = NormalizeFloat(label.value);
    }
    labels_.push_back(label);
  }
  std::ranges::sort(labels_, {}, &LabelView::name);
  packed_.clear();
  std::string_view previous;
  for (const LabelView& label : labels_) {
    if (label.name == previous) {
      Fail(series_.data(),
           fmt::format("the label {} stands twice in one series", Shown(label.name)));
      return false;
    }
    previous = label.name;
    if (!label.value.empty()) AppendPackedLabel(packed_, label.name, label.value);
  }
  return true;
}

std::string_view ExpositionParser::Unescape(std::string_view raw) {
  const std::size_t start = unescaped_.size();
  AppendUnescaped(unescaped_, raw);
  return std::string_view(unescaped_).substr(start);
}

std::string_view ExpositionParser::NormalizeFloat(std::string_view text) {
  const auto value = ParseFloat(text);
  if (!value) return text;
  const std::size_t start = unescaped_.size();
  AppendFloatOpenMetrics(unescaped_, *value);
  return std::string_view(unescaped_).substr(start);
}

Exemplar ExpositionParser::exemplar() const {
  CHECK(has_exemplar_);
  std::vector<std::pair<std::string, std::string>> unescaped;
  unescaped.reserve(exemplar_tokens_.size());
  for (const LabelToken& token : exemplar_tokens_) {
    auto& [name, value] = unescaped.emplace_back();
    AppendUnescaped(name, token.name);
    AppendUnescaped(value, token.value);
  }
  std::vector<LabelView> pairs;
  pairs.reserve(unescaped.size());
  for (const auto& [name, value] : unescaped)
    pairs.push_back({name, value});
  return {.labels = Labels::FromPairs(pairs),
          .value = exemplar_value_,
          .timestamp = exemplar_timestamp_};
}

// -------------------------------------------------------------------------------- start timestamps

// If the current sample is a `_created` line that stands for a start timestamp: remembers it.
bool ExpositionParser::TakeCreatedLine() {
  if (!CountsFromAStart(type_) || series_.find(kCreated) == std::string_view::npos) return false;
  SyntaxError error;
  if (ReadSeries(series_.data(), end_, dialect(), tokens_, error) == nullptr) return false;
  if (!NameOf(tokens_).ends_with(kCreated)) return false;
  created_key_.clear();
  AppendMetricKey(created_key_, tokens_, type_);
  created_ = TimestampOfSeconds(value_);
  return true;
}

std::optional<Timestamp> ExpositionParser::start_timestamp() {
  if (format_ != ExpositionFormat::kOpenMetrics || !CountsFromAStart(type_)) return std::nullopt;
  SyntaxError error;
  if (ReadSeries(series_.data(), end_, dialect(), tokens_, error) == nullptr) return std::nullopt;
  unescaped_.clear();
  AppendMetricKey(unescaped_, tokens_, type_);
  if (created_ && unescaped_ == created_key_) return created_;
  if (ahead_.at == nullptr || at_ > ahead_.at) LookAhead();
  if (!ahead_.created || ahead_.key != unescaped_) return std::nullopt;
  created_key_ = ahead_.key;
  created_ = ahead_.created;
  return created_;
}

// Finds the next `_created` line of the current family.
void ExpositionParser::LookAhead() {
  ahead_.created.reset();
  ahead_.key.clear();
  const char* line = at_;
  const char* eol = nullptr;
  for (; line != end_ && *line != '#'; line = eol + 1) {
    eol = static_cast<const char*>(std::memchr(line, '\n', static_cast<std::size_t>(end_ - line)));
    if (eol == nullptr) break;
    const std::string_view text(line, static_cast<std::size_t>(eol - line));
    if (text.find(kCreated) == std::string_view::npos) continue;
    SyntaxError error;
    const char* p = ReadSeries(line, eol, dialect(), tokens_, error);
    double seconds = 0;
    if (p == nullptr) break;
    if (!NameOf(tokens_).ends_with(kCreated)) continue;
    if (p == eol || ReadPlainDecimal(p + 1, eol, seconds) == nullptr) break;
    AppendMetricKey(ahead_.key, tokens_, type_);
    ahead_.created = TimestampOfSeconds(seconds);
    break;
  }
  ahead_.at = line;
}

}  // namespace sonde::wire
