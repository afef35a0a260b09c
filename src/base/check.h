#pragma once

// CHECK stops the process when one of our own assumptions is broken, in every build. What the
// world may do (a corrupt file, a bad query, a full disk) is never a CHECK but an Error
// (base/result.h).

namespace sonde::internal {

/// Prints "file:line: check failed: expression" to standard error and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* expression);

}  // namespace sonde::internal

#define CHECK(condition)                               \
  (static_cast<bool>(condition) ? static_cast<void>(0) \
                                : ::sonde::internal::CheckFailed(__FILE__, __LINE__, #condition))

/// As CHECK, but only in debug builds: for conditions that cost something to test.
#ifdef SONDE_DCHECKS
#define DCHECK(condition) CHECK(condition)
#else
#define DCHECK(condition) static_cast<void>(0)
#endif
