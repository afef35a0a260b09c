#include "api/self_metrics.h"

#include <cstdio>
#include <memory>
#include <span>
#include <vector>

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/env.h"
#include "base/number.h"
#include "model/exemplar.h"
#include "model/labels.h"
#include "model/metadata.h"
#include "wire/exposition_writer.h"

namespace sonde::api {
namespace {

using instrument::FamilyType;

MetricType TypeOf(FamilyType type) {
  switch (type) {
    case FamilyType::kCounter:
      return MetricType::kCounter;
    case FamilyType::kGauge:
      return MetricType::kGauge;
    case FamilyType::kHistogram:
      return MetricType::kHistogram;
  }
  return MetricType::kUnknown;
}

/// A histogram's examples as the writer takes them.
class BucketExemplars {
 public:
  explicit BucketExemplars(const instrument::Histogram& histogram) {
    const auto examples = histogram.examples();
    exemplars_.resize(examples.size());
    pointers_.resize(examples.size());
    for (std::size_t i = 0; i < examples.size(); ++i) {
      if (examples[i].label.empty()) continue;
      LabelsBuilder labels;
      labels.Set(examples[i].label, examples[i].id);
      exemplars_[i] = {labels.Build(), examples[i].value, examples[i].time};
      pointers_[i] = &exemplars_[i];
    }
  }
  BucketExemplars(const BucketExemplars&) = delete;
  BucketExemplars& operator=(const BucketExemplars&) = delete;

  std::span<const Exemplar* const> pointers() const { return pointers_; }

 private:
  std::vector<Exemplar> exemplars_;
  std::vector<const Exemplar*> pointers_;
};

/// /proc/self/stat after the command's name, which may hold spaces; field(3) is the third of
/// proc(5).
class ProcStat {
 public:
  ProcStat() {
    PosixEnv env;
    auto text = env.ReadFile("/proc/self/stat", 4096);
    if (!text) return;
    std::string_view rest = *text;
    rest.remove_prefix(std::min(rest.rfind(')') + 2, rest.size()));
    while (!rest.empty()) {
      const std::size_t space = rest.find_first_of(" \n");
      fields_.push_back(ParseFloat(rest.substr(0, space)).value_or(0));
      if (space == std::string_view::npos) break;
      rest.remove_prefix(space + 1);
    }
  }
  double field(std::size_t number) const {
    return number >= 3 && number - 3 < fields_.size() ? fields_[number - 3] : 0;
  }

 private:
  std::vector<double> fields_;
};

double Ticks() {
  return static_cast<double>(::sysconf(_SC_CLK_TCK));
}

// The start of the process in Unix seconds: the machine's start plus the process's, in clock ticks.
double StartTime() {
  PosixEnv env;
  const auto text = env.ReadFile("/proc/stat", 1 << 20);
  if (!text) return 0;
  const std::size_t at = text->find("btime ");
  if (at == std::string::npos) return 0;
  const std::size_t end = text->find('\n', at);
  const auto boot = ParseFloat(std::string_view(*text).substr(at + 6, end - at - 6));
  return boot.value_or(0) + ProcStat().field(22) / Ticks();
}

double OpenDescriptors() {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir("/proc/self/fd"), ::closedir);
  if (dir == nullptr) return 0;
  double count = 0;
  while (const dirent* entry = ::readdir(
             dir.get())) {  // NOLINT(concurrency-mt-unsafe): the stream is this call's own
    if (entry->d_name[0] != '.') ++count;
  }
  return count - 1;  // The directory itself.
}

double MaxDescriptors() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? static_cast<double>(limit.rlim_cur) : 0;
}

}  // namespace

std::string SelfMetricsPage(const instrument::Registry& registry,
                            const wire::ServedFormat& format) {
  std::string page;
  wire::ExpositionWriter writer(format, page);
  std::vector<LabelView> labels;
  for (const instrument::FamilySnapshot& family : registry.Snapshot()) {
    if (family.points.empty()) continue;
    writer.BeginFamily({.name = family.name, .help = family.help, .type = TypeOf(family.type)});
    for (const instrument::Point& point : family.points) {
      labels.clear();
      for (const auto& [name, value] : point.labels) {
        labels.push_back({name, value});
      }
      if (point.histogram != nullptr) {
        const BucketExemplars exemplars(*point.histogram);
        writer.Histogram(labels, point.histogram->bounds(), point.histogram->counts(),
                         point.histogram->sum(), exemplars.pointers());
      } else {
        writer.Sample(labels, point.value);
      }
    }
  }
  writer.Finish();
  return page;
}

void AddProcessMetrics(instrument::Registry& registry, std::string_view version,
                       std::string_view revision) {
  const auto page_size = static_cast<double>(::sysconf(_SC_PAGESIZE));
  registry.AddCallback("process_cpu_seconds_total",
                       "Total user and system CPU time spent in seconds.", FamilyType::kCounter,
                       [] {
                         const ProcStat stat;
                         return (stat.field(14) + stat.field(15)) / Ticks();
                       });
  registry.AddCallback("process_resident_memory_bytes", "Resident memory size in bytes.",
                       FamilyType::kGauge,
                       [page_size] { return ProcStat().field(24) * page_size; });
  registry.AddCallback("process_virtual_memory_bytes", "Virtual memory size in bytes.",
                       FamilyType::kGauge, [] { return ProcStat().field(23); });
  registry.AddCallback("process_threads", "Number of threads.", FamilyType::kGauge,
                       [] { return ProcStat().field(20); });
  registry.AddCallback("process_open_fds", "Number of open file descriptors.", FamilyType::kGauge,
                       OpenDescriptors);
  registry.AddCallback("process_max_fds", "Maximum number of open file descriptors.",
                       FamilyType::kGauge, MaxDescriptors);
  registry.AddCallback("process_start_time_seconds",
                       "Start time of the process since unix epoch in seconds.", FamilyType::kGauge,
                       [start = StartTime()] { return start; });
  registry
      .GetGauge("sonde_build_info", "A constant 1, labelled by what the binary was built from.",
                {{"version", version}, {"revision", revision}})
      .Set(1);
}

}  // namespace sonde::api
