#include "app/mapping_files.h"

#include <utility>

#include "app/packs.h"
#include "base/glob.h"
#include "config/mapping_file.h"

namespace sonde::app {
namespace {

// The parser has a bound of its own, whose message says where it was met.
constexpr std::size_t kMaxMappingBytes = 16U << 20;

}  // namespace

Result<std::vector<collect::MappingFile>> ShippedMappings() {
  std::vector<collect::MappingFile> files;
  for (const EmbeddedFile& file : PacksFiles()) {
    if (file.path.starts_with("mappings/"))
      files.push_back(TRY(config::ParseMappingFile(file.contents, file.path)));
  }
  return files;
}

Result<collect::MappingFile> ReadMappingFile(Env& env, const std::string& path) {
  const std::string text = TRY(env.ReadFile(path, kMaxMappingBytes));
  return config::ParseMappingFile(text, path);
}

Result<std::vector<collect::MappingFile>> LoadMappings(Env& env,
                                                       const std::vector<std::string>& patterns) {
  std::vector<collect::MappingFile> files = TRY(ShippedMappings());
  for (const std::string& pattern : patterns) {
    for (const auto& path : TRY(ExpandGlob(env, pattern)))
      files.push_back(TRY(ReadMappingFile(env, std::string(path))));
  }
  return files;
}

}  // namespace sonde::app
