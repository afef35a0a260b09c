#include "rules/template_functions.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/duration.h"
#include "base/number.h"
#include "base/quote.h"
#include "base/regex_search.h"

namespace sonde::rules {
namespace {

using Value = TemplateValue;
using Call = TemplateCall;

Error Invalid(std::string message) {
  return {ErrorKind::kInvalid, std::move(message)};
}

Value TextOf(std::string text) {
  return {std::move(text)};
}

Result<std::string> TextArgument(const Call& call, std::size_t index) {
  if (const auto* text = call.arguments[index].If<std::string>()) return *text;
  return Invalid("wrong type for value; expected string; got " +
                 std::string(TypeName(call.arguments[index])));
}

/// What the humanize functions take: numbers, durations, and texts that are numbers.
Result<double> NumberArgument(const Call& call, std::size_t index = 0) {
  const Value& value = call.arguments[index];
  if (const auto* d = value.If<double>()) return *d;
  if (const auto* i = value.If<std::int64_t>()) return static_cast<double>(*i);
  if (const auto* duration = value.If<TemplateDuration>())
    return static_cast<double>(duration->ns) / 1e9;
  if (const auto* text = value.If<std::string>()) {
    if (const auto number = ParseFloat(*text)) return *number;
    return Invalid("strconv.ParseFloat: parsing " + QuoteGo(*text) + ": invalid syntax");
  }
  return Invalid("can't convert " + std::string(TypeName(value)) + " to float");
}

bool IsPlain(double v) {
  return v == 0 || !std::isfinite(v);
}

std::string Scaled(double v, double base, std::span<const std::string_view> larger) {
  std::string_view prefix;
  for (const std::string_view next : larger) {
    if (std::abs(v) < base) break;
    prefix = next;
    v /= base;
  }
  return FormatG(v, 4) + std::string(prefix);
}

std::string ScaledDown(double v, std::string_view unit) {
  static constexpr std::array<std::string_view, 8> kSmaller = {"m", "u", "n", "p",
                                                               "f", "a", "z", "y"};
  std::string_view prefix;
  for (const std::string_view next : kSmaller) {
    if (std::abs(v) >= 1) break;
    prefix = next;
    v *= 1000;
  }
  return FormatG(v, 4) + std::string(prefix) + std::string(unit);
}

Result<Value> Humanize(const Call& call) {
  static constexpr std::array<std::string_view, 8> kLarger = {"k", "M", "G", "T",
                                                              "P", "E", "Z", "Y"};
  const double v = TRY(NumberArgument(call));
  if (IsPlain(v)) return TextOf(FormatG(v, 4));
  return TextOf(std::abs(v) >= 1 ? Scaled(v, 1000, kLarger) : ScaledDown(v, ""));
}

Result<Value> Humanize1024(const Call& call) {
  static constexpr std::array<std::string_view, 8> kLarger = {"ki", "Mi", "Gi", "Ti",
                                                              "Pi", "Ei", "Zi", "Yi"};
  const double v = TRY(NumberArgument(call));
  if (std::abs(v) <= 1 || IsPlain(v)) return TextOf(FormatG(v, 4));
  return TextOf(Scaled(v, 1024, kLarger));
}

Result<Value> HumanizeDuration(const Call& call) {
  const double v = TRY(NumberArgument(call));
  if (!std::isfinite(v)) return TextOf(FormatG(v, 4));
  if (v == 0) return TextOf("0s");
  if (std::abs(v) < 1) return TextOf(ScaledDown(v, "s"));
  if (std::abs(v) >= 9.2e18) return TextOf(FormatG(v, 4) + "s");
  const std::string sign = v < 0 ? "-" : "";
  const auto whole = static_cast<std::int64_t>(std::abs(v));
  const std::int64_t s = whole % 60;
  const std::int64_t m = whole / 60 % 60;
  const std::int64_t h = whole / 3600 % 24;
  const std::int64_t d = whole / 86'400;
  if (d != 0) return TextOf(fmt::format("{}{}d {}h {}m {}s", sign, d, h, m, s));
  if (h != 0) return TextOf(fmt::format("{}{}h {}m {}s", sign, h, m, s));
  if (m != 0) return TextOf(fmt::format("{}{}m {}s", sign, m, s));
  return TextOf(FormatG(v, 4) + "s");
}

Result<Value> HumanizePercentage(const Call& call) {
  return TextOf(FormatG(TRY(NumberArgument(call)) * 100, 4) + "%");
}

/// Milliseconds of a time in seconds that a calendar of four digits can show.
std::optional<std::int64_t> MillisOf(double seconds) {
  if (!std::isfinite(seconds) || std::abs(seconds) > 2.5e11) return std::nullopt;
  return static_cast<std::int64_t>(std::round(seconds * 1000));
}

Result<Value> HumanizeTimestamp(const Call& call) {
  const double v = TRY(NumberArgument(call));
  const auto ms = MillisOf(v);
  if (!ms) return TextOf(FormatG(v, 4));
  return TextOf(FormatGoTime(*ms));
}

Result<Value> ToTime(const Call& call) {
  const auto ms = MillisOf(TRY(NumberArgument(call)));
  if (!ms) return Invalid("value is not a timestamp");
  return Value{TemplateTime{*ms}};
}

Result<Value> ToDuration(const Call& call) {
  const double ns = TRY(NumberArgument(call)) * 1e9;
  if (!(std::abs(ns) < 9.2e18)) return Invalid("value is not a duration");
  return Value{TemplateDuration{static_cast<std::int64_t>(ns)}};
}

Result<Value> ParseDurationText(const Call& call) {
  const std::string text = TRY(TextArgument(call, 0));
  const Duration duration = TRY(ParseDuration(text));
  return Value{static_cast<double>(duration.count()) / 1000};
}

Result<Value> Now(const Call& call) {
  return Value{call.scope.now.seconds()};
}

// -------------------------------------------------------------------------------------------
// queries

Result<Value> Query(const Call& call) {
  const std::string text = TRY(TextArgument(call, 0));
  if (!call.scope.query) return Invalid("there is nothing to query here");
  if (++call.queries > kMaxTemplateQueries) {
    return Error(ErrorKind::kLimit,
                 "more than " + std::to_string(kMaxTemplateQueries) + " queries in a template");
  }
  const auto series = TRY(call.scope.query(text));
  auto list = std::make_shared<TemplateList>();
  for (const promql::ResultSeries& one : series) {
    auto sample = std::make_shared<TemplateSample>();
    sample->labels = std::get<std::shared_ptr<const TemplateMap>>(MapOf(one.labels).state);
    sample->value = one.points.front().v;
    list->push_back({std::shared_ptr<const TemplateSample>(std::move(sample))});
  }
  return Value{std::shared_ptr<const TemplateList>(std::move(list))};
}

Result<Value> First(const Call& call) {
  const TemplateList* list = call.arguments[0].list();
  if (list == nullptr) return Invalid("first() takes the result of a query");
  if (list->empty()) return Invalid("first() called on vector with no elements");
  return list->front();
}

Result<std::shared_ptr<const TemplateSample>> SampleArgument(const Call& call, std::size_t index) {
  const auto* sample = call.arguments[index].If<std::shared_ptr<const TemplateSample>>();
  if (sample == nullptr)
    return Invalid("wrong type for value; expected a sample; got " +
                   std::string(TypeName(call.arguments[index])));
  return *sample;
}

std::string LabelOf(const TemplateSample& sample, std::string_view name) {
  const auto found = sample.labels->entries.find(name);
  return found == sample.labels->entries.end() ? std::string() : ToText(found->second);
}

Result<Value> Label(const Call& call) {
  const std::string name = TRY(TextArgument(call, 0));
  const auto sample = TRY(SampleArgument(call, 1));
  return TextOf(LabelOf(*sample, name));
}
Result<Value> ValueOf(const Call& call) {
  return Value{TRY(SampleArgument(call, 0))->value};
}
Result<Value> StrValue(const Call& call) {
  return TextOf(LabelOf(*TRY(SampleArgument(call, 0)), "__value__"));
}

Result<Value> SortByLabel(const Call& call) {
  const std::string name = TRY(TextArgument(call, 0));
  const TemplateList* list = call.arguments[1].list();
  if (list == nullptr) return Invalid("sortByLabel() takes the result of a query");
  auto sorted = std::make_shared<TemplateList>(*list);
  for (const Value& item : *sorted) {
    if (item.sample() == nullptr) return Invalid("sortByLabel() takes the result of a query");
  }
  std::ranges::stable_sort(*sorted, [&](const Value& a, const Value& b) {
    return LabelOf(*a.sample(), name) < LabelOf(*b.sample(), name);
  });
  return Value{std::shared_ptr<const TemplateList>(std::move(sorted))};
}

Result<Value> Args(const Call& call) {
  auto map = std::make_shared<TemplateMap>();
  for (std::size_t i = 0; i < call.arguments.size(); ++i)
    map->entries["arg" + std::to_string(i)] = call.arguments[i];
  return Value{std::shared_ptr<const TemplateMap>(std::move(map))};
}

// -------------------------------------------------------------------------------------------
// texts

Result<Value> ReplaceAll(const Call& call) {
  const std::string pattern = TRY(TextArgument(call, 0));
  const std::string replacement = TRY(TextArgument(call, 1));
  const std::string text = TRY(TextArgument(call, 2));
  return TextOf(TRY(ReplaceAllMatches(pattern, text, replacement, kMaxExpansionBytes)));
}
Result<Value> Match(const Call& call) {
  const std::string pattern = TRY(TextArgument(call, 0));
  const std::string text = TRY(TextArgument(call, 1));
  return Value{TRY(ContainsMatch(pattern, text))};
}
Result<Value> SafeHtml(const Call& call) {
  return TextOf(TRY(TextArgument(call, 0)));
}

char Upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}
char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
Result<Value> ToUpper(const Call& call) {
  std::string text = TRY(TextArgument(call, 0));
  std::ranges::transform(text, text.begin(), Upper);
  return TextOf(std::move(text));
}
Result<Value> ToLower(const Call& call) {
  std::string text = TRY(TextArgument(call, 0));
  std::ranges::transform(text, text.begin(), Lower);
  return TextOf(std::move(text));
}
Result<Value> Title(const Call& call) {
  std::string text = TRY(TextArgument(call, 0));
  const auto in_word = [](char c) {
    return Lower(c) != Upper(c) || (c >= '0' && c <= '9') || c == '_' || c == '\'' ||
           static_cast<unsigned char>(c) >= 0x80;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == 0 || !in_word(text[i - 1])) text[i] = Upper(text[i]);
  }
  return TextOf(std::move(text));
}

std::string Escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain) {
      out += c;
    } else if (c == ' ') {
      out += '+';
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

Result<Value> GraphLinkOf(const Call& call) {
  return TextOf(GraphLink(TRY(TextArgument(call, 0))));
}
Result<Value> TableLinkOf(const Call& call) {
  return TextOf(TableLink(TRY(TextArgument(call, 0))));
}
Result<Value> ExternalUrl(const Call& call) {
  return TextOf(std::string(call.scope.external_url));
}
Result<Value> PathPrefix(const Call& call) {
  const std::string_view url = call.scope.external_url;
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return TextOf(std::string(url));
  const std::size_t path = url.find('/', scheme + 3);
  return TextOf(std::string(path == std::string_view::npos ? "" : url.substr(path)));
}

/// "host:port" in its parts; no port: nothing.
std::optional<std::pair<std::string, std::string>> SplitHostPort(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find_first_of(":[]") != std::string_view::npos) {
    return std::nullopt;
  }
  return std::pair{std::string(host), std::string(text.substr(colon + 1))};
}

bool IsIpAddress(std::string_view host) {
  if (host.find(':') != std::string_view::npos) return true;
  return std::ranges::count(host, '.') == 3 &&
         host.find_first_not_of("0123456789.") == std::string_view::npos;
}

Result<Value> StripPort(const Call& call) {
  const std::string text = TRY(TextArgument(call, 0));
  const auto parts = SplitHostPort(text);
  return TextOf(parts ? parts->first : text);
}
Result<Value> StripDomain(const Call& call) {
  const std::string text = TRY(TextArgument(call, 0));
  const auto parts = SplitHostPort(text);
  const std::string host = parts ? parts->first : text;
  if (IsIpAddress(host)) return TextOf(text);
  const std::string name = host.substr(0, host.find('.'));
  return TextOf(parts && !parts->second.empty() ? name + ":" + parts->second : name);
}

// -------------------------------------------------------------------------------------------
// what Go's templates have by themselves

Result<Value> Not(const Call& call) {
  return Value{!IsTrue(call.arguments[0])};
}
/// `and` and `or` stop early, so they never come here.
Result<Value> Last(const Call& call) {
  return call.arguments.back();
}
Result<Value> Equal(const Call& call) {
  for (std::size_t i = 1; i < call.arguments.size(); ++i) {
    if (TRY(Compare(call.arguments[0], call.arguments[i], false)) == 0) return Value{true};
  }
  return Value{false};
}
Result<Value> NotEqual(const Call& call) {
  return Value{TRY(Compare(call.arguments[0], call.arguments[1], false)) != 0};
}
Result<Value> Less(const Call& call) {
  return Value{TRY(Compare(call.arguments[0], call.arguments[1], true)) == -1};
}
Result<Value> LessOrEqual(const Call& call) {
  const int order = TRY(Compare(call.arguments[0], call.arguments[1], true));
  return Value{order == -1 || order == 0};
}
Result<Value> Greater(const Call& call) {
  return Value{TRY(Compare(call.arguments[0], call.arguments[1], true)) == 1};
}
Result<Value> GreaterOrEqual(const Call& call) {
  const int order = TRY(Compare(call.arguments[0], call.arguments[1], true));
  return Value{order == 1 || order == 0};
}

Result<Value> Len(const Call& call) {
  const Value& value = call.arguments[0];
  std::size_t size = 0;
  if (const auto* text = value.If<std::string>()) {
    size = text->size();
  } else if (const TemplateList* list = value.list()) {
    size = list->size();
  } else if (const TemplateMap* map = value.map()) {
    size = map->entries.size();
  } else {
    return Invalid("len of type " + std::string(TypeName(value)));
  }
  return Value{static_cast<std::int64_t>(size)};
}

Result<Value> IndexOne(const Value& value, const Value& key) {
  if (const TemplateMap* map = value.map()) {
    const auto* name = key.If<std::string>();
    if (name == nullptr) return Invalid("cannot index a map with " + std::string(TypeName(key)));
    const auto found = map->entries.find(*name);
    if (found != map->entries.end()) return found->second;
    return map->texts ? Value{std::string()} : Value{};
  }
  const auto* at = key.If<std::int64_t>();
  const TemplateList* list = value.list();
  const auto* text = value.If<std::string>();
  if (list == nullptr && text == nullptr)
    return Invalid("can't index item of type " + std::string(TypeName(value)));
  if (at == nullptr) return Invalid("cannot index with type " + std::string(TypeName(key)));
  const std::size_t size = list != nullptr ? list->size() : text->size();
  if (*at < 0 || static_cast<std::size_t>(*at) >= size)
    return Invalid("index out of range: " + std::to_string(*at));
  const auto index = static_cast<std::size_t>(*at);
  if (list != nullptr) return (*list)[index];
  return Value{static_cast<std::int64_t>(static_cast<unsigned char>((*text)[index]))};
}

Result<Value> Index(const Call& call) {
  Value value = call.arguments[0];
  for (std::size_t i = 1; i < call.arguments.size(); ++i)
    value = TRY(IndexOne(value, call.arguments[i]));
  return value;
}

Result<Value> Slice(const Call& call) {
  const TemplateList* list = call.arguments[0].list();
  const auto* text = call.arguments[0].If<std::string>();
  if (list == nullptr && text == nullptr)
    return Invalid("can't slice item of type " + std::string(TypeName(call.arguments[0])));
  const auto size = static_cast<std::int64_t>(list != nullptr ? list->size() : text->size());
  std::array<std::int64_t, 2> bounds = {0, size};
  for (std::size_t i = 1; i < call.arguments.size(); ++i) {
    const auto* at = call.arguments[i].If<std::int64_t>();
    if (at == nullptr)
      return Invalid("cannot slice with type " + std::string(TypeName(call.arguments[i])));
    bounds[i - 1] = *at;
  }
  if (bounds[0] < 0 || bounds[1] > size || bounds[0] > bounds[1])
    return Invalid("index out of range: " + std::to_string(bounds[0]) + ":" +
                   std::to_string(bounds[1]));
  if (text != nullptr) {
    return TextOf(text->substr(static_cast<std::size_t>(bounds[0]),
                               static_cast<std::size_t>(bounds[1] - bounds[0])));
  }
  return Value{std::shared_ptr<const TemplateList>(
      std::make_shared<TemplateList>(list->begin() + bounds[0], list->begin() + bounds[1]))};
}

Result<Value> Print(const Call& call) {
  return TextOf(Sprint(call.arguments));
}
Result<Value> PrintLine(const Call& call) {
  std::string out;
  for (const Value& value : call.arguments) {
    if (!out.empty()) out += ' ';
    out += ToText(value);
  }
  return TextOf(out + "\n");
}
Result<Value> PrintFormat(const Call& call) {
  return TextOf(Sprintf(TRY(TextArgument(call, 0)), call.arguments.subspan(1)));
}

/// The one text of an escaping function's arguments, as Go's evalArgs makes it.
std::string Joined(const Call& call) {
  const auto* only = call.arguments[0].If<std::string>();
  return call.arguments.size() == 1 && only != nullptr ? *only : Sprint(call.arguments);
}
Result<Value> Html(const Call& call) {
  std::string out;
  for (const char c : Joined(call)) {
    switch (c) {
      case '\0':
        out += "\uFFFD";
        break;
      case '"':
        out += "&#34;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += c;
    }
  }
  return TextOf(std::move(out));
}
Result<Value> Js(const Call& call) {
  std::string out;
  for (const char c : Joined(call)) {
    if (c == '\\' || c == '\'' || c == '"') {
      out += '\\';
      out += c;
    } else if (c == '<' || c == '>' || c == '&' || c == '=' ||
               static_cast<unsigned char>(c) < ' ') {
      out += fmt::format("\\u{:04X}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return TextOf(std::move(out));
}
Result<Value> UrlQuery(const Call& call) {
  return TextOf(Escaped(Joined(call)));
}

constexpr TemplateFunction kFunctions[] = {
    {"and", 1, -1, Last},
    {"args", 0, -1, Args},
    {"eq", 2, -1, Equal},
    {"externalURL", 0, 0, ExternalUrl},
    {"first", 1, 1, First},
    {"ge", 2, 2, GreaterOrEqual},
    {"graphLink", 1, 1, GraphLinkOf},
    {"gt", 2, 2, Greater},
    {"html", 1, -1, Html},
    {"humanize", 1, 1, Humanize},
    {"humanize1024", 1, 1, Humanize1024},
    {"humanizeDuration", 1, 1, HumanizeDuration},
    {"humanizePercentage", 1, 1, HumanizePercentage},
    {"humanizeTimestamp", 1, 1, HumanizeTimestamp},
    {"index", 1, -1, Index},
    {"js", 1, -1, Js},
    {"label", 2, 2, Label},
    {"le", 2, 2, LessOrEqual},
    {"len", 1, 1, Len},
    {"lt", 2, 2, Less},
    {"match", 2, 2, Match},
    {"ne", 2, 2, NotEqual},
    {"not", 1, 1, Not},
    {"now", 0, 0, Now},
    {"or", 1, -1, Last},
    {"parseDuration", 1, 1, ParseDurationText},
    {"pathPrefix", 0, 0, PathPrefix},
    {"print", 0, -1, Print},
    {"printf", 1, -1, PrintFormat},
    {"println", 0, -1, PrintLine},
    {"query", 1, 1, Query},
    {"reReplaceAll", 3, 3, ReplaceAll},
    {"safeHtml", 1, 1, SafeHtml},
    {"slice", 1, 3, Slice},
    {"sortByLabel", 2, 2, SortByLabel},
    {"stripDomain", 1, 1, StripDomain},
    {"stripPort", 1, 1, StripPort},
    {"strvalue", 1, 1, StrValue},
    {"tableLink", 1, 1, TableLinkOf},
    {"title", 1, 1, Title},
    {"toDuration", 1, 1, ToDuration},
    {"toLower", 1, 1, ToLower},
    {"toTime", 1, 1, ToTime},
    {"toUpper", 1, 1, ToUpper},
    {"urlQueryEscape", 1, 1, UrlQuery},
    {"urlquery", 1, -1, UrlQuery},
    {"value", 1, 1, ValueOf},
};

}  // namespace

const TemplateFunction* FindTemplateFunction(std::string_view name) {
  const auto* found =
      std::ranges::lower_bound(kFunctions, name, std::less<>(), &TemplateFunction::name);
  return found == std::end(kFunctions) || found->name != name ? nullptr : found;
}

std::string GraphLink(std::string_view expression) {
  return "/graph?g0.expr=" + Escaped(expression) + "&g0.tab=0";
}
std::string TableLink(std::string_view expression) {
  return "/graph?g0.expr=" + Escaped(expression) + "&g0.tab=1";
}

}  // namespace sonde::rules
