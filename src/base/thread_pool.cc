#include "base/thread_pool.h"

#include <string>

#include <pthread.h>

namespace sonde {

void SetThreadName(const char* name) {
  std::string cut(name);
  if (cut.size() > 15) cut.resize(15);
  pthread_setname_np(pthread_self(), cut.c_str());
}

ThreadPool::ThreadPool(std::size_t threads, const char* name) {
  threads_.reserve(threads);
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this, thread_name = std::string(name) + "-" + std::to_string(i)] {
      SetThreadName(thread_name.c_str());
      Work();
    });
  }
}

ThreadPool::~ThreadPool() {
  Stop();
}

bool ThreadPool::Submit(std::function<void()> task) {
  {
    MutexLock lock(mutex_);
    if (stopping_) return false;
    tasks_.push_back(std::move(task));
  }
  changed_.NotifyOne();
  return true;
}

void ThreadPool::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  for (std::jthread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

std::size_t ThreadPool::queued() const {
  MutexLock lock(mutex_);
  return tasks_.size();
}

void ThreadPool::Work() {
  while (true) {
    std::function<void()> task;
    {
      MutexLock lock(mutex_);
      while (tasks_.empty() && !stopping_) {
        changed_.Wait(mutex_);
      }
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

}  // namespace sonde
