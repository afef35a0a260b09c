#include "gateway/json_scanner.h"

#include <array>
#include <string>

#include <gtest/gtest.h>

#include "base/json.h"
#include "base/random.h"

namespace sonde::gateway {
namespace {

// A tree in which `a` is nested, `b` is an array of objects, `s` a string at several places.
constexpr std::array kEdges = {
    JsonEdge{kRootNode, "a", 2}, JsonEdge{kRootNode, "b", 3}, JsonEdge{kRootNode, "s", 4},
    JsonEdge{2, "a", 2},         JsonEdge{2, "s", 5},         JsonEdge{3, "[]", 6},
    JsonEdge{6, "s", 5},         JsonEdge{6, "a", 2},
};

class Recorder final : public JsonSink {
 public:
  void OnString(JsonNode node, std::string_view value, std::uint64_t size) override {
    Add(node, "\"" + std::string(value) + "\"");
    sizes += size;
  }
  void OnScalar(JsonNode node, std::string_view value) override { Add(node, std::string(value)); }
  void OnOpen(JsonNode node, bool is_array) override { Add(node, is_array ? "[" : "{"); }
  void OnElement(JsonNode node) override { Add(node, ","); }

  std::string text;
  std::uint64_t sizes = 0;

 private:
  void Add(JsonNode node, const std::string& what) { text += std::to_string(node) + what + " "; }
};

/// What the scanner tells, and how it ends; `rng` cuts the text.
std::string Scan(std::string_view json, Rng* rng = nullptr) {
  Recorder recorder;
  JsonScanner scanner(kEdges, recorder);
  while (!json.empty()) {
    const std::size_t n =
        rng == nullptr ? json.size() : std::min<std::size_t>(json.size(), 1 + rng->Below(5));
    scanner.Feed(json.substr(0, n));
    json.remove_prefix(n);
  }
  return recorder.text + (scanner.done() ? "done" : scanner.failed() ? "failed" : "unfinished");
}

TEST(JsonScanner, TellsWhatStandsAtItsNodes) {
  EXPECT_EQ(
      Scan(
          R"({"s":"x","a":{"s":"y","a":{"s":1,"t":2}},"b":[{"s":true},7,{"a":null}],"c":{"s":"no"}})"),
      R"(1{ 4"x" 2{ 5"y" 2{ 51 3[ 3, 6{ 5true 67 6{ 2null done)");
  EXPECT_EQ(Scan(R"( { "b" : [ ] , "s" : -1.5e3 } )"), "1{ 3[ 4-1.5e3 done");
  EXPECT_EQ(Scan("{}"), "1{ done");
  EXPECT_EQ(Scan("[]"), "1[ done");
  EXPECT_EQ(Scan("\"x\""), "1\"x\" done");
}

TEST(JsonScanner, ReadsEscapes) {
  EXPECT_EQ(Scan(R"({"s":"\"\\\/\b\f\n\r\t\u00e4\u4f60"})"),
            "1{ 4\"\"\\/\b\f\n\r\t\xC3\xA4\xE4\xBD\xA0\" done");
  EXPECT_EQ(Scan(R"({"\u0073":"x"})"), "1{ 4\"x\" done") << "names, too";
  EXPECT_EQ(Scan(R"({"c":"\"s\":","d":{"x":"}\\\""},"s":1})"), "1{ 41 done") << "what is skipped";
}

TEST(JsonScanner, LongValuesAreNotKept) {
  const std::string at_limit(JsonScanner::kMaxCaptured, 'x');
  EXPECT_EQ(Scan("{\"s\":\"" + at_limit + "\"}"), "1{ 4\"" + at_limit + "\" done");
  EXPECT_EQ(Scan("{\"s\":\"" + at_limit + "x\"}"), "1{ 4\"\" done");
  EXPECT_EQ(Scan("{\"s\":1" + std::string(300, '0') + "}"), "1{ 4 done");
  EXPECT_EQ(Scan("{\"" + at_limit + "s\":1,\"s\":2}"), "1{ 42 done");
  Recorder recorder;
  JsonScanner scanner(kEdges, recorder);
  scanner.Feed("{\"s\":\"" + at_limit + at_limit + "\"}");
  EXPECT_EQ(recorder.sizes, 2 * JsonScanner::kMaxCaptured) << "but their length is known";
}

TEST(JsonScanner, DepthIsBounded) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) {
    deep += R"({"a":)";
  }
  EXPECT_EQ(Scan(deep), "1{ 2{ 2{ 2{ 2{ 2{ 2{ 2{ unfinished");
  EXPECT_EQ(Scan(deep + "1" + std::string(100'000, '}')), "1{ 2{ 2{ 2{ 2{ 2{ 2{ 2{ done");
}

TEST(JsonScanner, WhatIsNotJsonFails) {
  for (const char* text :
       {"x", "[DONE]", "{s:1}", R"({"s" 1})", R"({"s":})", R"({"s":1,})", R"({"s":1 2})", "{} {}",
        "]", R"({"s":"\x"})", R"({"s":"\u12g4"})", R"({,})", R"([1}])"}) {
    EXPECT_TRUE(Scan(text).ends_with("failed")) << text << ": " << Scan(text);
  }
  EXPECT_EQ(Scan(R"({"s":"a)"), "1{ unfinished");
}

/// The same as the scanner tells, from a document.
void Walk(JsonView value, JsonNode node, std::size_t depth, std::string& out) {
  const auto add = [&](const std::string& what) { out += std::to_string(node) + what + " "; };
  const auto child = [&](std::string_view name) {
    for (const JsonEdge& edge : kEdges) {
      if (edge.from == node && edge.name == name) return edge.to;
    }
    return kNoNode;
  };
  if (value.is_object() || value.is_array()) {
    if (depth == 8) return;
    add(value.is_array() ? "[" : "{");
    if (value.is_array() && value.size() > 0) add(",");
    for (std::size_t i = 0; value.is_array() && i < value.size(); ++i) {
      if (const JsonNode next = child("[]"); next != kNoNode)
        Walk(value.at(i), next, depth + 1, out);
    }
    value.ForEach([&](std::string_view key, JsonView member) {
      if (const JsonNode next = child(key); next != kNoNode) Walk(member, next, depth + 1, out);
    });
  } else if (const auto text = value.string()) {
    add("\"" + std::string(*text) + "\"");
  } else if (const auto integer = value.integer()) {
    add(std::to_string(*integer));
  } else if (const auto boolean = value.boolean()) {
    add(*boolean ? "true" : "false");
  } else {
    add("null");
  }
}

void Generate(Rng& rng, int depth, std::string& out) {
  static constexpr std::array<std::string_view, 8> kNames = {"a",  "b", "s", "t",
                                                             "aa", "",  "ä", "[]"};
  static constexpr std::array<std::string_view, 9> kScalars = {
      "null", "true", "false", "0", "-12", R"("")", R"("x{[\"]}\\")", R"("\u00e4\n")", R"("sss")"};
  const std::uint64_t kind = depth == 0 ? 2 : rng.Below(4);
  const auto space = [&] { out.append(rng.Below(8) == 0 ? " \n" : ""); };
  space();
  if (kind >= 2) {
    out += kScalars[rng.Below(kScalars.size())];
  } else {
    out += kind == 0 ? '{' : '[';
    bool used[kNames.size()] = {};
    bool first = true;
    for (std::uint64_t i = rng.Below(5); i > 0; --i) {
      const std::size_t name = rng.Below(kNames.size());
      if (kind == 0 && std::exchange(used[name], true)) continue;
      if (!std::exchange(first, false)) out += ',';
      space();
      if (kind == 0) out.append("\"").append(kNames[name]).append("\":");
      Generate(rng, depth - 1, out);
    }
    out += kind == 0 ? '}' : ']';
  }
  space();
}

TEST(JsonScanner, AgreesWithTheParser) {
  Rng rng(7);
  for (int i = 0; i < 20'000; ++i) {
    std::string json = "{\"a\":";
    Generate(rng, 12, json);
    json += ",\"b\":[";
    Generate(rng, 6, json);
    json += "]}";
    const auto document = JsonDocument::Parse(json);
    ASSERT_TRUE(document) << json;
    std::string expected;
    Walk(document->root(), kRootNode, 0, expected);
    ASSERT_EQ(Scan(json), expected + "done") << json;
    ASSERT_EQ(Scan(json, &rng), expected + "done") << json;
  }
}

}  // namespace
}  // namespace sonde::gateway
