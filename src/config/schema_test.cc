#include "config/schema.h"

#include <set>

#include <gtest/gtest.h>

#include "config/scalar.h"

namespace sonde::config {
namespace {

/// What validation says about a configuration file: the errors, a line each.
std::string ErrorsOf(std::string_view text) {
  const auto document = ParseYaml(text, "f.yml");
  if (!document) return document.error().message();
  Diagnostics diagnostics("f.yml");
  Validate(kRootBlock, document->root, *document, diagnostics);
  return diagnostics.ok() ? "" : diagnostics.ToError().message();
}

void ExpectOk(std::string_view text) {
  EXPECT_EQ(ErrorsOf(text), "") << text;
}
void ExpectError(std::string_view text, std::string_view want) {
  const std::string errors = ErrorsOf(text);
  EXPECT_NE(errors.find(want), std::string::npos)
      << text << "\ngot:  " << errors << "\nwant: " << want;
}

TEST(Schema, UnknownKeysNameFileLineColumnAndWhatWasMeant) {
  ExpectError("global:\n  scrape_intervall: 5s\n",
              "f.yml:2:3: field scrape_intervall not found in type config.plain; did you mean "
              "scrape_interval?");
  ExpectError(
      "scrape_configs:\n  - job_name: x\n    consult_sd_configs: []\n",
      "f.yml:3:5: field consult_sd_configs not found in type config.ScrapeConfig; did you mean "
      "consul_sd_configs?");
  ExpectError("nonsense: 1\n", "f.yml:1:1: field nonsense not found in type config.plain");
}

TEST(Schema, DuplicateKeys) {
  ExpectError("global: {}\nglobal: {}\n",
              "f.yml:2:1: field global already set in type config.plain (first at line 1)");
  ExpectError("global:\n  external_labels:\n    a: 1\n    a: 2\n",
              R"(f.yml:4:5: key "a" already set in map)");
}

TEST(Schema, Types) {
  ExpectError("global: 3\n",
              "f.yml:1:9: yaml: unmarshal errors: cannot unmarshal !!int `3` into config.plain");
  ExpectError("global:\n  sample_limit: many\n",
              "f.yml:2:17: yaml: unmarshal errors: cannot unmarshal !!str `many` into uint");
  ExpectError("global:\n  sample_limit: -1\n", "cannot unmarshal !!int `-1` into uint");
  ExpectError("global:\n  sample_limit: '5'\n", "cannot unmarshal !!str `5` into uint");
  ExpectError("global:\n  scrape_interval: [1s]\n", "cannot unmarshal !!seq into string");
  ExpectError("global:\n  scrape_interval: 15\n",
              R"(f.yml:2:20: scrape_interval: not a valid duration string: "15")");
  ExpectError("scrape_configs:\n- job_name: x\n  honor_labels: maybe\n",
              "into bool: honor_labels takes true or false");
  ExpectOk("scrape_configs:\n- job_name: x\n  honor_labels: yes\n  honor_timestamps: off\n");
  ExpectOk("global:\n  sample_limit: 1e3\n  label_limit: 0x10\n");
  ExpectOk("global:\n  external_labels: {a: 1, b: true, c: 1.5}\n");
}

TEST(Schema, NullMeansTheZeroValue) {
  ExpectOk("global:\nscrape_configs:\nremote_write:\n");
  ExpectOk(
      "scrape_configs:\n- job_name: x\n  relabel_configs:\n  - {regex: , replacement: y, "
      "target_label: z}\n");
  ExpectError("scrape_configs:\n- job_name:\n", "f.yml:2:3: job_name is empty");
  ExpectError("scrape_configs:\n-\n", "empty or null scrape config section");
}

TEST(Schema, SeveralErrorsAtOnce) {
  EXPECT_EQ(ErrorsOf("global:\n  a: 1\n  b: 2\n"),
            "f.yml:2:3: field a not found in type config.plain\nf.yml:3:3: field b not found in "
            "type config.plain");
}

TEST(Schema, RelabelRules) {
  auto with = [](std::string_view rule) {
    return "scrape_configs:\n- job_name: x\n  relabel_configs:\n  - " + std::string(rule) + "\n";
  };
  ExpectOk(with("{action: Replace, target_label: 'a.b'}"));
  ExpectOk(with("{action: labelmap, regex: 'x(.*)', replacement: '${1}'}"));
  ExpectError(with("{action: steal}"), R"(unknown relabel action "steal")");
  ExpectError(with("{source_labels: ['']}"), R"("" is not a valid label name)");
  ExpectError(with("{action: hashmod, target_label: x}"), "requires non-zero modulus");
  ExpectError(with("{action: keepequal, target_label: x, regex: '(.*)'}"), "and no other fields");
  ExpectError(with("{action: labeldrop, regex: x, separator: ','}"), "requires only 'regex'");
  ExpectError("global: {metric_name_validation_scheme: legacy}\n" + with("{target_label: 'a.b'}"),
              R"("a.b" is invalid 'target_label' for replace action)");
  ExpectOk("global: {metric_name_validation_scheme: legacy}\n" +
           with("{target_label: 'a_${1}_$2'}"));
  ExpectError("global: {metric_name_validation_scheme: legacy}\n" + with("{target_label: 'a_${1'}"),
              "is invalid");
}

TEST(Schema, WarnsAboutWhatIsNotActive) {
  const auto document = ParseYaml(
      "runtime: {}\nscrape_configs:\n- job_name: x\n  dns_sd_configs:\n"
      "  - {names: [a]}\n  scrape_native_histograms: false\n",
      "f.yml");
  Diagnostics diagnostics("f.yml");
  Validate(kRootBlock, document->root, *document, diagnostics);
  ASSERT_TRUE(diagnostics.ok());
  ASSERT_EQ(diagnostics.warnings().size(), 2U);
  EXPECT_EQ(diagnostics.warnings()[0],
            "f.yml:1:1: runtime is configured but not active in this version");
  EXPECT_EQ(diagnostics.warnings()[1],
            "f.yml:4:3: dns_sd_configs is configured but not active in this version");
}

TEST(Schema, EveryBlockIsWellFormed) {
  int blocks = 0;
  ForEachBlock(kRootBlock, [&](const Block& block) {
    ++blocks;
    EXPECT_NE(block.name, nullptr);
    std::set<std::string> names;
    for (const Field& field : block.fields) {
      const bool nested = field.type == FieldType::kBlock || field.type == FieldType::kBlocks ||
                          field.type == FieldType::kBlockMap || field.type == FieldType::kInline;
      EXPECT_EQ(field.block != nullptr, nested) << block.name;
      if (field.type != FieldType::kInline) {
        EXPECT_TRUE(names.insert(field.name).second) << block.name << "." << field.name;
      }
    }
    // Defaults are valid values of their fields.
    const BlockView view(block, nullptr);
    for (const Field& field : block.fields) {
      if (field.fallback == nullptr) continue;
      switch (field.type) {
        case FieldType::kDuration:
          EXPECT_GT(view.Time(field.name).count(), 0) << field.name;
          break;
        case FieldType::kSize:
          EXPECT_GT(view.Size(field.name), 0) << field.name;
          break;
        case FieldType::kBool:
          EXPECT_TRUE(view.Bool(field.name)) << field.name;
          break;
        case FieldType::kInt:
        case FieldType::kUint:
          EXPECT_NE(view.Int(field.name), 0) << field.name;
          break;
        default:
          EXPECT_FALSE(view.Text(field.name).empty()) << field.name;
      }
    }
  });
  EXPECT_GT(blocks, 60);
}

TEST(Scalar, Sizes) {
  auto expect = [](std::string_view text, std::int64_t want) {
    const auto size = ParseSize(text);
    ASSERT_TRUE(size.ok()) << text;
    EXPECT_EQ(*size, want) << text;
  };
  expect("0", 0);
  expect("15MB", 15 << 20);
  expect("15MiB", 15 << 20);
  expect("1.5KB", 1536);
  expect("1GiB512MiB", (1LL << 30) + (512LL << 20));
  expect("-1GB", -(1LL << 30));
  expect("7B", 7);
  for (const char* bad : {"", "100", "MB", "1XB", "1.2.3KB", "9999EB", "1 MB", "-"}) {
    EXPECT_FALSE(ParseSize(bad).ok()) << bad;
  }
  EXPECT_EQ(FormatSize(15 << 20), "15MiB");
  EXPECT_EQ(FormatSize((1LL << 30) + (512LL << 20) + 3), "1GiB512MiB3B");
  EXPECT_EQ(FormatSize(0), "0B");
}

TEST(Scalar, Integers) {
  EXPECT_EQ(ParseYamlInt("010"), 8);
  EXPECT_EQ(ParseYamlInt("0o10"), 8);
  EXPECT_EQ(ParseYamlInt("0x_ff"), 255);
  EXPECT_EQ(ParseYamlInt("-1_000"), -1000);
  EXPECT_EQ(ParseYamlInt("1e3"), 1000);
  EXPECT_EQ(ParseYamlInt("1.5"), std::nullopt);
  EXPECT_EQ(ParseYamlInt("99999999999999999999"), std::nullopt);
  EXPECT_EQ(ParseYamlInt(""), std::nullopt);
}

TEST(Scalar, Urls) {
  auto expect = [](std::string_view text, std::string_view scheme, std::string_view host) {
    const auto url = ParseGoUrl(text);
    ASSERT_TRUE(url.ok()) << text << ": " << url.error().message();
    EXPECT_EQ(url->scheme, scheme) << text;
    EXPECT_EQ(url->host, host) << text;
  };
  expect("HTTP://a.b:80/c?d#e", "http", "a.b:80");
  expect("http://user:pass@[::1]:80/x", "http", "[::1]:80");
  expect("unix:///var/run/docker.sock", "unix", "");
  expect("localhost", "", "");
  expect("mailto:x", "mailto", "");
  expect("localhost:8500", "localhost", "");
  expect("", "", "");
  for (const char* bad : {"://x", "http://a:b/", "http://a b/", "http://[::1/", "http://%zz/",
                          "1.2.3.4:80/x", "a\nb"}) {
    EXPECT_FALSE(ParseGoUrl(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace sonde::config
