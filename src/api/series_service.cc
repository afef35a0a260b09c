#include "api/series_service.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/params.h"
#include "api/result_json.h"
#include "base/json.h"
#include "base/quote.h"
#include "model/names.h"

namespace sonde::api {
namespace {

const std::vector<std::string> kTruncated{"results truncated due to limit"};

struct Selection {
  Timestamp start;
  Timestamp end;
  std::vector<std::vector<Matcher>> matchers;
  std::size_t limit = 0;
};

Result<Selection> ParseSelection(const net::Query& parameters) {
  Selection selection;
  selection.limit = TRY(LimitParam(parameters));
  selection.start = TRY(TimeParam(parameters, "start", MinTime()));
  selection.end = TRY(TimeParam(parameters, "end", MaxTime()));
  if (selection.end < selection.start) {
    return InvalidParameter(
        "end", Error(ErrorKind::kInvalid, "end timestamp must not be before start time"));
  }
  selection.matchers = TRY(MatchParams(parameters));
  return selection;
}

std::string StringList(const std::vector<std::string>& values) {
  std::string data;
  JsonWriter json(data);
  json.BeginArray();
  for (const std::string& value : values) {
    json.String(value);
  }
  json.EndArray();
  return data;
}

using Lister = std::function<Result<std::vector<std::string>>(
    const storage::Querier&, std::span<const Matcher>, std::size_t limit)>;

// The sorted union of what `list` gives for each selector, or for no selector at all.
Answer ListAnswer(const storage::Queryable& store, const net::Query& parameters,
                  const Lister& list) {
  auto selection = ParseSelection(parameters);
  if (!selection) return Answer::Failure(selection.error());
  const auto querier = store.NewQuerier(selection->start, selection->end);
  if (!querier) return Answer::Failure(querier.error());
  if (selection->matchers.empty()) selection->matchers.emplace_back();
  // One more than asked for tells whether something was cut.
  const std::size_t limit = selection->limit == 0 ? 0 : selection->limit + 1;
  std::vector<std::string> all;
  for (const std::vector<Matcher>& matchers : selection->matchers) {
    auto values = list(**querier, matchers, limit);
    if (!values) return Answer::Failure(values.error());
    all.insert(all.end(), std::make_move_iterator(values->begin()),
               std::make_move_iterator(values->end()));
  }
  if (selection->matchers.size() > 1) {
    std::ranges::sort(all);
    all.erase(std::unique(all.begin(), all.end()), all.end());
  }
  if (selection->limit > 0 && all.size() > selection->limit) {
    all.resize(selection->limit);
    return Answer::Success(StringList(all), kTruncated);
  }
  return Answer::Success(StringList(all));
}

}  // namespace

Answer LabelNamesAnswer(const storage::Queryable& store, const net::Query& parameters) {
  return ListAnswer(store, parameters,
                    [](const storage::Querier& querier, std::span<const Matcher> matchers,
                       std::size_t limit) { return querier.LabelNames(matchers, limit); });
}

Answer LabelValuesAnswer(const storage::Queryable& store, const net::Query& parameters,
                         std::string_view name) {
  const auto unescaped = UnescapeName(name);
  if (!unescaped || !IsValidName(*unescaped)) {
    return Answer::Failure(Error(ErrorKind::kInvalid, "invalid label name: " + QuoteGo(name)));
  }
  return ListAnswer(
      store, parameters,
      [&](const storage::Querier& querier, std::span<const Matcher> matchers, std::size_t limit) {
        return querier.LabelValues(*unescaped, matchers, limit);
      });
}

Answer SeriesAnswer(const storage::Queryable& store, const net::Query& parameters) {
  const auto selection = ParseSelection(parameters);
  if (!selection) return Answer::Failure(selection.error());
  if (selection->matchers.empty()) {
    return Answer::Failure(Error(ErrorKind::kInvalid, "no match[] parameter provided"));
  }
  const auto querier = store.NewQuerier(selection->start, selection->end);
  if (!querier) return Answer::Failure(querier.error());
  const std::size_t limit = selection->limit == 0 ? 0 : selection->limit + 1;
  const storage::SelectHints hints{
      .start = selection->start, .end = selection->end, .function = "series", .limit = limit};
  std::vector<std::unique_ptr<storage::SeriesSet>> sets;
  std::vector<LabelsView> all;  // Views into `sets`.
  for (const std::vector<Matcher>& matchers : selection->matchers) {
    auto set = (*querier)->Select(true, hints, matchers);
    if (!set) return Answer::Failure(set.error());
    for (std::size_t i = 0; i < (*set)->size(); ++i) {
      all.push_back((*set)->labels(i));
    }
    sets.push_back(*std::move(set));
  }
  if (sets.size() > 1) {
    std::ranges::sort(all);
    all.erase(std::unique(all.begin(), all.end()), all.end());
  }
  const bool cut = selection->limit > 0 && all.size() > selection->limit;
  if (cut) all.resize(selection->limit);
  std::string data = "[";
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i > 0) data.push_back(',');
    AppendLabels(data, all[i]);
  }
  data.push_back(']');
  return cut ? Answer::Success(data, kTruncated) : Answer::Success(data);
}

}  // namespace sonde::api
