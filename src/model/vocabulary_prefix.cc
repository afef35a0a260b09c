#include "model/vocabulary_prefix.h"

#include <algorithm>

namespace sonde {

std::string WithVocabularyPrefix(std::string_view text, std::string_view prefix) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t found = std::min(text.find(kVocabularyPrefix, at), text.size());
    out += text.substr(at, found - at);
    if (found < text.size()) out += prefix;
    at = found + kVocabularyPrefix.size();
  }
  return out;
}

}  // namespace sonde
