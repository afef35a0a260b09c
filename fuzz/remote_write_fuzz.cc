#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/utf8.h"
#include "wire/remote_write.h"

// Decodes a request (uncompressed), checks what comes out, encodes it again and expects the same.

namespace {

using sonde::wire::LabelDecoder;
using sonde::wire::LabelFault;
using sonde::wire::WriteRequestReader;

struct Decoded {
  sonde::Labels labels;
  std::vector<sonde::FloatSample> samples;
};

bool SameBits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

// Adds the parts of one series to each other. False if the request is malformed.
bool Decode(std::string_view request, std::vector<Decoded>& out) {
  WriteRequestReader reader(request);
  LabelDecoder decoder;
  while (true) {
    const auto more = reader.NextBatch();
    if (!more) return false;
    if (!*more) return true;
    CHECK(reader.series().size() <= WriteRequestReader::kBatchSeries);
    for (const auto& series : reader.series()) {
      const LabelFault fault = decoder.Decode(series.labels);
      CHECK(!decoder.Describe().empty());
      for (const std::string_view message : reader.exemplars(series)) {
        static_cast<void>(sonde::wire::DecodeExemplar(message).ok());
      }
      for (const std::string_view message : reader.histograms(series)) {
        static_cast<void>(sonde::wire::DecodeHistogram(message).ok());
      }
      if (fault != LabelFault::kNone) continue;
      const sonde::Labels labels(decoder.labels());
      CHECK(!labels.metric_name().empty());
      for (const sonde::LabelView label : labels)
        CHECK(sonde::IsValidUtf8(label.name) && !label.value.empty());
      const auto samples = reader.samples(series);
      out.push_back({labels, {samples.begin(), samples.end()}});
    }
    for (const std::string_view message : reader.metadata()) {
      static_cast<void>(sonde::wire::DecodeMetadata(message).ok());
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const char* bytes = reinterpret_cast<const char*>(data);
  const std::vector<char> input(bytes, bytes + size);
  std::vector<Decoded> first;
  if (!Decode({input.data(), input.size()}, first)) return 0;
  std::string encoded;
  sonde::wire::WriteRequestWriter writer(encoded);
  for (const Decoded& series : first) {
    writer.BeginSeries(series.labels);
    for (const sonde::FloatSample& sample : series.samples)
      writer.Sample(sample.t, sample.v);
  }
  writer.Finish();
  std::vector<Decoded> second;
  CHECK(Decode(encoded, second));
  CHECK(first.size() == second.size());
  for (std::size_t i = 0; i < first.size(); ++i) {
    CHECK(first[i].labels == second[i].labels);
    CHECK(first[i].samples.size() == second[i].samples.size());
    for (std::size_t j = 0; j < first[i].samples.size(); ++j) {
      CHECK(first[i].samples[j].t == second[i].samples[j].t);
      CHECK(SameBits(first[i].samples[j].v, second[i].samples[j].v));
    }
  }
  return 0;
}
