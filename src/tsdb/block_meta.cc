#include "tsdb/block_meta.h"

#include <algorithm>

#include "base/json.h"

namespace sonde::tsdb {
namespace {

constexpr std::uint64_t kMaxMetaBytes = 64U << 20;

/// Writes JSON as Go's MarshalIndent with tabs does.
class IndentedJson {
 public:
  void Open(std::string_view key, char bracket) {
    Begin(key);
    out_.push_back(bracket);
    ++depth_;
    first_ = true;
  }
  void Close(char bracket) {
    --depth_;
    if (!first_) NewLine();
    out_.push_back(bracket);
    first_ = false;
  }
  void Value(std::string_view key, std::string_view text) {
    Begin(key);
    AppendJsonString(out_, text);
  }
  void Value(std::string_view key, std::int64_t number) {
    Begin(key);
    out_ += std::to_string(number);
  }
  void True(std::string_view key) {
    Begin(key);
    out_ += "true";
  }
  std::string Take() { return std::move(out_); }

 private:
  void NewLine() {
    out_.push_back('\n');
    out_.append(depth_, '\t');
  }
  void Begin(std::string_view key) {
    if (depth_ > 0) {
      if (!first_) out_.push_back(',');
      NewLine();
    }
    first_ = false;
    if (key.empty()) return;
    AppendJsonString(out_, key);
    out_ += ": ";
  }

  std::string out_;
  std::size_t depth_ = 0;
  bool first_ = true;
};

void WriteCount(IndentedJson& json, std::string_view key, std::uint64_t count) {
  if (count > 0) json.Value(key, static_cast<std::int64_t>(count));
}

Error Invalid(std::string_view what) {
  return Error(ErrorKind::kInvalid, "meta.json: " + std::string(what));
}

std::uint64_t CountOf(JsonView view) {
  const auto number = view.integer();
  return number && *number > 0 ? static_cast<std::uint64_t>(*number) : 0;
}

Result<Ulid> ParseId(JsonView view, std::string_view what) {
  const auto text = view.string();
  const auto id = text ? Ulid::Parse(*text) : std::nullopt;
  if (!id) return Invalid(std::string(what) + " is not a ULID");
  return *id;
}

Result<Timestamp> ParseTime(JsonView view, std::string_view what) {
  const auto ms = view.integer();
  if (!ms) return Invalid(std::string(what) + " is not a time in milliseconds");
  return Timestamp{*ms};
}

Status ParseCompaction(JsonView compaction, BlockMeta& meta) {
  meta.level = static_cast<int>(std::min<std::uint64_t>(CountOf(compaction["level"]), 1000));
  const JsonView sources = compaction["sources"];
  for (std::size_t i = 0; i < sources.size(); ++i) {
    meta.sources.push_back(TRY(ParseId(sources.at(i), "compaction.sources")));
  }
  meta.deletable = compaction["deletable"].boolean().value_or(false);
  meta.failed = compaction["failed"].boolean().value_or(false);
  const JsonView parents = compaction["parents"];
  for (std::size_t i = 0; i < parents.size(); ++i) {
    const JsonView parent = parents.at(i);
    meta.parents.push_back({TRY(ParseId(parent["ulid"], "compaction.parents")),
                            {parent["minTime"].integer().value_or(0)},
                            {parent["maxTime"].integer().value_or(0)}});
  }
  const JsonView hints = compaction["hints"];
  for (std::size_t i = 0; i < hints.size(); ++i) {
    if (const auto hint = hints.at(i).string()) meta.hints.emplace_back(*hint);
  }
  return OkStatus();
}

}  // namespace

bool BlockMeta::HasHint(std::string_view hint) const {
  return std::ranges::find(hints, hint) != hints.end();
}

std::string FormatBlockMeta(const BlockMeta& meta) {
  IndentedJson json;
  json.Open("", '{');
  json.Value("ulid", meta.id.ToString());
  json.Value("minTime", meta.min_time.ms);
  json.Value("maxTime", meta.max_time.ms);
  json.Open("stats", '{');
  WriteCount(json, "numSamples", meta.stats.samples);
  WriteCount(json, "numFloatSamples", meta.stats.float_samples);
  WriteCount(json, "numHistogramSamples", meta.stats.histogram_samples);
  WriteCount(json, "numSeries", meta.stats.series);
  WriteCount(json, "numChunks", meta.stats.chunks);
  WriteCount(json, "numTombstones", meta.stats.tombstones);
  json.Close('}');
  json.Open("compaction", '{');
  json.Value("level", meta.level);
  if (!meta.sources.empty()) {
    json.Open("sources", '[');
    for (const Ulid& id : meta.sources) {
      json.Value("", id.ToString());
    }
    json.Close(']');
  }
  if (meta.deletable) json.True("deletable");
  if (!meta.parents.empty()) {
    json.Open("parents", '[');
    for (const BlockParent& parent : meta.parents) {
      json.Open("", '{');
      json.Value("ulid", parent.id.ToString());
      json.Value("minTime", parent.min_time.ms);
      json.Value("maxTime", parent.max_time.ms);
      json.Close('}');
    }
    json.Close(']');
  }
  if (meta.failed) json.True("failed");
  if (!meta.hints.empty()) {
    json.Open("hints", '[');
    for (const std::string& hint : meta.hints) {
      json.Value("", hint);
    }
    json.Close(']');
  }
  json.Close('}');
  json.Value("version", 1);
  json.Close('}');
  return json.Take();
}

Result<BlockMeta> ParseBlockMeta(std::string_view text) {
  const JsonDocument document = TRY(JsonDocument::Parse(text));
  const JsonView root = document.root();
  if (!root.is_object()) return Invalid("not an object");
  const std::int64_t version = root["version"].integer().value_or(0);
  if (version != 1 && version != 2) return Invalid("version is not 1");
  BlockMeta meta;
  meta.version = static_cast<int>(version);
  meta.id = TRY(ParseId(root["ulid"], "ulid"));
  meta.min_time = TRY(ParseTime(root["minTime"], "minTime"));
  meta.max_time = TRY(ParseTime(root["maxTime"], "maxTime"));
  if (meta.max_time < meta.min_time) return Invalid("maxTime is before minTime");
  const JsonView stats = root["stats"];
  meta.stats.samples = CountOf(stats["numSamples"]);
  meta.stats.float_samples = CountOf(stats["numFloatSamples"]);
  meta.stats.histogram_samples = CountOf(stats["numHistogramSamples"]);
  meta.stats.series = CountOf(stats["numSeries"]);
  meta.stats.chunks = CountOf(stats["numChunks"]);
  meta.stats.tombstones = CountOf(stats["numTombstones"]);
  TRY(ParseCompaction(root["compaction"], meta));
  return meta;
}

Result<BlockMeta> ReadBlockMeta(Env& env, const Env::Path& block_dir) {
  const std::string text = TRY(env.ReadFile(block_dir / "meta.json", kMaxMetaBytes));
  auto meta = ParseBlockMeta(text);
  if (!meta) return std::move(meta).error().Wrap(block_dir.string());
  return meta;
}

}  // namespace sonde::tsdb
