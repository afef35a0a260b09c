#include "net/reactor.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "net/resolver.h"

namespace sonde::net {
namespace {

class TestTimer final : public Timer {
 public:
  TestTimer(TimerQueue& queue, std::vector<TestTimer*>& fired) : Timer(queue), fired_(fired) {}
  std::int64_t due = kNever;

 private:
  void OnTimer() override { fired_.push_back(this); }
  std::vector<TestTimer*>& fired_;
};

TEST(TimerQueue, AgreesWithASortedList) {
  Rng rng(7);
  TimerQueue queue;
  std::vector<TestTimer*> fired;
  std::vector<std::unique_ptr<TestTimer>> timers;
  for (int i = 0; i < 50; ++i) {
    timers.push_back(std::make_unique<TestTimer>(queue, fired));
  }
  std::int64_t now = 0;
  for (int step = 0; step < 20'000; ++step) {
    TestTimer& timer = *timers[rng.Below(timers.size())];
    switch (rng.Below(4)) {
      case 0:
        timer.Disarm();
        timer.due = kNever;
        break;
      case 1: {
        auto& slot = timers[rng.Below(timers.size())];
        slot = std::make_unique<TestTimer>(queue, fired);
        break;
      }
      case 2:
        timer.due = now + static_cast<std::int64_t>(rng.Below(100));
        timer.Arm(timer.due);
        break;
      default: {
        now += static_cast<std::int64_t>(rng.Below(20));
        std::vector<TestTimer*> want;
        for (const auto& t : timers) {
          if (t->due <= now) want.push_back(t.get());
        }
        fired.clear();
        queue.RunDue(now);
        for (TestTimer* t : fired) {
          t->due = kNever;
        }
        std::ranges::sort(want);
        std::ranges::sort(fired);
        ASSERT_EQ(fired, want) << "step " << step;
        // The next look is never later than the first timer that is due.
        for (const auto& t : timers) {
          ASSERT_LE(queue.next(), t->due);
        }
      }
    }
  }
}

struct Note final : Runnable {
  Note(std::string& l, char n) : log(l), name(n) {}
  void Run() override {
    log.push_back(name);
    if (then) then();
  }
  std::string& log;
  char name;
  std::function<void()> then;
};

TEST(ReadyList, RunsInOrderAndForgetsWhatIsDestroyed) {
  ReadyList list;
  std::string log;
  Note a(log, 'a');
  auto b = std::make_unique<Note>(log, 'b');
  Note c(log, 'c');
  a.then = [&] {
    b.reset();     // Off the list while the list runs.
    list.Push(a);  // In the next round.
  };
  list.Push(a);
  list.Push(*b);
  list.Push(c);
  list.Push(c);
  list.RunAll();
  EXPECT_EQ(log, "ac");
  EXPECT_FALSE(list.empty());
  a.then = nullptr;
  list.RunAll();
  EXPECT_EQ(log, "aca");
  EXPECT_TRUE(list.empty());
}

TEST(Address, LiteralsAndText) {
  EXPECT_EQ(Address::FromLiteral("127.0.0.1", 80).ToString(), "127.0.0.1:80");
  EXPECT_EQ(Address::FromLiteral("::1", 9090).ToString(), "[::1]:9090");
  EXPECT_EQ(Address::FromLiteral("localhost", 1).size, 0U);
  EXPECT_EQ(Address::FromLiteral("127.0.0.1", 80).port(), 80);
}

std::atomic<int> lookups{0};

Result<std::vector<Address>> FakeLookUp(const std::string& host) {
  ++lookups;
  if (host == "missing") return Error(ErrorKind::kUnavailable, "look up missing: no such name");
  return std::vector<Address>{Address::FromLiteral("192.0.2.1", 0)};
}

TEST(Resolver, AsksOncePerNameAndRemembers) {
  EventLoop loop("test");
  lookups = 0;
  std::vector<FiberHandle> fibers;
  loop.Post([&] { loop.impl().resolver().SetLookUpForTest(&FakeLookUp); });
  int good = 0;
  for (int i = 0; i < 10; ++i) {
    fibers.push_back(loop.Spawn([&](Fiber& fiber) {
      const auto found = loop.impl().resolver().Resolve(fiber, "engine", 8000, kNever);
      good += found && found->size() == 1 && (*found)[0].ToString() == "192.0.2.1:8000" ? 1 : 0;
    }));
  }
  for (const FiberHandle& fiber : fibers) {
    fiber.Join();
  }
  EXPECT_EQ(good, 10);
  EXPECT_EQ(lookups, 1);
  std::string message;
  loop.Spawn([&](Fiber& fiber) {
        auto& resolver = loop.impl().resolver();
        EXPECT_EQ(resolver.Resolve(fiber, "engine", 9000, kNever)->front().port(), 9000);
        for (int i = 0; i < 3; ++i) {
          const auto found = resolver.Resolve(fiber, "missing", 1, kNever);
          message = found ? "found" : found.error().message();
        }
        EXPECT_EQ(resolver.Resolve(fiber, "LOCALHOST", 5, kNever)->front().ToString(),
                  "127.0.0.1:5");
        EXPECT_EQ(resolver.Resolve(fiber, "::1", 5, kNever)->front().ToString(), "[::1]:5");
      })
      .Join();
  EXPECT_EQ(message, "look up missing: no such name");
  EXPECT_EQ(lookups, 2);  // The failure is remembered, too.
}

// A look-up that hangs until it is let go.
Mutex gate;
CondVar gate_changed;
bool gate_open = false;

Result<std::vector<Address>> HangingLookUp(const std::string&) {
  MutexLock lock(gate);
  while (!gate_open) {
    gate_changed.Wait(gate);
  }
  return Error(ErrorKind::kUnavailable, "too late");
}

TEST(Resolver, WaitingCanBeCancelledAndTimesOut) {
  EventLoop loop("test");
  loop.Post([&] { loop.impl().resolver().SetLookUpForTest(&HangingLookUp); });
  ErrorKind first = ErrorKind::kInvalid;
  ErrorKind second = ErrorKind::kInvalid;
  const FiberHandle waiting = loop.Spawn([&](Fiber& fiber) {
    first = loop.impl().resolver().Resolve(fiber, "slow", 1, kNever).error().kind();
  });
  loop.Spawn([&](Fiber& fiber) {
        second = loop.impl()
                     .resolver()
                     .Resolve(fiber, "slow", 1, DeadlineAfter(Duration(1)))
                     .error()
                     .kind();
      })
      .Join();
  waiting.Cancel();
  waiting.Join();
  EXPECT_EQ(first, ErrorKind::kCancelled);
  EXPECT_EQ(second, ErrorKind::kTimeout);
  {
    MutexLock lock(gate);
    gate_open = true;
    gate_changed.NotifyAll();
  }
  loop.Stop();
}

}  // namespace
}  // namespace sonde::net
