#include "app/map_command.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <utility>

#include "app/mapping_files.h"
#include "app/process.h"
#include "base/number.h"
#include "base/quote.h"
#include "collect/engine/map_page.h"
#include "collect/engine/mapping_check.h"
#include "collect/engine/mapping_list.h"
#include "collect/engine/vocabulary_mapper.h"
#include "model/names.h"

namespace sonde::app {
namespace {

using collect::CanonicalSample;
using collect::MappingFile;
using collect::NativeSample;

constexpr std::size_t kMaxPageBytes = 256U << 20;

Error Invalid(std::string message) {
  return Error(ErrorKind::kInvalid, std::move(message));
}

Result<std::vector<MappingFile>> FilesOf(Env& env, const MapCommand& command) {
  std::vector<MappingFile> files = collect::InForce(TRY(LoadMappings(env, command.mappings)));
  if (command.engine.empty()) return files;
  std::string names;
  for (const MappingFile& file : files) {
    if (file.name == command.engine) return std::vector<MappingFile>{file};
    names += (names.empty() ? "" : ", ") + file.name;
  }
  return Invalid("--engine " + command.engine + ": there is no such mapping; there are " + names);
}

Result<Labels> TargetLabels(const std::vector<std::string>& pairs) {
  LabelsBuilder builder;
  for (const std::string& pair : pairs) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos || !IsLegacyLabelName(pair.substr(0, equals)))
      return Invalid("--label " + QuoteGo(pair) + ": write NAME=VALUE");
    builder.Set(pair.substr(0, equals), pair.substr(equals + 1));
  }
  return builder.Build();
}

/// One line of the text format.
std::string SampleLine(const Labels& labels, double value,
                       const std::optional<Timestamp>& timestamp) {
  std::string line = labels.ToString() + " ";
  AppendFloatG(line, value);
  if (timestamp) line += " " + std::to_string(timestamp->ms);
  return line + "\n";
}

// Native samples with their canonical ones below them.
std::string Listing(const std::vector<NativeSample>& samples) {
  std::string text;
  for (const NativeSample& sample : samples) {
    text += SampleLine(sample.labels, sample.value, sample.timestamp);
    for (const CanonicalSample& canonical : sample.canonical) {
      text += "  -> " + SampleLine(canonical.labels, canonical.value, sample.timestamp);
      if (canonical.conflicting)
        text.insert(text.size() - 1, "  # not stored: given above with another value");
      else if (canonical.repeated)
        text.insert(text.size() - 1, "  # given above already");
    }
    if (sample.unknown > 0) text += "  -> nothing: this value means that none is known\n";
  }
  return text;
}

std::string_view FamilyOf(const CanonicalSample& sample) {
  std::string_view name = sample.labels.metric_name();
  if (sample.type != MetricType::kHistogram && sample.type != MetricType::kSummary) return name;
  for (const std::string_view suffix : {"_bucket", "_sum", "_count"}) {
    if (name.ends_with(suffix)) return name.substr(0, name.size() - suffix.size());
  }
  return name;
}

// The canonical series alone, family by family.
std::string Exposition(const std::vector<NativeSample>& samples) {
  struct Family {
    MetricType type = MetricType::kUnknown;
    std::string help;
    std::string lines;
  };
  std::map<std::string, Family, std::less<>> families;
  for (const NativeSample& sample : samples) {
    for (const CanonicalSample& canonical : sample.canonical) {
      if (canonical.repeated) continue;
      Family& family = families[std::string(FamilyOf(canonical))];
      family.type = canonical.type;
      family.help = canonical.help;
      family.lines += SampleLine(canonical.labels, canonical.value, sample.timestamp);
    }
  }
  std::string text;
  for (const auto& [name, family] : families) {
    if (!family.help.empty()) text += "# HELP " + name + " " + family.help + "\n";
    text += "# TYPE " + name + " " + std::string(ToString(family.type)) + "\n" + family.lines;
  }
  return text;
}

std::string Summary(const std::vector<NativeSample>& samples) {
  std::size_t mapped = 0;
  std::size_t canonical = 0;
  std::size_t conflicts = 0;
  for (const NativeSample& sample : samples) {
    if (!sample.canonical.empty()) ++mapped;
    for (const CanonicalSample& one : sample.canonical) {
      if (!one.repeated) ++canonical;
      if (one.conflicting) ++conflicts;
    }
  }
  std::string text = std::to_string(samples.size()) + " samples, " + std::to_string(mapped) +
                     " of them mapped, to " + std::to_string(canonical) + " canonical series\n";
  if (conflicts > 0) {
    text += std::to_string(conflicts) +
            " canonical samples are not stored: another native series gives the same one with "
            "another value\n";
  }
  return text;
}

Result<std::string> ReadStandardInput() {
  std::string page;
  char buffer[1 << 16];
  for (std::size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, stdin)) > 0;) {
    page.append(buffer, n);
    if (page.size() > kMaxPageBytes) return Invalid("a page of more than 256 MiB is not mapped");
  }
  return page;
}

int Fail(const Error& error) {
  Print(stderr, "sonde: " + error.message() + "\n");
  return 1;
}

}  // namespace

Result<MapReport> MapText(Env& env, const MapCommand& command, std::string_view page) {
  std::vector<MappingFile> files = TRY(FilesOf(env, command));
  const auto mapper = TRY(collect::VocabularyMapper::Compile(files, command.prefix));
  if (command.list) return MapReport{collect::ListMetrics(files), ""};
  const Labels target = TRY(TargetLabels(command.labels));
  const wire::ExpositionFormat format =
      command.openmetrics ? wire::ExpositionFormat::kOpenMetrics : collect::SniffFormat(page);
  auto samples = collect::MapPage(*mapper, page, format, target);
  if (!samples) return std::move(samples).error().Wrap("standard input");
  return MapReport{command.only_mapped ? Exposition(*samples) : Listing(*samples),
                   Summary(*samples)};
}

int RunMap(const MapCommand& command) {
  PosixEnv env;
  std::string page;
  if (!command.list) {
    auto read = ReadStandardInput();
    if (!read) return Fail(read.error());
    page = *std::move(read);
  }
  const auto report = MapText(env, command, page);
  if (!report) return Fail(report.error());
  Print(stdout, report->text);
  Print(stderr, report->summary);
  return 0;
}

MappingsVerdict CheckMappings(Env& env, const std::vector<std::string>& files) {
  MappingsVerdict verdict;
  std::vector<std::string> shipped;
  std::size_t rules = 0;
  const auto judge = [&](const Status& status) {
    if (status) return true;
    verdict.good = false;
    verdict.text += "  FAILED:\n" + status.error().message() + "\n";
    return false;
  };
  verdict.text += "Checking the shipped mappings\n";
  const auto packs = ShippedMappings();
  if (!packs) {
    judge(packs.error());
  } else {
    bool good = true;
    for (const MappingFile& file : *packs) {
      good = judge(collect::CheckMappingFile(file)) && good;
      shipped.push_back(file.name);
      rules += file.rules.size();
    }
    if (good) {
      verdict.text += "  SUCCESS: " + std::to_string(packs->size()) + " files, " +
                      std::to_string(rules) + " rules\n";
    }
  }
  for (const std::string& path : files) {
    verdict.text += "Checking " + path + "\n";
    const auto file = ReadMappingFile(env, path);
    if (!file) {
      judge(file.error());
      continue;
    }
    if (!judge(collect::CheckMappingFile(*file))) continue;
    const bool replaces = std::find(shipped.begin(), shipped.end(), file->name) != shipped.end();
    verdict.text += "  SUCCESS: " + file->name + ", " + std::to_string(file->rules.size()) +
                    " rules" + (replaces ? ", instead of the shipped file of this name" : "") +
                    "\n";
  }
  return verdict;
}

int RunCheckMappings(const std::vector<std::string>& files) {
  PosixEnv env;
  const MappingsVerdict verdict = CheckMappings(env, files);
  Print(stdout, verdict.text);
  return verdict.good ? 0 : 1;
}

}  // namespace sonde::app
