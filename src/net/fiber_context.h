#pragma once

#include <cstddef>
#include <memory>

// A stack that can be entered and left: the machine below fibers, and the only user of
// Boost.Context. Tells AddressSanitizer and ThreadSanitizer about each switch, so both see through
// fibers.

namespace sonde::net {

/// Address space of a fiber's stack; only pages that were touched cost memory. There is a guard
/// page below.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr std::size_t kFiberStackBytes = 1U << 20;
#else
inline constexpr std::size_t kFiberStackBytes = 256U << 10;
#endif

class FiberContext {
 public:
  /// `main` runs on the new stack at the first Enter; when it returns the stack is done and must
  /// not be entered again.
  FiberContext(void (*main)(void*), void* argument);
  /// The stack must be done, or never entered.
  ~FiberContext();
  FiberContext(const FiberContext&) = delete;
  FiberContext& operator=(const FiberContext&) = delete;

  /// From the thread's own stack: runs the other one until it calls Leave or is done.
  void Enter();
  /// From the other stack: back to where Enter was called.
  void Leave();

 private:
  struct Switch;
  std::unique_ptr<Switch> switch_;
};

}  // namespace sonde::net
