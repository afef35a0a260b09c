#include "config/yaml.h"

#include <gtest/gtest.h>

namespace sonde::config {
namespace {

/// One line for a tree: scalars quoted if they were, mappings and lists in flow style.
std::string Show(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return "null";
    case YamlNode::Kind::kScalar:
      return node.plain ? node.text : "\"" + node.text + "\"";
    case YamlNode::Kind::kSequence: {
      std::string out = "[";
      for (const YamlNode& item : node.items)
        out += (out.size() > 1 ? ", " : "") + Show(item);
      return out + "]";
    }
    case YamlNode::Kind::kMapping: {
      std::string out = "{";
      for (const YamlEntry& entry : node.entries) {
        out += (out.size() > 1 ? ", " : "") + entry.key + ": " + Show(entry.value);
      }
      return out + "}";
    }
  }
  return "?";
}

void ExpectTree(std::string_view text, std::string_view want) {
  const auto document = ParseYaml(text, "f.yml");
  ASSERT_TRUE(document.ok()) << text << "\n" << document.error().message();
  EXPECT_EQ(Show(document->root), want) << text;
}

void ExpectError(std::string_view text, std::string_view want, const YamlLimits& limits = {}) {
  const auto document = ParseYaml(text, "f.yml", limits);
  ASSERT_FALSE(document.ok()) << text;
  EXPECT_NE(document.error().message().find(want), std::string::npos) << document.error().message();
}

TEST(Yaml, Trees) {
  ExpectTree("", "null");
  ExpectTree("# only a comment\n", "null");
  ExpectTree("a: 1\nb: [x, 'y', \"z\"]\n", "{a: 1, b: [x, \"y\", \"z\"]}");
  ExpectTree("a:\nb: ~\nc: null\nd: ''\n", "{a: null, b: null, c: null, d: \"\"}");
  ExpectTree(
      "\xEF\xBB\xBF"
      "a: 1\n",
      "{a: 1}");
  ExpectTree("a: |\n  x\n  y\n", "{a: \"x\ny\n\"}");
  ExpectTree("{a, 'b', \"c\" : 1}", "{a: null, b: null, c: 1}");
  ExpectTree("'a\"''s' : x # 'c\n\"b\\\"\": y\n? c\n: z\n", "{a\"'s: x, b\": y, c: z}");
  ExpectTree("a: !!binary aGk=\n", "{a: \"hi\"}");
}

TEST(Yaml, AliasesAreCopies) {
  ExpectTree("a: &x {k: 1}\nb: *x\n", "{a: {k: 1}, b: {k: 1}}");
}

TEST(Yaml, MergeKeys) {
  ExpectTree("base: &b {x: 1, y: 2}\nd:\n  <<: *b\n  y: 3\n",
             "{base: {x: 1, y: 2}, d: {y: 3, x: 1}}");
  ExpectTree("p: &p {x: 1}\nq: &q {x: 2, z: 4}\nd:\n  <<: [*p, *q]\n",
             "{p: {x: 1}, q: {x: 2, z: 4}, d: {x: 1, z: 4}}");
  ExpectTree("d: {'<<': 1}\n", "{d: {<<: 1}}");
  ExpectError("d:\n  <<: 1\n",
              "f.yml:2:3: yaml: map merge requires map or sequence of maps as the value");
}

TEST(Yaml, PlacesOfKeysAndValues) {
  const auto document = ParseYaml("a: 1\nb:\n  - c: 2\n", "f.yml");
  ASSERT_TRUE(document.ok());
  const YamlNode& list = *document->root.Find("b");
  EXPECT_EQ(document->root.entries[1].mark.line, 2);
  EXPECT_EQ(list.items[0].entries[0].mark.line, 3);
  EXPECT_EQ(list.items[0].entries[0].mark.column, 5);
  EXPECT_EQ(list.items[0].entries[0].value.mark.column, 8);
}

TEST(Yaml, DuplicateKeysAreReported) {
  const auto document = ParseYaml("a: 1\nb: 2\na: 3\n", "f.yml");
  ASSERT_TRUE(document.ok());
  ASSERT_EQ(document->duplicates.size(), 1U);
  EXPECT_EQ(document->duplicates[0].key, "a");
  EXPECT_EQ(document->duplicates[0].mark.line, 3);
  EXPECT_EQ(document->duplicates[0].first.line, 1);
  EXPECT_EQ(document->root.Find("a")->text, "1");
}

TEST(Yaml, OnlyTheFirstDocumentCounts) {
  const auto document = ParseYaml("a: 1\n---\nb: [\n", "f.yml");
  ASSERT_TRUE(document.ok());
  EXPECT_EQ(Show(document->root), "{a: 1}");
  EXPECT_TRUE(document->has_more);
  EXPECT_FALSE(ParseYaml("---\na: 1\n", "f.yml")->has_more);
}

TEST(Yaml, ErrorsNameThePlace) {
  ExpectError("a: [1, 2\nb: 3\n", "f.yml:");
  ExpectError("a: \"x\n", "f.yml:");
  ExpectError("a: 'x\n", "f.yml:1:4: yaml: found unexpected end of stream");
  ExpectError("- a\nb: 1\n", "f.yml:2:1: yaml: this does not belong to what stands above");
  ExpectError("a: >\n x\ny", "f.yml:3:1: yaml: could not find expected ':'");
  ExpectError("a:\n  b\n  c: 1\n", "f.yml:");
  ExpectError("a: *nobody\n", "f.yml:1:4: yaml:");
  ExpectError("a: b\xFFz\n", "f.yml:1:5: yaml: invalid UTF-8");
  ExpectError(std::string("a: b\n\nc: \x01\n"),
              "f.yml:3:4: yaml: invalid UTF-8, or a control character");
  ExpectError("? [a, b]\n: 1\n", "f.yml:1:3: yaml: a key must be a word");
  ExpectError("a: !!binary \"/w==$1\"\n",
              "f.yml:1:4: yaml: !!binary value contains invalid base64 data");
  ExpectError("a: &x [1, *x]\n", "an anchor cannot contain its own alias");
}

TEST(Yaml, Bounds) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string last = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < 9; ++k)
      bomb += last + ", ";
    bomb += last + "]\n";
  }
  ExpectError(bomb, "more than 1000000 values (with aliases expanded)");
  ExpectError(std::string(100, '['), "nested deeper than 64 levels");
  ExpectError(std::string(100'000, '['), "f.yml:");
  ExpectError("abc", "larger than 2 bytes", {.max_bytes = 2});
}

}  // namespace
}  // namespace sonde::config
