#include "storage/storage.h"

namespace sonde::storage {

std::string_view ToString(AppendError error) {
  switch (error) {
    case AppendError::kNone:
      return "ok";
    case AppendError::kUnknownSeries:
      return "unknown series";
    case AppendError::kInvalidLabels:
      return "invalid labels";
    case AppendError::kOutOfOrder:
      return "out of order sample";
    case AppendError::kDuplicate:
      return "duplicate sample for timestamp";
    case AppendError::kOutOfBounds:
      return "out of bounds";
    case AppendError::kTooOld:
      return "too old sample";
    case AppendError::kLimit:
      return "series limit reached";
    case AppendError::kInvalidHistogram:
      return "invalid histogram";
    case AppendError::kUnsupported:
      return "kind of sample not supported by this store";
  }
  return "unknown error";
}

}  // namespace sonde::storage
