#include "wire/exposition_format.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include <fmt/format.h>

#include "base/number.h"
#include "base/quote.h"
#include "base/utf8.h"
#include "model/names.h"

namespace sonde::wire {
namespace {

constexpr std::string_view kTextType = "text/plain";
constexpr std::string_view kOpenMetricsType = "application/openmetrics-text";
constexpr std::string_view kProtobufType = "application/vnd.google.protobuf";

struct ProtocolRow {
  ScrapeProtocol protocol;
  std::string_view name;
  ExpositionFormat format;
  std::string_view accept;
};

constexpr std::array<ProtocolRow, 5> kProtocols{{
    {ScrapeProtocol::kOpenMetricsText1_0_0, "OpenMetricsText1.0.0", ExpositionFormat::kOpenMetrics,
     "application/openmetrics-text;version=1.0.0"},
    {ScrapeProtocol::kOpenMetricsText0_0_1, "OpenMetricsText0.0.1", ExpositionFormat::kOpenMetrics,
     "application/openmetrics-text;version=0.0.1"},
    {ScrapeProtocol::kPrometheusText1_0_0, "PrometheusText1.0.0", ExpositionFormat::kText,
     "text/plain;version=1.0.0"},
    {ScrapeProtocol::kPrometheusText0_0_4, "PrometheusText0.0.4", ExpositionFormat::kText,
     "text/plain;version=0.0.4"},
    {ScrapeProtocol::kPrometheusProto, "PrometheusProto", ExpositionFormat::kProtobuf,
     "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"},
}};

constexpr std::array<std::string_view, 4> kEscapings{"allow-utf-8", "underscores", "dots",
                                                     "values"};

const ProtocolRow& Row(ScrapeProtocol protocol) {
  return kProtocols[static_cast<std::size_t>(protocol)];
}

bool TakesEscaping(ScrapeProtocol protocol) {
  return protocol == ScrapeProtocol::kOpenMetricsText1_0_0 ||
         protocol == ScrapeProtocol::kPrometheusText1_0_0;
}

bool IsTokenChar(char c) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kMarks.find(c) != std::string_view::npos;
}

void AppendLower(std::string& out, std::string_view s) {
  for (const char c : s)
    out.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
}

// Walks over a header; positions are for messages.
class HeaderReader {
 public:
  explicit HeaderReader(std::string_view header) : header_(header) {}

  bool done() const { return at_ == header_.size(); }
  bool Take(char c) {
    if (done() || header_[at_] != c) return false;
    ++at_;
    return true;
  }
  void SkipSpace() {
    while (!done() && (header_[at_] == ' ' || header_[at_] == '\t'))
      ++at_;
  }
  std::string_view Token() {
    const std::size_t start = at_;
    while (!done() && IsTokenChar(header_[at_]))
      ++at_;
    return header_.substr(start, at_ - start);
  }
  // A quoted string after its opening quote; false if it is not closed.
  bool QuotedRest(std::string& out) {
    while (!done() && header_[at_] != '"') {
      if (header_[at_] == '\\' && at_ + 1 < header_.size()) ++at_;
      out.push_back(header_[at_++]);
    }
    return Take('"');
  }
  Error Fail(std::string_view expected) const {
    return {ErrorKind::kInvalid, fmt::format("{} is not a media type: expected {} at byte {}",
                                             QuoteGo(header_.substr(0, 200)), expected, at_ + 1)};
  }

 private:
  std::string_view header_;
  std::size_t at_ = 0;
};

Status ReadParameter(HeaderReader& in, MediaType& media) {
  constexpr std::size_t kMaxParameters = 16;
  if (media.parameters.size() >= kMaxParameters) return in.Fail("at most 16 parameters");
  std::pair<std::string, std::string> parameter;
  AppendLower(parameter.first, in.Token());
  if (parameter.first.empty()) return in.Fail("a parameter's name");
  if (!media.Get(parameter.first).empty()) return in.Fail("each parameter once");
  in.SkipSpace();
  if (!in.Take('=')) return in.Fail("\"=\"");
  in.SkipSpace();
  if (in.Take('"')) {
    if (!in.QuotedRest(parameter.second)) return in.Fail("a closing quote");
  } else {
    parameter.second = in.Token();
    if (parameter.second.empty()) return in.Fail("a parameter's value");
  }
  media.parameters.push_back(std::move(parameter));
  return OkStatus();
}

// The weight of an alternative of an Accept header, in thousandths.
int WeightOf(const MediaType& media) {
  const std::string_view q = media.Get("q");
  if (q.empty()) return 1000;
  const double weight = ParseFloat(q).value_or(0);
  return static_cast<int>(std::clamp(weight, 0.0, 1.0) * 1000);
}

bool Accepts(const MediaType& media, ScrapeProtocol protocol) {
  const ExpositionFormat format = FormatOf(protocol);
  const std::string_view type = format == ExpositionFormat::kText ? kTextType : kOpenMetricsType;
  const bool any = media.type == "*/*";
  const bool any_subtype =
      media.type.ends_with("/*") && type.starts_with(media.type.substr(0, media.type.size() - 1));
  if (!any && !any_subtype && media.type != type) return false;
  std::string_view version = media.Get("version");
  if (version.empty()) version = format == ExpositionFormat::kText ? "0.0.4" : "0.0.1";
  if (any) return protocol == ScrapeProtocol::kPrometheusText0_0_4;
  return Row(protocol).accept.ends_with(version);
}

}  // namespace

std::string_view ToString(ScrapeProtocol protocol) {
  return Row(protocol).name;
}

std::optional<ScrapeProtocol> ParseScrapeProtocol(std::string_view word) {
  for (const ProtocolRow& row : kProtocols) {
    if (row.name == word) return row.protocol;
  }
  return std::nullopt;
}

ExpositionFormat FormatOf(ScrapeProtocol protocol) {
  return Row(protocol).format;
}

std::span<const ScrapeProtocol> DefaultScrapeProtocols() {
  static constexpr std::array<ScrapeProtocol, 4> kDefault{
      ScrapeProtocol::kOpenMetricsText1_0_0, ScrapeProtocol::kOpenMetricsText0_0_1,
      ScrapeProtocol::kPrometheusText1_0_0, ScrapeProtocol::kPrometheusText0_0_4};
  return kDefault;
}

std::string_view ToString(NameEscaping escaping) {
  return kEscapings[static_cast<std::size_t>(escaping)];
}

std::optional<NameEscaping> ParseNameEscaping(std::string_view word) {
  const auto found = std::ranges::find(kEscapings, word);
  if (found == kEscapings.end()) return std::nullopt;
  return static_cast<NameEscaping>(found - kEscapings.begin());
}

std::string EscapeName(std::string_view name, NameEscaping escaping) {
  if (escaping == NameEscaping::kAllowUtf8) return std::string(name);
  if (escaping == NameEscaping::kValues) return sonde::EscapeName(name);
  const bool dots = escaping == NameEscaping::kDots;
  if (!dots && IsLegacyMetricName(name)) return std::string(name);
  std::string out;
  for (bool first = true; !name.empty(); first = false) {
    const DecodedRune decoded = DecodeRune(name);
    const char c = name[0];
    const bool digit = c >= '0' && c <= '9';
    const bool legacy = decoded.size == 1 && IsLegacyMetricName(std::string_view(&c, 1));
    if (dots && (c == '_' || c == '.')) {
      out += c == '_' ? "__" : "_dot_";
    } else if (legacy || (digit && !first)) {
      out.push_back(c);
    } else {
      out += dots ? "__" : "_";
    }
    name.remove_prefix(decoded.size);
  }
  return out;
}

std::string AcceptHeader(std::span<const ScrapeProtocol> protocols, NameEscaping escaping) {
  std::string out;
  std::size_t weight = kProtocols.size() + 1;
  for (const ScrapeProtocol protocol : protocols) {
    out += Row(protocol).accept;
    if (TakesEscaping(protocol)) out.append(";escaping=").append(ToString(escaping));
    out += fmt::format(";q=0.{},", weight > 1 ? weight-- : weight);
  }
  return out + fmt::format("*/*;q=0.{}", weight);
}

std::string_view MediaType::Get(std::string_view name) const {
  for (const auto& [key, value] : parameters) {
    if (key == name) return value;
  }
  return {};
}

Result<MediaType> ParseMediaType(std::string_view header) {
  HeaderReader in(header);
  MediaType media;
  in.SkipSpace();
  AppendLower(media.type, in.Token());
  if (media.type.empty()) return in.Fail("a type");
  if (!in.Take('/')) return in.Fail("\"/\"");
  const std::string_view subtype = in.Token();
  if (subtype.empty()) return in.Fail("a subtype");
  media.type.push_back('/');
  AppendLower(media.type, subtype);
  in.SkipSpace();
  while (!in.done()) {
    if (!in.Take(';')) return in.Fail("\";\"");
    in.SkipSpace();
    if (in.done()) break;
    TRY(ReadParameter(in, media));
    in.SkipSpace();
  }
  return media;
}

Result<ScrapeFormat> FormatOfContentType(std::string_view content_type,
                                         std::optional<ScrapeProtocol> fallback) {
  constexpr std::array<std::pair<std::string_view, ExpositionFormat>, 3> kTypes{
      {{kTextType, ExpositionFormat::kText},
       {kOpenMetricsType, ExpositionFormat::kOpenMetrics},
       {kProtobufType, ExpositionFormat::kProtobuf}}};
  std::string problem;
  if (content_type.empty()) {
    problem = "the answer has no Content-Type";
  } else if (auto media = ParseMediaType(content_type); !media) {
    problem = "the Content-Type " + media.error().message();
  } else {
    for (const auto& [type, format] : kTypes) {
      if (media->type != type) continue;
      return ScrapeFormat{format,
                          std::string(media->Get("version")),
                          ParseNameEscaping(media->Get("escaping")),
                          {}};
    }
    problem =
        "the Content-Type " + QuoteGo(content_type.substr(0, 200)) + " is not an exposition format";
  }
  if (!fallback) {
    return Error(ErrorKind::kInvalid,
                 problem + "; set fallback_scrape_protocol if the target cannot be changed");
  }
  return ScrapeFormat{
      FormatOf(*fallback),
      {},
      {},
      fmt::format("{}; using fallback_scrape_protocol {}", problem, ToString(*fallback))};
}

std::string ServedFormat::ContentType() const {
  std::string out(FormatOf(protocol) == ExpositionFormat::kOpenMetrics ? kOpenMetricsType
                                                                       : kTextType);
  const std::string_view accept = Row(protocol).accept;
  out.append("; ").append(accept.substr(accept.find("version=")));
  out.append("; charset=utf-8; escaping=").append(ToString(escaping));
  return out;
}

ServedFormat NegotiateServedFormat(std::string_view accept) {
  struct Alternative {
    MediaType media;
    int weight;
  };
  std::vector<Alternative> alternatives;
  constexpr std::size_t kMaxAlternatives = 32;
  while (!accept.empty() && alternatives.size() < kMaxAlternatives) {
    const std::size_t comma = std::min(accept.find(','), accept.size());
    if (auto media = ParseMediaType(accept.substr(0, comma)); media) {
      const int weight = WeightOf(*media);
      if (weight > 0) alternatives.push_back({*std::move(media), weight});
    }
    accept.remove_prefix(std::min(comma + 1, accept.size()));
  }
  std::ranges::stable_sort(alternatives, std::greater<>(), &Alternative::weight);
  for (const Alternative& alternative : alternatives) {
    for (const ScrapeProtocol protocol : DefaultScrapeProtocols()) {
      if (!Accepts(alternative.media, protocol)) continue;
      const auto asked = ParseNameEscaping(alternative.media.Get("escaping"));
      ServedFormat served{protocol, NameEscaping::kUnderscores};
      // Without quoted names in its grammar a format cannot carry UTF-8 names as they are.
      if (asked && (TakesEscaping(protocol) || *asked != NameEscaping::kAllowUtf8))
        served.escaping = *asked;
      return served;
    }
  }
  return {};
}

}  // namespace sonde::wire
