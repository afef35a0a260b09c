#include "net/fiber_context.h"

#include <utility>

#include <boost/context/fiber.hpp>
#include <boost/context/protected_fixedsize_stack.hpp>

#include "base/check.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ \
  1  // NOLINT(bugprone-reserved-identifier): gcc's name for the same thing
#endif
#if __has_feature(thread_sanitizer) && !defined(__SANITIZE_THREAD__)
#define __SANITIZE_THREAD__ \
  1  // NOLINT(bugprone-reserved-identifier): gcc's name for the same thing
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace sonde::net {

namespace context = boost::context;

struct FiberContext::Switch {
  void (*main)(void*);
  void* argument;
  context::protected_fixedsize_stack allocator{kFiberStackBytes};
  context::stack_context stack;
  context::fiber inside;   // Where the fiber waits; empty while it runs and once it is done.
  context::fiber outside;  // Where Enter was called; empty while nobody is inside.
  bool entered = false;
  // The sanitizers' view of both sides.
  const void* outside_bottom = nullptr;
  std::size_t outside_size = 0;
  void* fake_inside = nullptr;
  void* tsan_inside = nullptr;
  void* tsan_outside = nullptr;

  const char* bottom() const { return static_cast<const char*>(stack.sp) - stack.size; }
};

FiberContext::FiberContext(void (*main)(void*), void* argument)
    : switch_(std::make_unique<Switch>()) {
  Switch& s = *switch_;
  s.main = main;
  s.argument = argument;
  s.stack = s.allocator.allocate();
#if defined(__SANITIZE_THREAD__)
  s.tsan_inside = __tsan_create_fiber(0);
#endif
  s.inside =
      context::fiber(std::allocator_arg, context::preallocated(s.stack.sp, s.stack.size, s.stack),
                     s.allocator, [&s](context::fiber&& outside) {
                       s.outside = std::move(outside);
#if defined(__SANITIZE_ADDRESS__)
                       __sanitizer_finish_switch_fiber(nullptr, &s.outside_bottom, &s.outside_size);
#endif
                       s.main(s.argument);
#if defined(__SANITIZE_THREAD__)
                       __tsan_switch_to_fiber(s.tsan_outside, 0);
#endif
#if defined(__SANITIZE_ADDRESS__)
                       __sanitizer_start_switch_fiber(nullptr, s.outside_bottom, s.outside_size);
#endif
                       return std::move(s.outside);
                     });
}

FiberContext::~FiberContext() {
  CHECK(!switch_->inside || !switch_->entered);
#if defined(__SANITIZE_THREAD__)
  __tsan_destroy_fiber(switch_->tsan_inside);
#endif
}

void FiberContext::Enter() {
  Switch& s = *switch_;
  s.entered = true;
#if defined(__SANITIZE_ADDRESS__)
  void* fake_outside = nullptr;
  __sanitizer_start_switch_fiber(&fake_outside, s.bottom(), s.stack.size);
#endif
#if defined(__SANITIZE_THREAD__)
  s.tsan_outside = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(s.tsan_inside, 0);
#endif
  s.inside = std::move(s.inside).resume();
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake_outside, nullptr, nullptr);
#endif
}

void FiberContext::Leave() {
  Switch& s = *switch_;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&s.fake_inside, s.outside_bottom, s.outside_size);
#endif
#if defined(__SANITIZE_THREAD__)
  __tsan_switch_to_fiber(s.tsan_outside, 0);
#endif
  s.outside = std::move(s.outside).resume();
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(s.fake_inside, &s.outside_bottom, &s.outside_size);
#endif
}

}  // namespace sonde::net
