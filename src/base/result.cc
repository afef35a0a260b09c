#include "base/result.h"

namespace sonde {

std::string_view ToString(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalid:
      return "invalid";
    case ErrorKind::kNotFound:
      return "not_found";
    case ErrorKind::kCorruption:
      return "corruption";
    case ErrorKind::kIo:
      return "io";
    case ErrorKind::kTimeout:
      return "timeout";
    case ErrorKind::kCancelled:
      return "cancelled";
    case ErrorKind::kLimit:
      return "limit";
    case ErrorKind::kUnavailable:
      return "unavailable";
  }
  return "unknown";
}

}  // namespace sonde
