#pragma once

#include <string>
#include <string_view>

namespace sonde {

/// What canonical names begin with unless the configuration says otherwise. Mapping files, rule
/// packs and Sonde's own expressions are written with it.
inline constexpr std::string_view kVocabularyPrefix = "deepseek_";

/// `text` with `prefix` in the place of every kVocabularyPrefix.
std::string WithVocabularyPrefix(std::string_view text, std::string_view prefix);

}  // namespace sonde
