// A driver for scripts: writes, opens and dumps a store's directory.
//
//   tsdb_tool fill DIR SERIES ROUNDS     LLM-like series, 15 s apart; no blocks are cut
//   tsdb_tool write DIR START STEP COUNT a few series from START (ms) on, with maintenance after
//   each hour tsdb_tool open DIR                   replays, says how long it took tsdb_tool dump
//   DIR [MIN MAX]         every sample, as `promtool tsdb dump` prints it, sorted tsdb_tool last
//   DIR NAME              the newest sample of each series of that name

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/number.h"
#include "base/quote.h"
#include "tsdb/bench_series.h"
#include "tsdb/database.h"

namespace sonde::tsdb {
namespace {

int Fail(const Error& error) {
  std::fprintf(stderr, "tsdb_tool: %s\n", error.message().c_str());
  return 1;
}

/// Labels as Go prints them.
std::string GoLabels(LabelsView labels) {
  std::string out = "{";
  for (const LabelView label : labels) {
    if (out.size() > 1) out += ", ";
    out += label.name;
    out += "=" + QuoteGo(label.value);
  }
  return out + "}";
}

class Tool {
 public:
  Result<Database*> Open(const std::string& dir) {
    Options options;
    options.directory = dir;
    options.retention = Duration(0);
    database_ = TRY(
        Database::Open(env_, clock_, Logger(sink_, clock_, LogLevel::kWarn), registry_, options));
    return database_.get();
  }

  int Fill(const std::string& dir, std::size_t count, int rounds) {
    const auto opened = Open(dir);
    if (!opened) return Fail(opened.error());
    const auto series = MakeBenchSeries(count);
    std::vector<storage::SeriesRef> refs;
    for (int round = 0; round < rounds; ++round) {
      const Timestamp t{1'700'006'400'000 + round * 15'000};
      for (std::size_t begin = 0; begin < series.size(); begin += 2000) {
        auto appender = database_->NewAppender();
        for (std::size_t i = begin; i < std::min(series.size(), begin + 2000); ++i) {
          const double v = i % 5 == 0   ? 1
                           : i % 5 == 1 ? std::sin(round * 1.7 + static_cast<double>(i)) * 100
                                        : std::floor(round * static_cast<double>(i % 97) * 1.3);
          if (refs.size() <= i) {
            refs.push_back(appender->Append(series[i], t, v).ref);
          } else {
            appender->Append(refs[i], t, v);
          }
        }
        if (Status status = appender->Commit(); !status) return Fail(status.error());
      }
    }
    return 0;
  }

  int Write(const std::string& dir, std::int64_t start, std::int64_t step, int count) {
    const auto opened = Open(dir);
    if (!opened) return Fail(opened.error());
    Rng rng(static_cast<std::uint64_t>(start));
    for (int i = 0; i < count; ++i) {
      const Timestamp t{start + i * step};
      auto appender = database_->NewAppender();
      for (const char* instance : {"a:9100", "b:9100"}) {
        appender->Append(Labels::Of({{"__name__", "up"}, {"instance", instance}}), t, 1);
        appender->Append(Labels::Of({{"__name__", "tokens_total"}, {"instance", instance}}), t,
                         i * 17.0);
        appender->Append(Labels::Of({{"__name__", "load"}, {"instance", instance}}), t,
                         rng.Uniform());
      }
      const std::string run = std::to_string(i / 500);
      appender->Append(Labels::Of({{"__name__", "run_info"}, {"run", run}}), t, i);
      if (Status status = appender->Commit(); !status) return Fail(status.error());
      if ((i * step) / 3'600'000 != ((i + 1) * step) / 3'600'000) {
        if (Status status = database_->RunMaintenance(); !status) return Fail(status.error());
      }
    }
    return 0;
  }

  int Dump(const std::string& dir, Timestamp min, Timestamp max, const char* last_of) {
    const auto opened = Open(dir);
    if (!opened) return Fail(opened.error());
    const auto querier = database_->NewQuerier(min, max);
    if (!querier) return Fail(querier.error());
    std::vector<Matcher> matchers;
    if (last_of != nullptr) matchers.push_back(Matcher::Equal("__name__", last_of));
    const auto set = (*querier)->Select(true, {}, matchers);
    if (!set) return Fail(set.error());
    for (const std::string& warning : (*set)->warnings()) {
      std::fprintf(stderr, "warning: %s\n", warning.c_str());
    }
    const auto reader = (*set)->NewReader();
    for (std::size_t i = 0; i < (*set)->size(); ++i) {
      const std::string labels = GoLabels((*set)->labels(i));
      reader->Seek(i);
      std::string line;
      while (true) {
        const auto batch = reader->Next();
        if (!batch) return Fail(batch.error());
        if (batch->size() == 0) break;
        for (std::size_t k = 0; k < batch->size(); ++k) {
          line = labels + " ";
          AppendFloatG(line, batch->values[k]);
          line += " " + std::to_string(batch->timestamps[k].ms);
          if (last_of == nullptr) std::puts(line.c_str());
        }
      }
      if (last_of != nullptr && !line.empty()) std::puts(line.c_str());
    }
    return 0;
  }

 private:
  PosixEnv env_;
  SystemClock clock_;
  StderrSink sink_;
  instrument::Registry registry_;
  std::unique_ptr<Database> database_;
};

int Run(const std::vector<std::string>& args) {
  Tool tool;
  if (args.size() == 4 && args[0] == "fill") {
    return tool.Fill(args[1], std::stoul(args[2]), std::stoi(args[3]));
  }
  if (args.size() == 5 && args[0] == "write") {
    return tool.Write(args[1], std::stoll(args[2]), std::stoll(args[3]), std::stoi(args[4]));
  }
  if (args.size() == 2 && args[0] == "open") {
    const auto begin = std::chrono::steady_clock::now();
    const auto opened = tool.Open(args[1]);
    if (!opened) return Fail(opened.error());
    const auto took = std::chrono::steady_clock::now() - begin;
    std::printf("%zu series in %lld ms\n", static_cast<std::size_t>((*opened)->head_stats().series),
                static_cast<long long>(
                    std::chrono::duration_cast<std::chrono::milliseconds>(took).count()));
    std::fflush(stdout);
    std::_Exit(0);  // As a kill: nothing is put in order.
  }
  if (args.size() >= 2 && args[0] == "dump") {
    const Timestamp min = args.size() > 2 ? Timestamp{std::stoll(args[2])} : Timestamp::Min();
    const Timestamp max = args.size() > 3 ? Timestamp{std::stoll(args[3])} : Timestamp::Max();
    return tool.Dump(args[1], min, max, nullptr);
  }
  if (args.size() == 3 && args[0] == "last") {
    return tool.Dump(args[1], Timestamp::Min(), Timestamp::Max(), args[2].c_str());
  }
  std::fprintf(stderr, "usage: tsdb_tool fill|write|open|dump|last DIR …\n");
  return 2;
}

}  // namespace
}  // namespace sonde::tsdb

int main(int argc, char** argv) {
  return sonde::tsdb::Run({argv + 1, argv + argc});
}
