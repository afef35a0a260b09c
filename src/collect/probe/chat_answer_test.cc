#include "collect/probe/chat_answer.h"

#include <string>

#include <gtest/gtest.h>

namespace sonde::collect {
namespace {

std::string Describe(const ChatAnswer& answer) {
  std::string out = "[" + answer.text + "]";
  if (answer.generated) out += " generated";
  if (answer.failed) out += " failed";
  if (answer.malformed) out += " malformed";
  if (answer.complete) out += " complete";
  if (!answer.finish_reason.empty()) out += " " + answer.finish_reason;
  if (answer.prompt_tokens) out += " prompt=" + std::to_string(*answer.prompt_tokens);
  if (answer.completion_tokens) out += " completion=" + std::to_string(*answer.completion_tokens);
  return out;
}

/// The same however the bytes are cut.
std::string Read(const std::string& body, bool streaming = true) {
  std::string first;
  for (const std::size_t step : {body.size() + 1, std::size_t{1}, std::size_t{7}}) {
    ChatReader reader(streaming);
    for (std::size_t i = 0; i < body.size(); i += step)
      reader.Feed(std::string_view(body).substr(i, step));
    const std::string text = Describe(reader.Finish());
    if (first.empty()) first = text;
    EXPECT_EQ(text, first) << "cut every " << step;
  }
  return first;
}

TEST(ChatReader, ReadsAStream) {
  EXPECT_EQ(
      Read(": keep-alive\n\n"
           "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n"
           "data: {\"choices\":[{\"delta\":{\"content\":\"4\"}}]}\r\n\r\n"
           "data: {\"choices\":[{\"delta\":{\"content\":\"2\"},\"finish_reason\":null}]}\n\n"
           "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
           "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}\n\n"
           "data: [DONE]\n\n"),
      "[42] generated complete stop prompt=7 completion=2");
}

TEST(ChatReader, ReasoningIsGeneratedButNoAnswer) {
  EXPECT_EQ(Read("data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n"),
            "[] generated");
  EXPECT_EQ(Read("data: {\"choices\":[{\"delta\":{\"reasoning\":\"hm\"}}]}\n\n"), "[] generated");
}

TEST(ChatReader, ReadsAWholeAnswer) {
  EXPECT_EQ(Read("\n\n{\"choices\":[{\"message\":{\"content\":\"42\",\"reasoning_content\":\"x\"},"
                 "\"finish_reason\":\"length\"}],\"usage\":{\"prompt_tokens\":3}}",
                 false),
            "[42] generated complete length prompt=3");
  EXPECT_EQ(Read("{\"choices\":[{\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"4\"},"
                 "{\"text\":\"2\"}]}}]}",
                 false),
            "[42] generated complete");
}

TEST(ChatReader, AnErrorInsideAStream) {
  EXPECT_EQ(Read("data: {\"error\":{\"message\":\"no\"}}\n\ndata: [DONE]\n\n"),
            "[] failed complete");
  EXPECT_EQ(Read("{\"error\":{\"message\":\"no\"}}", false), "[] failed");
}

TEST(ChatReader, Garbage) {
  EXPECT_EQ(Read("data: {\"choices\":\n\n"), "[] malformed");
  EXPECT_EQ(Read("data: 7\n\n"), "[] malformed");
  EXPECT_EQ(Read("<html>busy</html>"), "[] malformed");
  EXPECT_EQ(Read("<html>busy</html>", false), "[] malformed");
  EXPECT_EQ(Read("{}", false), "[] malformed");
  EXPECT_EQ(Read(""), "[] malformed");
  EXPECT_EQ(Read("data: {\"choices\":[7,{\"delta\":9}]}\n\n"), "[]");
}

TEST(ChatReader, AStreamThatIsCutOffIsNotComplete) {
  EXPECT_EQ(Read("data: {\"choices\":[{\"delta\":{\"content\":\"4\"}}]}\n\ndata: {\"cho"),
            "[4] generated malformed");
  EXPECT_EQ(Read("data: {\"choices\":[{\"delta\":{\"content\":\"4\"}}]}\n\n"), "[4] generated");
}

TEST(ChatReader, IsBounded) {
  const std::string endless(9U << 20, 'x');
  for (const bool streaming : {true, false}) {
    ChatReader reader(streaming);
    reader.Feed(endless);
    EXPECT_TRUE(reader.answer().malformed);
  }
  ChatReader lines(true);
  const std::string line = "data: " + std::string(1U << 20, 'x') + "\n";
  for (int i = 0; i < 9; ++i)
    lines.Feed(line);
  EXPECT_TRUE(lines.answer().malformed);
  ChatReader text(true);
  const std::string event =
      R"(data: {"choices":[{"delta":{"content":")" + std::string(300'000, 'x') + "\"}}]}\n\n";
  for (int i = 0; i < 5; ++i)
    text.Feed(event);
  EXPECT_TRUE(text.answer().malformed);
  EXPECT_LE(text.answer().text.size(), 1U << 20);
}

}  // namespace
}  // namespace sonde::collect
