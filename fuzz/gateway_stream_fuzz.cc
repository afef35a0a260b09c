// An answer as the gateway watches it go by, streamed or in one piece; how the bytes are cut must
// not matter.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/random.h"
#include "gateway/stream_meter.h"

namespace {

using namespace sonde::gateway;  // NOLINT(google-build-using-namespace): a test program

class Recorder final : public MeterSink {
 public:
  void OnFirstToken(std::int64_t since_request) override {
    text += "first " + std::to_string(since_request) + "\n";
  }
  void OnTokens(std::int64_t gap, std::uint64_t count) override {
    CHECK(count > 0);
    text += std::to_string(count) + " tokens of " + std::to_string(gap) + "\n";
  }

  void OnKeepAlive() override { text += "keep-alive\n"; }

  std::string text;
};

std::string Observe(AnswerKind kind, std::string_view bytes, sonde::Rng* cuts) {
  Recorder recorder;
  StreamMeter meter(kind, 0, recorder);
  while (!bytes.empty()) {
    const std::size_t n =
        cuts == nullptr ? bytes.size() : std::min<std::size_t>(1 + cuts->Below(9), bytes.size());
    meter.OnWritten(bytes.substr(0, n), 1'000);
    bytes.remove_prefix(n);
  }
  meter.Finish();
  CHECK(meter.reasoning_tokens() <= meter.tokens());
  const Usage& usage = meter.usage();
  CHECK(usage.CachedPrompt().value_or(0) <= usage.prompt.value_or(INT64_MAX));
  const auto number = [](const auto& value) {
    return value ? std::to_string(*value) + " " : std::string("- ");
  };
  return recorder.text + number(usage.prompt) + number(usage.cached) + number(usage.completion) +
         number(usage.reasoning) + std::to_string(meter.tokens()) + " " +
         std::to_string(meter.tokens_estimated()) + " " +
         std::to_string(meter.time_per_output_token()) + " " + meter.finish_reason() + " " +
         std::to_string(static_cast<int>(meter.error())) + std::to_string(meter.ended()) + " " +
         number(usage.uncached) + number(usage.total) +
         std::to_string(meter.time_to_first_reasoning()) + " " +
         std::to_string(meter.time_to_first_answer()) + " " + meter.id();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  sonde::Rng cuts(size * 31 + (size > 0 ? data[size / 2] : 0));
  for (const AnswerKind kind : {AnswerKind::kEvents, AnswerKind::kJson}) {
    CHECK(Observe(kind, bytes, nullptr) == Observe(kind, bytes, &cuts));
  }
  return 0;
}
