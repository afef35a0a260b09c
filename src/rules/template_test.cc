#include "rules/template.h"

#include <limits>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rules/template_value.h"

namespace sonde::rules {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class TemplateTest : public ::testing::Test {
 protected:
  TemplateTest() {
    scope_.labels = labels_;
    scope_.external_labels = external_;
    scope_.external_url = "http://sonde.example/base";
    scope_.now = {1'700'000'000'500};
    scope_.query = [](std::string_view query) -> Result<std::vector<promql::ResultSeries>> {
      if (query != "up") return Error(ErrorKind::kInvalid, "1:1: parse error");
      std::vector<promql::ResultSeries> series(2);
      series[0].labels = Labels::Of({{"__name__", "up"}, {"job", "b"}, {"__value__", "text"}});
      series[0].points.push_back({{0}, 2, nullptr});
      series[1].labels = Labels::Of({{"__name__", "up"}, {"job", "a"}});
      series[1].points.push_back({{0}, 1, nullptr});
      return series;
    };
  }

  std::string Expand(const std::string& text, double value = 0.5) {
    scope_.value = value;
    const auto parsed = Template::Parse(text);
    if (!parsed) return "parse: " + parsed.error().message();
    const auto expanded = parsed->Expand(scope_);
    return expanded ? *expanded : "expand: " + expanded.error().message();
  }

  const Labels labels_ = Labels::Of({{"instance", "gpu1.example.org:9100"}, {"job", "node"}});
  const Labels external_ = Labels::Of({{"cluster", "c1"}});
  TemplateScope scope_;
};

TEST_F(TemplateTest, LabelsAndValue) {
  EXPECT_EQ(Expand("plain"), "plain");
  EXPECT_EQ(Expand(""), "");
  EXPECT_EQ(Expand("{{ $labels.job }} {{ .Labels.instance }}"), "node gpu1.example.org:9100");
  EXPECT_EQ(Expand("[{{ $labels.absent }}]"), "[]");
  EXPECT_EQ(Expand("{{ $value }} {{ .Value }}", 1234567), "1.234567e+06 1.234567e+06");
  EXPECT_EQ(
      Expand("{{ $externalLabels.cluster }} {{ $externalURL }} {{ externalURL }} {{ pathPrefix }}"),
      "c1 http://sonde.example/base http://sonde.example/base /base");
  EXPECT_EQ(Expand("{{ $labels }}"), "map[instance:gpu1.example.org:9100 job:node]");
  EXPECT_EQ(Expand(R"({{ index $labels "job" }})"), "node");
}

TEST_F(TemplateTest, TrimMarkersAndComments) {
  EXPECT_EQ(Expand("a  {{- 1 -}}  b {{- /* c */ -}} d"), "a1bd");
  EXPECT_EQ(Expand("a {{/* c */}} b"), "a  b");
  EXPECT_EQ(Expand("{{ -1 }}"), "-1");
}

TEST_F(TemplateTest, Conditions) {
  EXPECT_EQ(Expand("{{ if gt $value 0.4 }}y{{ else }}n{{ end }}"), "y");
  EXPECT_EQ(Expand("{{ if eq $labels.job \"x\" \"node\" }}y{{ end }}"), "y");
  EXPECT_EQ(Expand("{{ if false }}a{{ else if $labels.absent }}b{{ else if true }}c{{ end }}d"),
            "cd");
  EXPECT_EQ(Expand("{{ if and true 0 }}y{{ else }}n{{ end }}{{ if or 0 1 }}y{{ end }}"), "ny");
  EXPECT_EQ(Expand("{{ not true }}{{ ne 1 2 }}{{ lt 1 2 }}{{ le 2 2 }}{{ ge \"b\" \"a\" }}"),
            "falsetruetruetruetrue");
  // Go compares no float with an integer.
  EXPECT_EQ(Expand("{{ if gt $value 5 }}{{ end }}"),
            "expand: 1:7: error calling gt: incompatible types for comparison");
  EXPECT_EQ(
      Expand(
          "{{ with $labels.job }}<{{ . }}>{{ end }}{{ with $labels.absent }}x{{ else }}-{{ end }}"),
      "<node>-");
}

TEST_F(TemplateTest, Ranges) {
  EXPECT_EQ(Expand(R"({{ range query "up" }}{{ .Labels.job }}={{ .Value }};{{ end }})"),
            "b=2;a=1;");
  EXPECT_EQ(Expand(R"({{ range $i, $s := query "up" }}{{ $i }}{{ $s.Labels.job }}{{ end }})"),
            "0b1a");
  EXPECT_EQ(Expand("{{ range $k, $v := $labels }}{{ $k }}:{{ $v }} {{ end }}"),
            "instance:gpu1.example.org:9100 job:node ");
  EXPECT_EQ(
      Expand(
          R"({{ range query "up" }}{{ if eq .Value 1.0 }}{{ continue }}{{ end }}{{ label "job" . }}{{ break }}{{ end }})"),
      "b");
  EXPECT_EQ(Expand(R"({{ range slice (query "up") 0 0 }}x{{ else }}none{{ end }})"), "none");
}

TEST_F(TemplateTest, Queries) {
  EXPECT_EQ(Expand(R"({{ query "up" | first | value }})"), "2");
  EXPECT_EQ(Expand(R"({{ query "up" | sortByLabel "job" | first | label "job" }})"), "a");
  EXPECT_EQ(Expand(R"({{ query "up" | first | strvalue }})"), "text");
  EXPECT_EQ(Expand(R"({{ with query "up" }}{{ . | first | value | humanize }}{{ end }})"), "2");
  EXPECT_EQ(Expand(R"({{ (query "up" | first).Labels.job }})"), "b");
  EXPECT_EQ(Expand(R"({{ len (query "up") }})"), "2");
  EXPECT_EQ(Expand(R"({{ query "!" }})"), "expand: 1:4: error calling query: 1:1: parse error");
  EXPECT_EQ(Expand(R"({{ first (slice (query "up") 2) }})"),
            "expand: 1:4: error calling first: first() called on vector with no elements");
}

TEST_F(TemplateTest, VariablesAndTemplates) {
  EXPECT_EQ(Expand("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $y := 3 }}{{ $y }}{{ end }}{{ $x }}"),
            "32");
  EXPECT_EQ(Expand(R"({{ define "t" }}[{{ . }}]{{ end }}{{ template "t" $labels.job }})"),
            "[node]");
  EXPECT_EQ(
      Expand(R"({{ define "t" }}{{ .arg0 }}-{{ .arg1 }}{{ end }}{{ template "t" (args 1 "b") }})"),
      "1-b");
  EXPECT_EQ(Expand(R"({{ block "b" "x" }}<{{ . }}>{{ end }})"), "<x>");
}

TEST_F(TemplateTest, Numbers) {
  EXPECT_EQ(Expand("{{ humanize $value }}", 1234567), "1.235M");
  EXPECT_EQ(Expand("{{ humanize $value }}", 0.0123), "12.3m");
  EXPECT_EQ(Expand("{{ humanize $value }}", 0), "0");
  EXPECT_EQ(Expand("{{ $value | humanize }}", std::numeric_limits<double>::infinity()), "+Inf");
  EXPECT_EQ(Expand("{{ humanize1024 $value }}", 1536), "1.5ki");
  EXPECT_EQ(Expand("{{ humanize1024 1048576.0 }}"), "1Mi");
  EXPECT_EQ(Expand("{{ humanizePercentage $value }}", 0.1234567), "12.35%");
  EXPECT_EQ(Expand("{{ humanizeDuration $value }}", 0), "0s");
  EXPECT_EQ(Expand("{{ humanizeDuration $value }}", 59.5), "59.5s");
  EXPECT_EQ(Expand("{{ humanizeDuration $value }}", 3661), "1h 1m 1s");
  EXPECT_EQ(Expand("{{ humanizeDuration $value }}", -90061), "-1d 1h 1m 1s");
  EXPECT_EQ(Expand("{{ humanizeDuration $value }}", 0.001), "1ms");
  EXPECT_EQ(Expand("{{ humanizeDuration \"60\" }}"), "1m 0s");
  EXPECT_EQ(Expand("{{ humanizeTimestamp 1435065584.128 }}"), "2015-06-23 13:19:44.128 +0000 UTC");
  EXPECT_EQ(Expand("{{ toTime 0 }}"), "1970-01-01 00:00:00 +0000 UTC");
  EXPECT_EQ(Expand("{{ toDuration 3661.5 }}"), "1h1m1.5s");
  EXPECT_EQ(Expand("{{ parseDuration \"1h30m\" }}"), "5400");
  EXPECT_EQ(Expand("{{ now | printf \"%.1f\" }}"), "1700000000.5");
  EXPECT_EQ(
      Expand("{{ humanize \"x\" }}"),
      "expand: 1:4: error calling humanize: strconv.ParseFloat: parsing \"x\": invalid syntax");
}

TEST_F(TemplateTest, Printf) {
  EXPECT_EQ(
      Expand(
          R"({{ printf "%.2f|%5.1f|%-6s|%6s|%q|%d|%05d|%x|%t|%v|%%|%e|%g" 3.14159 2.0 "a" "b" "c" 7 42 255 true .Labels.job 1.5 1e6 }})"),
      "3.14|  2.0|a     |     b|\"c\"|7|00042|ff|true|node|%|1.500000e+00|1e+06");
  EXPECT_EQ(Expand(R"({{ printf "%d" 1.5 }})"), "%!d(float64=1.5)");
  EXPECT_EQ(Expand(R"({{ printf "%s %s" "a" }})"), "a %!s(MISSING)");
  EXPECT_EQ(Expand(R"({{ printf "a" 1 }})"), "a%!(EXTRA int=1)");
  EXPECT_EQ(Expand(R"({{ print 1 2 "a" "b" 3 }}{{ println "x" 1 }})"), "1 2ab3x 1\n");
  EXPECT_EQ(Expand(R"({{ printf "%999999999s" "a" | len }})"), "1000");
}

TEST_F(TemplateTest, Texts) {
  EXPECT_EQ(Expand(R"({{ toUpper "aB" }}{{ "Ab" | toLower }}{{ title "aa bB_c" }})"),
            "ABabAa BB_c");
  EXPECT_EQ(Expand(R"x({{ reReplaceAll "(.*):(\\d+)" "$2-${1}" $labels.instance }})x"),
            "9100-gpu1.example.org");
  EXPECT_EQ(Expand(R"({{ reReplaceAll "a*" "x" "baac" }})"), "xbxcx");
  EXPECT_EQ(Expand(R"({{ match "^n.d" .Labels.job }}{{ match "^o" .Labels.job }})"), "truefalse");
  EXPECT_EQ(Expand(R"({{ match "(" "a" }})"),
            "expand: 1:4: error calling match: error parsing regexp: missing closing ): `(`");
  EXPECT_EQ(Expand("{{ stripPort $labels.instance }} {{ stripDomain $labels.instance }} {{ "
                   "stripDomain \"10.0.0.1:80\" }}"),
            "gpu1.example.org gpu1:9100 10.0.0.1:80");
  EXPECT_EQ(Expand(R"({{ graphLink "up == 1" }} {{ tableLink "a" }})"),
            "/graph?g0.expr=up+%3D%3D+1&g0.tab=0 /graph?g0.expr=a&g0.tab=1");
  EXPECT_EQ(Expand(R"({{ html "<a&\"" }}{{ safeHtml "<b>" }}{{ urlquery "a b" }})"),
            "&lt;a&amp;&#34;<b>a+b");
  EXPECT_EQ(Expand("{{ `a\"b` }}{{ 'x' }}{{ \"\\u4e16\" }}"), "a\"b120\u4e16");
}

TEST_F(TemplateTest, MistakesNameTheirPlace) {
  EXPECT_EQ(Expand("{{ $labels.job"), "parse: 1:1: unclosed action");
  EXPECT_EQ(Expand("a\n {{ nofunc 1 }}"), "parse: 2:5: function \"nofunc\" not defined");
  EXPECT_EQ(Expand("{{ $x }}"), "parse: 1:4: undefined variable \"$x\"");
  EXPECT_EQ(Expand("{{ if true }}"), "parse: 1:1: unclosed {{if}}: there is no {{end}}");
  EXPECT_EQ(Expand("{{ end }}"), "parse: 1:1: unexpected {{end}}");
  EXPECT_EQ(Expand("{{ }}"), "parse: 1:4: missing value");
  EXPECT_EQ(Expand("{{ 1 | 2 }}"), "parse: 1:1: non executable command in pipeline stage 2");
  EXPECT_EQ(Expand("{{ \"a }}"), "parse: 1:4: unterminated quoted string");
  EXPECT_EQ(Expand("{{ (1 }}"), "parse: 1:7: unclosed left paren");
  EXPECT_EQ(Expand("{{ break }}"), "parse: 1:1: {{break}} outside {{range}}");
  EXPECT_EQ(Expand("{{ template \"x\" }}"), "expand: 1:1: template \"x\" not defined");
  EXPECT_EQ(Expand("{{ $value.foo }}"), "expand: 1:4: can't evaluate field foo in type float64");
  EXPECT_EQ(Expand("{{ humanize }}"), "expand: 1:4: wrong number of args for humanize: got 0");
  EXPECT_EQ(Expand("{{ if true }}{{ $x := 1 }}{{ end }}{{ $x }}"),
            "parse: 1:39: undefined variable \"$x\"");
}

TEST_F(TemplateTest, BoundsHold) {
  EXPECT_THAT(Expand(R"({{ define "t" }}{{ template "t" . }}{{ end }}{{ template "t" . }})"),
              HasSubstr("exceeded maximum template depth"));
  EXPECT_THAT(Expand("{{ range 1000000 }}{{ end }}"), HasSubstr("more than 100000 steps"));
  EXPECT_THAT(
      Expand(R"({{ $x := "aaaaaaaaaaaaaaaa" }}{{ range 40 }}{{ $x = print $x $x }}{{ end }})"),
      HasSubstr("too long"));
  EXPECT_THAT(Expand(R"({{ range 50000 }}aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa{{ end }})"),
              HasSubstr("becomes longer than"));
  EXPECT_THAT(Expand(R"({{ range 200 }}{{ $x := query "up" }}{{ end }})"),
              HasSubstr("more than 100 queries"));
  std::string deep;
  for (int i = 0; i < 200; ++i)
    deep += "{{ if true }}";
  EXPECT_THAT(Expand(deep), HasSubstr("nest too deep"));
  EXPECT_THAT(Expand("{{ " + std::string(500, '(')), HasSubstr("nest too deep"));
  EXPECT_THAT(Expand(std::string(kMaxTemplateBytes + 1, 'a')),
              HasSubstr("longer than 65536 bytes"));
}

TEST_F(TemplateTest, AnErrorBecomesTheText) {
  const auto parsed = Template::Parse("{{ humanize \"x\" }}");
  ASSERT_TRUE(parsed);
  EXPECT_THAT(ExpandOrExplain(*parsed, scope_), StartsWith("<error expanding template: 1:4: "));
}

TEST(TemplateValue, GoDurations) {
  EXPECT_EQ(FormatGoDuration(0), "0s");
  EXPECT_EQ(FormatGoDuration(1), "1ns");
  EXPECT_EQ(FormatGoDuration(1'500), "1.5\u00b5s");
  EXPECT_EQ(FormatGoDuration(2'000'000), "2ms");
  EXPECT_EQ(FormatGoDuration(-3'600'000'000'000), "-1h0m0s");
  EXPECT_EQ(FormatGoDuration(61'250'000'000), "1m1.25s");
}

}  // namespace
}  // namespace sonde::rules
