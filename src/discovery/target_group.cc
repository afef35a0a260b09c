#include "discovery/target_group.h"

#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/json.h"
#include "base/quote.h"
#include "base/utf8.h"
#include "model/names.h"

namespace sonde::discovery {
namespace {

constexpr std::string_view kAddress = "__address__";

class GroupReader {
 public:
  explicit GroupReader(std::string_view file) : file_(file) {}

  Result<TargetGroup> Read(JsonView json, std::size_t index) {
    TargetGroup group;
    if (!json.is_object()) return Fail(index, "nil target group item found, or not an object");
    std::optional<Error> error;
    json.ForEach([&](std::string_view key, JsonView value) {
      if (error) return;
      Status status =
          key == "targets" ? ReadTargets(value, group, index)
          : key == "labels"
              ? ReadLabels(value, group, index)
              : Status(Fail(index, fmt::format("json: unknown field {}", QuoteGo(key))));
      if (!status) error = std::move(status).error();
    });
    if (error) return *std::move(error);
    return group;
  }

 private:
  Status ReadTargets(JsonView value, TargetGroup& group, std::size_t index) {
    if (value.is_null()) return OkStatus();
    if (!value.is_array()) return Fail(index, "targets must be a list of strings");
    for (std::size_t i = 0; i < value.size(); ++i) {
      const auto address = value.at(i).string();
      if (!address) return Fail(index, fmt::format("targets[{}] must be a string", i));
      group.targets.push_back(Labels::Of({{kAddress, *address}}));
    }
    return OkStatus();
  }

  Status ReadLabels(JsonView value, TargetGroup& group, std::size_t index) {
    if (value.is_null()) return OkStatus();
    if (!value.is_object()) return Fail(index, "labels must be an object of strings");
    LabelsBuilder builder;
    std::optional<Error> error;
    value.ForEach([&](std::string_view name, JsonView label) {
      const auto text = label.string();
      if (error) return;
      if (!text) {
        error = Fail(index, fmt::format("label {} must be a string", QuoteGo(name)));
      } else if (!IsValidName(name) || name.size() > kMaxLabelBytes ||
                 text->size() > kMaxLabelBytes) {
        error =
            Fail(index, fmt::format("{} is not a valid label name", QuoteGo(name.substr(0, 64))));
      } else {
        builder.Set(name, *text);
      }
    });
    if (error) return *std::move(error);
    group.labels = builder.Build();
    return OkStatus();
  }

  Error Fail(std::size_t index, std::string_view message) const {
    return {ErrorKind::kInvalid, fmt::format("{}: group {}: {}", file_, index, message)};
  }

  std::string_view file_;
};

}  // namespace

Result<std::vector<TargetGroup>> ParseTargetGroupsJson(std::string_view text,
                                                       std::string_view file) {
  auto document = JsonDocument::Parse(text, 16);
  if (!document) return std::move(document).error().Wrap(file);
  const JsonView root = document->root();
  std::vector<TargetGroup> groups;
  if (root.is_null()) return groups;
  if (!root.is_array()) {
    return Error(ErrorKind::kInvalid, fmt::format("{}: a list of target groups is expected", file));
  }
  GroupReader reader(file);
  groups.reserve(root.size());
  for (std::size_t i = 0; i < root.size(); ++i)
    groups.push_back(TRY(reader.Read(root.at(i), i)));
  return groups;
}

}  // namespace sonde::discovery
