#include "remote/write_receiver.h"

#include <cmath>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/compress.h"
#include "base/random.h"
#include "model/sample.h"
#include "remote/fake_storage_test.h"
#include "wire/protobuf.h"
#include "wire/remote_write.h"

namespace sonde::remote {
namespace {

using testing::HasSubstr;
using wire::WriteRequestWriter;

constexpr Timestamp kNow{1'700'000'000'000};

std::string Compressed(const std::function<void(WriteRequestWriter&)>& fill) {
  std::string raw;
  WriteRequestWriter writer(raw);
  fill(writer);
  writer.Finish();
  std::string body;
  SnappyCompress(raw, body);
  return body;
}

// vllm:* gives a scaled series and a constant one; npu_temperature one that has no value below 0.
class FakeMapper final : public SeriesMapper {
 public:
  FakeMapper() { not_negative_.min = 0; }

  void Map(LabelsView labels, MetricType type, std::vector<MappedSeries>& out) const override {
    LabelsBuilder builder(labels);
    if (labels.metric_name() == "npu_temperature") {
      out.push_back({.labels = builder.Set(kMetricName, "deepseek_temperature").Build(),
                     .type = type,
                     .help = "",
                     .rule = &not_negative_});
    }
    if (!labels.metric_name().starts_with("vllm:")) return;
    out.push_back({.labels = builder.Set(kMetricName, "deepseek_scaled").Build(),
                   .type = type,
                   .help = "Scaled.",
                   .scale = 10});
    out.push_back({.labels = builder.Set(kMetricName, "deepseek_limit").Build(),
                   .type = MetricType::kGauge,
                   .help = "",
                   .is_constant = true,
                   .constant = 7});
  }

 private:
  ValueRule not_negative_;
};

class WriteReceiverTest : public testing::Test {
 protected:
  WriteOutcome Send(const std::string& body) {
    return receiver_.Receive({"application/x-protobuf", "snappy"}, body);
  }
  WriteOutcome Send(const std::function<void(WriteRequestWriter&)>& fill) {
    return Send(Compressed(fill));
  }
  WriteOutcome SendSample(const Labels& labels, std::int64_t t, double v) {
    return Send([&](WriteRequestWriter& w) {
      w.BeginSeries(labels);
      w.Sample({t}, v);
    });
  }
  double Counter(std::string_view name, std::string_view label = "") {
    for (const auto& family : registry_.Snapshot()) {
      if (family.name != name) continue;
      for (const auto& point : family.points) {
        if (label.empty() || point.labels[0].second == label) return point.value;
      }
    }
    return -1;
  }

  const Labels up_ = Labels::Of({{"__name__", "up"}, {"job", "a"}});
  FakeStorage store_;
  ManualClock clock_{kNow};
  instrument::Registry registry_;
  FakeMapper mapper_;
  WriteReceiver receiver_{store_, clock_, registry_, {}, &mapper_};
};

TEST_F(WriteReceiverTest, StoresSamplesAndLooksLabelsUpOnce) {
  for (int t = 1; t <= 5; ++t) {
    const WriteOutcome outcome = SendSample(up_, t, t * 10);
    EXPECT_EQ(outcome.status, 204);
    EXPECT_EQ(outcome.message, "");
  }
  EXPECT_EQ(store_.Samples("up{job=\"a\"}"), "1=10 2=20 3=30 4=40 5=50");
  EXPECT_EQ(store_.lookups(), 1U);
  EXPECT_EQ(Counter("sonde_remote_write_received_samples_total"), 5);
  EXPECT_EQ(Counter("sonde_remote_write_requests_total", "accepted"), 5);
  EXPECT_EQ(Counter("sonde_remote_write_cache_misses_total"), 1);
  EXPECT_EQ(Counter("sonde_remote_write_cache_series"), 1);
}

TEST_F(WriteReceiverTest, LabelsInAnotherOrderAreTheSameSeries) {
  std::string raw;
  for (const bool swapped : {false, true}) {
    std::string name;
    wire::ProtoWriter(name).Bytes(1, "__name__");
    wire::ProtoWriter(name).Bytes(2, "up");
    std::string job;
    wire::ProtoWriter(job).Bytes(1, "job");
    wire::ProtoWriter(job).Bytes(2, "a");
    std::string sample;
    wire::ProtoWriter(sample).Double(1, 1);
    wire::ProtoWriter(sample).Int64(2, swapped ? 2 : 1);
    std::string series;
    wire::ProtoWriter(series).Bytes(1, swapped ? job : name);
    wire::ProtoWriter(series).Bytes(1, swapped ? name : job);
    wire::ProtoWriter(series).Bytes(2, sample);
    wire::ProtoWriter(raw).Bytes(1, series);
  }
  std::string body;
  SnappyCompress(raw, body);
  EXPECT_EQ(Send(body).status, 204);
  EXPECT_EQ(store_.Samples("up{job=\"a\"}"), "1=1 2=1");
  EXPECT_EQ(store_.total_series(), 1U);
}

TEST_F(WriteReceiverTest, RefusesWhatItDoesNotSpeak) {
  const std::string body = Compressed([](WriteRequestWriter&) {});
  EXPECT_EQ(receiver_.Receive({"", ""}, body).status, 204);
  EXPECT_EQ(
      receiver_.Receive({"application/x-protobuf;proto=prometheus.WriteRequest", "snappy"}, body)
          .status,
      204);
  EXPECT_EQ(receiver_.Receive({"application/json", "snappy"}, body).status, 415);
  EXPECT_EQ(receiver_.Receive({"application/x-protobuf", "gzip"}, body).status, 415);
  const WriteOutcome v2 = receiver_.Receive(
      {"application/x-protobuf;proto=io.prometheus.write.v2.Request", "snappy"}, body);
  EXPECT_EQ(v2.status, 415);
  EXPECT_THAT(v2.message, HasSubstr("only accepts prometheus.WriteRequest"));
  EXPECT_EQ(Counter("sonde_remote_write_requests_total", "refused"), 3);
}

TEST_F(WriteReceiverTest, RefusesDamagedBodies) {
  EXPECT_EQ(Send(std::string("junk")).status, 400);
  EXPECT_EQ(Send(std::string()).status, 400);
  std::string body;
  SnappyCompress("\x0a\x50malformed", body);
  const WriteOutcome outcome = Send(body);
  EXPECT_EQ(outcome.status, 400);
  EXPECT_THAT(outcome.message, HasSubstr("malformed WriteRequest"));
}

TEST_F(WriteReceiverTest, RefusesHugeBodies) {
  WriteReceiver small(
      store_, clock_, registry_,
      {.max_request_bytes = 100, .max_ahead = Duration(1), .max_families = 1, .cache = {}});
  std::string body;
  SnappyCompress(std::string(101, '\0'), body);
  EXPECT_EQ(small.Receive({"application/x-protobuf", "snappy"}, body).status, 413);
}

TEST_F(WriteReceiverTest, OutOfOrderTurnsTheWholeRequestDown) {
  ASSERT_EQ(SendSample(up_, 100, 1).status, 204);
  const Labels other = Labels::Of({{"__name__", "other"}});
  const WriteOutcome outcome = Send([&](WriteRequestWriter& w) {
    w.BeginSeries(other);
    w.Sample({200}, 1);
    w.BeginSeries(up_);
    w.Sample({99}, 1);
    w.BeginSeries(Labels::Of({{"__name__", "third"}}));
    w.Sample({200}, 1);
  });
  EXPECT_EQ(outcome.status, 400);
  EXPECT_THAT(outcome.message,
              HasSubstr("out of order sample: series {\"__name__\"=\"up\", \"job\"=\"a\"} at 99"));
  EXPECT_EQ(store_.Samples("other"), "");
  EXPECT_EQ(store_.Samples("third"), "absent");
  EXPECT_EQ(store_.Samples("up{job=\"a\"}"), "100=1");
  EXPECT_EQ(Counter("sonde_remote_write_received_samples_total"), 1);
}

TEST_F(WriteReceiverTest, DuplicatesWithOtherValuesAndOldSamplesAreRefused) {
  ASSERT_EQ(SendSample(up_, 100, 1).status, 204);
  EXPECT_EQ(SendSample(up_, 100, 1).status, 204);
  EXPECT_EQ(SendSample(up_, 100, 2).status, 400);
  store_.oldest = {50};
  const WriteOutcome old = SendSample(Labels::Of({{"__name__", "x"}}), 49, 1);
  EXPECT_EQ(old.status, 400);
  EXPECT_THAT(old.message, HasSubstr("out of bounds"));
}

TEST_F(WriteReceiverTest, TheFutureIsOutOfBounds) {
  EXPECT_EQ(SendSample(up_, kNow.ms + 600'000, 1).status, 204);
  EXPECT_EQ(SendSample(up_, kNow.ms + 600'001, 1).status, 400);
  clock_.Advance(Duration(1));
  EXPECT_EQ(SendSample(up_, kNow.ms + 600'001, 1).status, 204);
}

TEST_F(WriteReceiverTest, InvalidSeriesAreSkippedAndCounted) {
  std::string raw;
  WriteRequestWriter writer(raw);
  writer.BeginSeries(up_);
  writer.Sample({1}, 1);
  writer.BeginSeries(Labels::Of({{"job", "no name"}}));
  writer.Sample({1}, 1);
  writer.Sample({2}, 1);
  writer.AddHistogram({3}, Histogram{});
  writer.BeginSeries(Labels::Of({{"__name__", "bad"}, {"l", "\xff"}}));
  writer.Sample({1}, 1);
  writer.BeginSeries(Labels::Of({{"__name__", "last"}}));
  writer.Sample({1}, 1);
  writer.Finish();
  std::string body;
  SnappyCompress(raw, body);
  EXPECT_EQ(Send(body).status, 204);
  EXPECT_EQ(Counter("sonde_remote_write_dropped_samples_total", "invalid_labels"), 4);
  EXPECT_EQ(store_.Samples("up{job=\"a\"}"), "1=1");
  EXPECT_EQ(store_.Samples("last"), "1=1");
  EXPECT_EQ(store_.total_series(), 2U);
}

TEST_F(WriteReceiverTest, SeriesThatTheStoreForgotComeBack) {
  ASSERT_EQ(SendSample(up_, 1, 1).status, 204);
  store_.DropAllSeries();
  EXPECT_EQ(SendSample(up_, 2, 2).status, 204);
  EXPECT_EQ(store_.Samples("up{job=\"a\"}"), "2=2");
  EXPECT_EQ(SendSample(up_, 3, 3).status, 204);
  EXPECT_EQ(store_.lookups(), 2U);
}

TEST_F(WriteReceiverTest, AFullStoreTakesWhatItKnows) {
  store_.max_series = 1;
  ASSERT_EQ(SendSample(up_, 1, 1).status, 204);
  const WriteOutcome outcome = Send([&](WriteRequestWriter& w) {
    w.BeginSeries(Labels::Of({{"__name__", "new"}}));
    w.Sample({2}, 2);
    w.BeginSeries(up_);
    w.Sample({2}, 2);
  });
  EXPECT_EQ(outcome.status, 429);
  EXPECT_EQ(outcome.message, "1 samples of new series: series limit reached");
  EXPECT_EQ(store_.Samples("up{job=\"a\"}"), "1=1 2=2");
  EXPECT_EQ(Counter("sonde_remote_write_dropped_samples_total", "series_limit"), 1);
}

TEST_F(WriteReceiverTest, AFailedCommitIsTheServersFault) {
  store_.fail_commit = true;
  const WriteOutcome outcome = SendSample(up_, 1, 1);
  EXPECT_EQ(outcome.status, 500);
  EXPECT_EQ(outcome.message, "no space left on device");
  EXPECT_EQ(Counter("sonde_remote_write_requests_total", "failed"), 1);
  EXPECT_EQ(Counter("sonde_remote_write_received_samples_total"), 0);
  store_.fail_commit = false;
  EXPECT_EQ(SendSample(up_, 1, 1).status, 204);
  EXPECT_EQ(store_.Samples("up{job=\"a\"}"), "1=1");
}

TEST_F(WriteReceiverTest, HistogramsAndExemplarsAreStored) {
  const auto fill = [&](WriteRequestWriter& w) {
    w.BeginSeries(up_);
    w.Sample({1}, 1);
    w.AddExemplar({Labels::Of({{"trace", "x"}}), 1, Timestamp{1}});
    w.AddExemplar({Labels::Of({{"trace", "y"}}), -1, Timestamp{1}});
    w.BeginSeries(Labels::Of({{"__name__", "h"}}));
    w.AddHistogram({1}, Histogram{});
    w.AddHistogram({2}, FloatHistogram{});
  };
  EXPECT_EQ(Send(fill).status, 204);
  EXPECT_EQ(store_.ExemplarsOf("up{job=\"a\"}"), 1U);
  EXPECT_EQ(Counter("sonde_remote_write_received_exemplars_total"), 1);
  EXPECT_EQ(Counter("sonde_remote_write_dropped_samples_total", "exemplar"), 1);
  EXPECT_EQ(Counter("sonde_remote_write_received_histograms_total"), 2);
  EXPECT_EQ(store_.Samples("h"), " 1=h 2=h");
}

TEST_F(WriteReceiverTest, BadHistogramsAreRefusedAndUnsupportedOnesSkipped) {
  Histogram bad;
  bad.schema = 99;
  const auto send = [&] {
    return Send([&](WriteRequestWriter& w) {
      w.BeginSeries(up_);
      w.Sample({1}, 1);
      w.AddHistogram({1}, bad);
    });
  };
  EXPECT_EQ(send().status, 400);
  EXPECT_EQ(store_.total_samples(), 0U);
  store_.takes_histograms = false;
  EXPECT_EQ(send().status, 204);
  EXPECT_EQ(store_.Samples("up{job=\"a\"}"), "1=1");
  EXPECT_EQ(Counter("sonde_remote_write_dropped_samples_total", "unsupported"), 1);
}

TEST_F(WriteReceiverTest, MetadataMeetsItsSeries) {
  const Labels count = Labels::Of({{"__name__", "latency_count"}});
  const auto send_metadata = [&](const Metadata& metadata) {
    return Send([&](WriteRequestWriter& w) { w.AddMetadata("latency", metadata); });
  };
  // Series first, metadata later.
  ASSERT_EQ(SendSample(count, 1, 1).status, 204);
  EXPECT_FALSE(store_.MetadataOf("latency_count"));
  ASSERT_EQ(send_metadata({MetricType::kHistogram, "How long.", "seconds"}).status, 204);
  EXPECT_EQ(store_.MetadataOf("latency_count"),
            (Metadata{MetricType::kHistogram, "How long.", "seconds"}));
  // Metadata first, series later.
  const Labels bucket = Labels::Of({{"__name__", "latency_bucket"}, {"le", "+Inf"}});
  ASSERT_EQ(SendSample(bucket, 1, 1).status, 204);
  EXPECT_EQ(store_.MetadataOf("latency_bucket{le=\"+Inf\"}")->help, "How long.");
  // A change.
  ASSERT_EQ(send_metadata({MetricType::kHistogram, "How slow.", ""}).status, 204);
  EXPECT_EQ(store_.MetadataOf("latency_count")->help, "How slow.");
  // What a failed request said is said again by the next one.
  store_.fail_commit = true;
  EXPECT_EQ(send_metadata({MetricType::kHistogram, "New.", ""}).status, 500);
  store_.fail_commit = false;
  EXPECT_EQ(send_metadata({MetricType::kHistogram, "New.", ""}).status, 204);
  EXPECT_EQ(store_.MetadataOf("latency_count")->help, "New.");
}

TEST_F(WriteReceiverTest, CanonicalSeriesAreWrittenBesideNativeOnes) {
  const Labels native = Labels::Of({{"__name__", "vllm:running"}, {"job", "a"}});
  for (int t = 1; t <= 3; ++t)
    ASSERT_EQ(SendSample(native, t, t).status, 204);
  EXPECT_EQ(store_.Samples("vllm:running{job=\"a\"}"), "1=1 2=2 3=3");
  EXPECT_EQ(store_.Samples("deepseek_scaled{job=\"a\"}"), "1=10 2=20 3=30");
  EXPECT_EQ(store_.Samples("deepseek_limit{job=\"a\"}"), "1=7 2=7 3=7");
  EXPECT_EQ(store_.MetadataOf("deepseek_scaled{job=\"a\"}")->help, "Scaled.");
  EXPECT_EQ(store_.lookups(), 3U);
  EXPECT_EQ(Counter("sonde_remote_write_derived_samples_total"), 6);
  // All of them come back after the store has dropped them.
  store_.DropAllSeries();
  ASSERT_EQ(SendSample(native, 4, 4).status, 204);
  ASSERT_EQ(SendSample(native, 5, 5).status, 204);
  EXPECT_EQ(store_.Samples("deepseek_scaled{job=\"a\"}"), "4=40 5=50");
  EXPECT_EQ(store_.lookups(), 6U);
}

// -1 stands for "could not be read": the canonical series ends there, once.
TEST_F(WriteReceiverTest, AValueThatIsNoMeasurementIsNotStored) {
  const Labels native = Labels::Of({{"__name__", "npu_temperature"}});
  for (const auto& [t, v] :
       std::vector<std::pair<int, double>>{{1, -1}, {2, 55}, {3, -1}, {4, -1}, {5, 60}})
    ASSERT_EQ(SendSample(native, t, v).status, 204);
  EXPECT_EQ(store_.Samples("npu_temperature"), "1=-1 2=55 3=-1 4=-1 5=60");
  const std::string canonical = store_.Samples("deepseek_temperature");
  EXPECT_TRUE(canonical.starts_with("2=55 3=")) << canonical;
  EXPECT_TRUE(canonical.ends_with(" 5=60")) << canonical;
  EXPECT_EQ(canonical.find("4="), std::string::npos) << canonical;
}

TEST_F(WriteReceiverTest, ForgottenSeriesAreMappedAgain) {
  const Labels native = Labels::Of({{"__name__", "vllm:running"}});
  ASSERT_EQ(SendSample(native, 1, 1).status, 204);
  const std::size_t lookups = store_.lookups();
  receiver_.ForgetSeries();
  ASSERT_EQ(SendSample(native, 2, 2).status, 204);
  EXPECT_EQ(store_.lookups(), 2 * lookups);
  EXPECT_EQ(store_.Samples("deepseek_scaled"), "1=10 2=20");
}

TEST_F(WriteReceiverTest, StaleMarkersStayStaleMarkers) {
  const Labels native = Labels::Of({{"__name__", "vllm:running"}});
  std::vector<double> seen;
  class Capture final : public storage::Appendable {
   public:
    explicit Capture(std::vector<double>& values) : values_(values) {}
    std::unique_ptr<storage::Appender> NewAppender() override {
      return std::make_unique<A>(values_);
    }

   private:
    class A final : public storage::Appender {
     public:
      explicit A(std::vector<double>& values) : values_(values) {}
      storage::AppendResult Append(storage::SeriesRef ref, Timestamp, double v) override {
        values_.push_back(v);
        return {ref, storage::AppendError::kNone};
      }
      storage::AppendResult Append(LabelsView, Timestamp, double v) override {
        values_.push_back(v);
        return {{values_.size()}, storage::AppendError::kNone};
      }
      storage::AppendResult AppendHistogram(LabelsView, Timestamp, const Histogram&) override {
        return {};
      }
      storage::AppendResult AppendFloatHistogram(LabelsView, Timestamp,
                                                 const FloatHistogram&) override {
        return {};
      }
      storage::AppendError AppendExemplar(storage::SeriesRef, const Exemplar&) override {
        return storage::AppendError::kNone;
      }
      void UpdateMetadata(storage::SeriesRef, const Metadata&) override {}
      Status Commit() override { return OkStatus(); }
      void Rollback() override {}

     private:
      std::vector<double>& values_;
    };
    std::vector<double>& values_;
  } capture(seen);
  WriteReceiver receiver(capture, clock_, registry_, {}, &mapper_);
  const std::string body = Compressed([&](WriteRequestWriter& w) {
    w.BeginSeries(native);
    w.Sample({1}, StaleNan());
    w.Sample({2}, std::bit_cast<double>(kNormalNanBits));
  });
  ASSERT_EQ(receiver.Receive({"", ""}, body).status, 204);
  ASSERT_EQ(seen.size(), 6U);
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(IsStaleNan(seen[i])) << i;
  EXPECT_TRUE(std::isnan(seen[4]) && !IsStaleNan(seen[4]));
  EXPECT_EQ(seen[5], 7);
}

// Requests from several threads at once, with the same and with different series, lose and mix up
// nothing.
TEST_F(WriteReceiverTest, ConcurrentRequestsKeepSeriesApart) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 20;
  constexpr int kSeries = 300;
  std::vector<std::thread> threads;
  std::atomic<int> failures{0};
  for (int n = 0; n < kThreads; ++n) {
    threads.emplace_back([&, n] {
      for (int round = 1; round <= kRounds; ++round) {
        const std::string body = Compressed([&](WriteRequestWriter& w) {
          for (int i = 0; i < kSeries; ++i) {
            w.BeginSeries(Labels::Of(
                {{"__name__", "vllm:x"}, {"i", std::to_string(i)}, {"thread", std::to_string(n)}}));
            w.Sample({round}, n * 1000 + i);
          }
        });
        if (receiver_.Receive({"", "snappy"}, body).status != 204) ++failures;
      }
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  EXPECT_EQ(failures.load(), 0);
  EXPECT_EQ(store_.total_series(), static_cast<std::size_t>(3 * kThreads * kSeries));
  EXPECT_EQ(store_.total_samples(), static_cast<std::size_t>(3 * kThreads * kSeries * kRounds));
  EXPECT_EQ(store_.Samples("vllm:x{i=\"7\", thread=\"2\"}").substr(0, 14), "1=2007 2=2007 ");
}

// Whatever bytes come in, the answer is a status, and samples stored before stay.
TEST_F(WriteReceiverTest, DamagedRequestsHarmNothing) {
  ASSERT_EQ(SendSample(up_, 1, 1).status, 204);
  std::string raw;
  WriteRequestWriter writer(raw);
  Histogram histogram;
  histogram.positive_spans = {{0, 1}};
  histogram.positive_deltas = {1};
  for (int i = 0; i < 5; ++i) {
    writer.BeginSeries(Labels::Of({{"__name__", "vllm:y"}, {"i", std::to_string(i)}}));
    writer.Sample({2}, i);
    writer.AddHistogram({2}, histogram);
    writer.AddExemplar({Labels::Of({{"t", "x"}}), 1, {}});
    writer.AddMetadata("vllm:y", {MetricType::kGauge, "y", ""});
  }
  writer.Finish();
  Rng rng(3);
  for (int round = 0; round < 3000; ++round) {
    std::string damaged = raw;
    for (std::uint64_t n = rng.Below(5); n > 0; --n)
      damaged[rng.Below(damaged.size())] = static_cast<char>(rng.Next());
    damaged.resize(rng.Below(damaged.size() + 1));
    std::string body;
    SnappyCompress(damaged, body);
    const int status = Send(body).status;
    EXPECT_TRUE(status == 204 || status == 400) << status;
  }
  EXPECT_EQ(store_.Samples("up{job=\"a\"}"), "1=1");
}

}  // namespace
}  // namespace sonde::remote
