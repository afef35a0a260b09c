#include "demo/trace.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/embedded.h"
#include "base/number.h"
#include "demo/sim_text.h"

namespace sonde {
std::span<const EmbeddedFile> DemotraceFiles();  // Generated: tools/embed.py.
}  // namespace sonde

namespace sonde::demo {
namespace {

constexpr std::int64_t kMaxTokens = 1'000'000;
constexpr std::int64_t kMaxGapMs = 86'400'000;

Error BadLine(std::size_t line, std::string_view what) {
  return Error(ErrorKind::kInvalid, "trace:" + std::to_string(line) + ": " + std::string(what));
}

// "a,b,c": the numbers.
bool ParseNumbers(std::string_view line, std::array<std::int64_t, 3>& numbers) {
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const std::size_t comma = line.find(',');
    const bool last = i + 1 == numbers.size();
    if ((comma == std::string_view::npos) != last) return false;
    const auto number = ParseInt(line.substr(0, comma));
    if (!number) return false;
    numbers[i] = *number;
    line.remove_prefix(last ? line.size() : comma + 1);
  }
  return true;
}

}  // namespace

Result<Trace> Trace::Parse(std::string_view text) {
  Trace trace;
  std::size_t line_number = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    ++line_number;
    if (line.empty() || line.front() == '#') continue;
    std::array<std::int64_t, 3> numbers{};
    if (!ParseNumbers(line, numbers))
      return BadLine(line_number, "three numbers with commas are expected");
    const auto [gap_ms, input, output] = numbers;
    if (gap_ms < 0 || gap_ms > kMaxGapMs || input < 1 || input > kMaxTokens || output < 1 ||
        output > kMaxTokens) {
      return BadLine(line_number, "a number is out of range");
    }
    trace.length_ += std::chrono::milliseconds(gap_ms);
    trace.requests_.push_back(
        {trace.length_, static_cast<std::uint32_t>(input), static_cast<std::uint32_t>(output)});
  }
  if (trace.requests_.empty()) return BadLine(line_number, "there is no request");
  trace.length_ += std::chrono::seconds(1);
  return trace;
}

Result<Trace> Trace::Embedded() {
  const auto files = DemotraceFiles();
  CHECK(files.size() == 1);
  return Parse(files[0].contents);
}

std::string PromptText(std::uint32_t tokens, std::uint64_t seed) {
  const std::size_t size = static_cast<std::size_t>(tokens) * kBytesPerToken;
  const std::size_t shared =
      std::min<std::size_t>(size / 2, std::size_t{kSharedPromptTokens} * kBytesPerToken);
  std::string text;
  text.reserve(size + 16);
  AppendWords(text, 0, shared);
  AppendWords(text, seed | 1, size - shared);
  return text;
}

}  // namespace sonde::demo
