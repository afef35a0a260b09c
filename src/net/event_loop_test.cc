#include "net/event_loop.h"

#include <atomic>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/thread_pool.h"

namespace sonde::net {
namespace {

TEST(EventLoop, PostRunsOnTheLoopThreadInOrder) {
  EventLoop loop("test");
  std::vector<int> seen;
  std::atomic<bool> on_loop{false};
  for (int i = 0; i < 100; ++i) {
    loop.Post([&seen, i] { seen.push_back(i); });
  }
  loop.Post([&] { on_loop = loop.InLoopThread(); });
  loop.Stop();
  EXPECT_TRUE(on_loop);
  EXPECT_FALSE(loop.InLoopThread());
  ASSERT_EQ(seen.size(), 100U);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(seen[static_cast<std::size_t>(i)], i);
  }
  loop.Post([&seen] { seen.clear(); });  // Dropped.
  EXPECT_EQ(seen.size(), 100U);
}

TEST(EventLoop, FiberRunsAndIsJoined) {
  EventLoop loop("test");
  int steps = 0;
  const FiberHandle handle = loop.Spawn([&](Fiber& fiber) {
    EXPECT_EQ(&fiber.loop(), &loop);
    ++steps;
    EXPECT_TRUE(fiber.Sleep(Duration(0)).ok());
    ++steps;
    EXPECT_TRUE(fiber.Sleep(Duration(1)).ok());
    ++steps;
  });
  handle.Join();
  EXPECT_TRUE(handle.done());
  EXPECT_EQ(steps, 3);
}

TEST(EventLoop, YieldLetsOthersGoFirst) {
  EventLoop loop("test");
  std::string order;
  loop.Post([&] {
    loop.Spawn([&](Fiber& fiber) {
      order += "a";
      EXPECT_TRUE(fiber.Sleep(Duration(0)).ok());
      order += "c";
    });
    loop.Spawn([&](Fiber&) { order += "b"; });
  });
  loop.Post([] {});
  const FiberHandle last = loop.Spawn([](Fiber& fiber) {
    static_cast<void>(fiber.Sleep(Duration(0)).ok());
    static_cast<void>(fiber.Sleep(Duration(0)).ok());
  });
  last.Join();
  loop.Stop();
  EXPECT_EQ(order, "abc");
}

TEST(EventLoop, CancelInterruptsASleep) {
  EventLoop loop("test");
  ErrorKind kind = ErrorKind::kInvalid;
  bool cancelled = false;
  bool later = true;
  const FiberHandle handle = loop.Spawn([&](Fiber& fiber) {
    const Status slept = fiber.Sleep(Duration(3'600'000));
    if (!slept) kind = slept.error().kind();
    cancelled = fiber.cancelled();
    later = fiber.Sleep(Duration(1)).ok();
  });
  handle.Cancel();
  handle.Join();
  EXPECT_EQ(kind, ErrorKind::kCancelled);
  EXPECT_TRUE(cancelled);
  EXPECT_FALSE(later);
}

TEST(EventLoop, StopCancelsAllFibersAndWaitsForThem) {
  EventLoop loop("test");
  int ended = 0;
  for (int i = 0; i < 200; ++i) {
    loop.Spawn([&](Fiber& fiber) {
      while (fiber.Sleep(Duration(3'600'000)).ok()) {
      }
      ++ended;
    });
  }
  std::atomic<bool> running{false};
  loop.Spawn([&](Fiber&) { running = true; }).Join();
  loop.Stop();
  EXPECT_EQ(ended, 200);
  const FiberHandle late = loop.Spawn([&](Fiber&) { ++ended; });
  EXPECT_TRUE(late.done());
  late.Join();
  EXPECT_EQ(ended, 200);
}

TEST(EventLoop, AwaitRunsOnThePoolAndGivesTheResult) {
  EventLoop loop("test");
  ThreadPool pool(2, "work");
  std::string result;
  bool elsewhere = false;
  const FiberHandle handle = loop.Spawn([&](Fiber& fiber) {
    result = fiber.Await(pool, [&] {
      elsewhere = !loop.InLoopThread();
      return std::string("done");
    });
    fiber.Await(pool, [] {});
    EXPECT_TRUE(loop.InLoopThread());
  });
  handle.Join();
  EXPECT_EQ(result, "done");
  EXPECT_TRUE(elsewhere);

  pool.Stop();
  loop.Spawn([&](Fiber& fiber) { result = fiber.Await(pool, [] { return std::string("here"); }); })
      .Join();
  EXPECT_EQ(result, "here");
}

TEST(EventLoop, AwaitIsNotCancelled) {
  EventLoop loop("test");
  ThreadPool pool(1, "work");
  Mutex mutex;
  CondVar changed;
  bool started = false;
  bool may_end = false;
  bool saw_result = false;
  const FiberHandle handle = loop.Spawn([&](Fiber& fiber) {
    const int value = fiber.Await(pool, [&] {
      MutexLock lock(mutex);
      started = true;
      changed.NotifyAll();
      while (!may_end) {
        changed.Wait(mutex);
      }
      return 7;
    });
    saw_result = value == 7 && fiber.cancelled();
  });
  {
    MutexLock lock(mutex);
    while (!started) {
      changed.Wait(mutex);
    }
  }
  handle.Cancel();
  loop.Spawn([](Fiber&) {}).Join();  // The cancellation has been seen.
  EXPECT_FALSE(handle.done());
  {
    MutexLock lock(mutex);
    may_end = true;
    changed.NotifyAll();
  }
  handle.Join();
  EXPECT_TRUE(saw_result);
}

TEST(EventLoop, DeepStacksAndExceptionsWorkInFibers) {
  EventLoop loop("test");
  int caught = 0;
  const auto recurse = [](const auto& self, int depth) -> int {
    volatile char frame[512];
    frame[0] = static_cast<char>(depth);
    if (depth == 0) throw std::string("bottom");
    return self(self, depth - 1) + frame[0];
  };
  std::vector<FiberHandle> handles;
  for (int i = 0; i < 10; ++i) {
    handles.push_back(loop.Spawn([&](Fiber& fiber) {
      try {
        recurse(recurse, 100);
      } catch (const std::string& text) {
        caught += text == "bottom" ? 1 : 0;
      }
      EXPECT_TRUE(fiber.Sleep(Duration(0)).ok());
    }));
  }
  for (const FiberHandle& handle : handles) {
    handle.Join();
  }
  EXPECT_EQ(caught, 10);
}

TEST(EventLoop, WhatABodyHoldsIsGoneAfterJoin) {
  EventLoop loop("test");
  auto held = std::make_shared<int>(1);
  const FiberHandle handle = loop.Spawn([held](Fiber&) {});
  handle.Join();
  EXPECT_EQ(held.use_count(), 1);
}

TEST(EventLoop, TimersFireInTheOrderOfTheirTimes) {
  EventLoop loop("test");
  std::string order;
  std::vector<FiberHandle> handles;
  const auto sleeper = [&](char name, int ms) {
    handles.push_back(loop.Spawn([&order, name, ms](Fiber& fiber) {
      EXPECT_TRUE(fiber.Sleep(Duration(ms)).ok());
      order.push_back(name);
    }));
  };
  sleeper('c', 9);
  sleeper('a', 1);
  sleeper('b', 5);
  for (const FiberHandle& handle : handles) {
    handle.Join();
  }
  EXPECT_EQ(order, "abc");
}

TEST(LoopGroup, GoesRoundRobin) {
  LoopGroup loops(3);
  EXPECT_EQ(loops.size(), 3U);
  EventLoop* first = &loops.Next();
  EXPECT_NE(&loops.Next(), first);
  EXPECT_NE(&loops.Next(), first);
  EXPECT_EQ(&loops.Next(), first);
  loops.Stop();
  loops.Stop();
}

}  // namespace
}  // namespace sonde::net
