#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/number.h"
#include "gateway/stream_meter.h"

// Runs tests/gateway/*.stream; tests/gateway/README.md describes the format.

namespace sonde::gateway {
namespace {

constexpr std::int64_t kMillisecond = 1'000'000;

struct Write {
  std::int64_t at_ms = 0;
  std::string bytes;
};

struct StreamFile {
  AnswerKind kind = AnswerKind::kEvents;
  std::int64_t received_ms = 0;
  std::vector<Write> writes;
  std::string expected;
};

class Recorder final : public MeterSink {
 public:
  void OnFirstToken(std::int64_t since_request) override {
    text += "first token " + Milliseconds(static_cast<double>(since_request)) + "\n";
  }
  void OnTokens(std::int64_t gap, std::uint64_t count) override {
    text +=
        "tokens " + std::to_string(count) + " x " + Milliseconds(static_cast<double>(gap)) + "\n";
  }
  void OnKeepAlive() override { text += "keep-alive\n"; }
  static std::string Milliseconds(double nanos) {
    char digits[32];
    std::snprintf(digits, sizeof(digits), "%.6g", nanos / kMillisecond);
    return digits;
  }

  std::string text;
};

std::string Summary(const StreamMeter& meter) {
  std::string text = "end";
  const auto add = [&](const char* name, const std::string& value) {
    text += std::string(" ") + name + "=" + value;
  };
  const Usage& usage = meter.usage();
  if (usage.prompt) add("prompt", std::to_string(*usage.prompt));
  if (usage.cached) add("cached", std::to_string(*usage.CachedPrompt()));
  add("reasoning", std::to_string(meter.reasoning_tokens()));
  add("answer", std::to_string(meter.tokens() - meter.reasoning_tokens()));
  if (meter.tokens_estimated()) text += " estimated";
  if (meter.time_to_first_reasoning() >= 0) {
    add("first_reasoning",
        Recorder::Milliseconds(static_cast<double>(meter.time_to_first_reasoning())));
    if (meter.time_to_first_answer() >= 0)
      add("first_answer",
          Recorder::Milliseconds(static_cast<double>(meter.time_to_first_answer())));
  }
  if (meter.time_per_output_token() >= 0)
    add("tpot", Recorder::Milliseconds(meter.time_per_output_token()));
  if (!meter.finish_reason().empty()) add("finish", meter.finish_reason());
  if (meter.error() != AnswerError::kNone) {
    add("error", meter.error() == AnswerError::kOverloaded            ? "overloaded"
                 : meter.error() == AnswerError::kInsufficientBalance ? "balance"
                                                                      : "failed");
  }
  for (std::size_t i = 0; i < kUsageFaults; ++i) {
    const auto fault = static_cast<UsageFault>(i);
    if (usage.Has(fault)) add("fault", std::string(ToString(fault)));
  }
  if (!meter.id().empty()) add("id", meter.id());
  if (!meter.ended()) text += " unended";
  return text + "\n";
}

/// Runs the file with its writes cut: at `cut` bytes of the whole, and into pieces of at most
/// `size`.
std::string Observe(const StreamFile& file, std::size_t cut, std::size_t size) {
  Recorder recorder;
  StreamMeter meter(file.kind, file.received_ms * kMillisecond, recorder);
  std::size_t offset = 0;
  for (const Write& write : file.writes) {
    std::string_view rest = write.bytes;
    while (!rest.empty()) {
      std::size_t n = std::min(rest.size(), size);
      if (cut > offset) n = std::min(n, cut - offset);
      meter.OnWritten(rest.substr(0, n), write.at_ms * kMillisecond);
      rest.remove_prefix(n);
      offset += n;
    }
  }
  meter.Finish();
  return recorder.text + Summary(meter);
}

std::string Unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    ++i;
    out += text[i] == 'n' ? '\n' : text[i] == 'r' ? '\r' : text[i] == 'B' ? '\xEF' : text[i];
    if (text[i] == 'B') out += "\xBB\xBF";
  }
  return out;
}

StreamFile Load(const std::filesystem::path& path) {
  StreamFile file;
  std::ifstream in(path);
  std::string line;
  while (std::getline(in, line)) {
    if (line.empty() || line[0] == '#') continue;
    if (line[0] == '|' || line[0] == '~') {
      if (file.writes.empty()) file.writes.emplace_back();
      std::string_view text = line;
      text.remove_prefix(text.size() > 1 && text[1] == ' ' ? 2 : 1);
      file.writes.back().bytes += line[0] == '|' ? std::string(text) + "\n" : Unescape(text);
    } else if (line[0] == '=') {
      file.expected += line.substr(2) + "\n";
    } else {
      std::istringstream words(line);
      std::string verb;
      std::string value;
      words >> verb >> value;
      if (verb == "answer") {
        file.kind = value == "json"     ? AnswerKind::kJson
                    : value == "events" ? AnswerKind::kEvents
                                        : AnswerKind::kOpaque;
      } else if (verb == "received") {
        file.received_ms = std::stoll(value);
      } else if (verb == "at") {
        file.writes.push_back({std::stoll(value), ""});
      } else {
        ADD_FAILURE() << path << ": " << line;
      }
    }
  }
  return file;
}

std::vector<std::string> Files() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator("tests/gateway")) {
    if (entry.path().extension() == ".stream") names.push_back(entry.path().stem().string());
  }
  std::ranges::sort(names);
  return names;
}

class StreamFilesTest : public ::testing::TestWithParam<std::string> {};

TEST_P(StreamFilesTest, SaysWhatItShould) {
  const StreamFile file = Load("tests/gateway/" + GetParam() + ".stream");
  ASSERT_FALSE(file.expected.empty());
  constexpr auto kWhole = static_cast<std::size_t>(-1);
  ASSERT_EQ(Observe(file, 0, kWhole), file.expected);
  ASSERT_EQ(Observe(file, 0, 1), file.expected) << "byte by byte";
  std::size_t size = 0;
  for (const Write& write : file.writes) {
    size += write.bytes.size();
  }
  for (std::size_t cut = 1; cut < size; ++cut) {
    ASSERT_EQ(Observe(file, cut, kWhole), file.expected) << "cut at byte " << cut;
  }
}

INSTANTIATE_TEST_SUITE_P(All, StreamFilesTest, ::testing::ValuesIn(Files()),
                         [](const auto& test) { return test.param; });

TEST(StreamMeter, CompressedAnswersAreNotRead) {
  Recorder recorder;
  StreamMeter meter(AnswerKind::kOpaque, 0, recorder);
  meter.OnWritten("data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n", 5);
  meter.Finish();
  EXPECT_EQ(recorder.text + Summary(meter), "end reasoning=0 answer=0 estimated unended\n");
}

}  // namespace
}  // namespace sonde::gateway
