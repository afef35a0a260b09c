#include "net/resolver.h"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <deque>
#include <functional>
#include <utility>

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>

#include "base/check.h"
#include "base/mutex.h"
#include "base/thread_pool.h"
#include "net/http.h"
#include "net/reactor.h"

namespace sonde::net {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kFresh = 30 * kSecond;
constexpr std::int64_t kFailureFresh = 1 * kSecond;
constexpr std::int64_t kUsable = 300 * kSecond;  // While the name service fails.
constexpr std::size_t kMaxEntries = 4096;
constexpr std::size_t kThreads = 2;

Result<std::vector<Address>> GetAddrInfo(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* list = nullptr;
  const int code = getaddrinfo(host.c_str(), nullptr, &hints, &list);
  if (code != 0) {
    return Error(ErrorKind::kUnavailable, "look up " + host + ": " + gai_strerror(code));
  }
  std::vector<Address> addresses;
  for (const addrinfo* info = list; info != nullptr; info = info->ai_next) {
    if (info->ai_family != AF_INET && info->ai_family != AF_INET6) continue;
    Address address;
    std::memcpy(&address.v6, info->ai_addr, info->ai_addrlen);  // The larger of the two.
    address.size = info->ai_addrlen;
    addresses.push_back(address);
  }
  freeaddrinfo(list);
  if (addresses.empty()) {
    return Error(ErrorKind::kUnavailable, "look up " + host + ": no address");
  }
  return addresses;
}

}  // namespace

Address Address::FromLiteral(std::string_view host, std::uint16_t port) {
  Address address;
  const std::string text(host);
  if (inet_pton(AF_INET, text.c_str(), &address.v4.sin_addr) == 1) {
    address.v4.sin_family = AF_INET;
    address.size = sizeof(address.v4);
  } else if (inet_pton(AF_INET6, text.c_str(), &address.v6.sin6_addr) == 1) {
    address.v6.sin6_family = AF_INET6;
    address.size = sizeof(address.v6);
  } else {
    return {};
  }
  address.set_port(port);
  return address;
}

void Address::set_port(std::uint16_t port) {
  (any.sa_family == AF_INET ? v4.sin_port : v6.sin6_port) = htons(port);
}

std::uint16_t Address::port() const {
  return ntohs(any.sa_family == AF_INET ? v4.sin_port : v6.sin6_port);
}

std::string Address::ToString() const {
  char text[INET6_ADDRSTRLEN] = "";
  const bool is_v4 = any.sa_family == AF_INET;
  const void* bytes = is_v4 ? static_cast<const void*>(&v4.sin_addr) : &v6.sin6_addr;
  if (inet_ntop(any.sa_family, bytes, text, sizeof(text)) == nullptr) return "unknown";
  return (is_v4 ? std::string(text) : "[" + std::string(text) + "]") + ":" + std::to_string(port());
}

/// A queue of look-ups and the threads that do them. Kept alive by each of them, so that one that
/// hangs in getaddrinfo can be left behind.
struct Resolver::Threads {
  Mutex mutex;
  CondVar changed;
  std::deque<std::function<void()>> tasks GUARDED_BY(mutex);
  bool stopping GUARDED_BY(mutex) = false;
  std::vector<pthread_t> ids;  // Of the resolver's thread only.

  static void* Main(void* argument) {
    const std::unique_ptr<std::shared_ptr<Threads>> self(
        static_cast<std::shared_ptr<Threads>*>(argument));
    SetThreadName("resolve");
    (*self)->Work();
    return nullptr;
  }

  void Work() {
    while (true) {
      std::function<void()> task;
      {
        MutexLock lock(mutex);
        while (tasks.empty() && !stopping) {
          changed.Wait(mutex);
        }
        if (stopping) return;
        task = std::move(tasks.front());
        tasks.pop_front();
      }
      task();
    }
  }
};

/// What is known about a name. Fibers wait in `waiters` while it is being looked up.
struct Resolver::Entry {
  std::vector<Address> addresses;
  std::int64_t answered = 0;  // When `addresses` came.
  std::string failure;        // Of the last look-up; empty if it went well.
  std::int64_t failed = 0;
  bool asking = false;
  std::vector<Fiber::State*> waiters;
};

Resolver::Resolver(EventLoop::Impl& loop) : loop_(loop), look_up_(&GetAddrInfo) {}

Resolver::~Resolver() {
  if (threads_ == nullptr) return;
  {
    MutexLock lock(threads_->mutex);
    threads_->stopping = true;
  }
  threads_->changed.NotifyAll();
  timespec until{};
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += 1;
  for (const pthread_t id : threads_->ids) {
    if (pthread_timedjoin_np(id, nullptr, &until) != 0) pthread_detach(id);
  }
}

std::shared_ptr<Resolver::Entry> Resolver::Ask(const std::string& host) {
  auto& entry = entries_[host];
  if (entry == nullptr) entry = std::make_shared<Entry>();
  if (entry->asking) return entry;
  entry->asking = true;
  if (threads_ == nullptr) {
    threads_ = std::make_shared<Threads>();
    for (std::size_t i = 0; i < kThreads; ++i) {
      pthread_t id{};
      auto* self = new std::shared_ptr<Threads>(threads_);
      CHECK(pthread_create(&id, nullptr, &Threads::Main, self) == 0);
      threads_->ids.push_back(id);
    }
  }
  {
    MutexLock lock(threads_->mutex);
    // The mailbox, not the loop: a look-up that hangs may end after the loop has.
    threads_->tasks.emplace_back([this, host, look_up = look_up_, mailbox = loop_.mailbox] {
      auto answer = std::make_shared<Result<std::vector<Address>>>(look_up(host));
      mailbox->Post([this, host, answer] { Answer(host, *std::move(answer)); });
    });
  }
  threads_->changed.NotifyOne();
  return entry;
}

void Resolver::Answer(const std::string& host, Result<std::vector<Address>> answer) {
  Entry& entry = *entries_.at(host);
  entry.asking = false;
  if (answer) {
    entry.addresses = *std::move(answer);
    entry.answered = NowNanos();
    entry.failure.clear();
  } else {
    entry.failure = answer.error().message();
    entry.failed = NowNanos();
  }
  for (Fiber::State* waiter : std::exchange(entry.waiters, {})) {
    waiter->Resume(Fiber::State::Wake::kReady);
  }
}

void Resolver::DropOld(std::int64_t now) {
  if (entries_.size() < kMaxEntries) return;
  const auto drop_older_than = [&](std::int64_t age) {
    std::erase_if(entries_, [&](const auto& item) {
      const Entry& entry = *item.second;
      return !entry.asking && now - std::max(entry.answered, entry.failed) >= age;
    });
  };
  drop_older_than(kFresh);
  if (entries_.size() >= kMaxEntries) drop_older_than(0);
}

Result<std::vector<Address>> Resolver::Resolve(Fiber& fiber, const std::string& host,
                                               std::uint16_t port, std::int64_t deadline) {
  if (const Address literal = Address::FromLiteral(host, port); literal.size != 0) {
    return std::vector<Address>{literal};
  }
  if (EqualsIgnoringCase(host, "localhost")) {  // RFC 6761: never asked of a name server.
    return std::vector<Address>{Address::FromLiteral("127.0.0.1", port),
                                Address::FromLiteral("::1", port)};
  }
  const std::int64_t now = NowNanos();
  DropOld(now);
  const auto it = entries_.find(host);
  std::shared_ptr<Entry> entry = it == entries_.end() ? nullptr : it->second;
  const bool fresh =
      entry != nullptr && !entry->addresses.empty() && now - entry->answered < kFresh;
  const bool failed_just_now =
      entry != nullptr && !entry->failure.empty() && now - entry->failed < kFailureFresh;
  if (!fresh && !failed_just_now) {
    entry = Ask(host);
    Fiber::State& state = fiber.state();
    entry->waiters.push_back(&state);
    const auto wake = state.Suspend(deadline);
    std::erase(entry->waiters, &state);
    if (wake == Fiber::State::Wake::kCancelled) return Error(ErrorKind::kCancelled, "cancelled");
    if (wake == Fiber::State::Wake::kTimeout) {
      return Error(ErrorKind::kTimeout, "look up " + host + ": no answer in time");
    }
  }
  const bool usable = !entry->addresses.empty() && NowNanos() - entry->answered < kUsable;
  if (!entry->failure.empty() && !usable) return Error(ErrorKind::kUnavailable, entry->failure);
  std::vector<Address> addresses = entry->addresses;
  for (Address& address : addresses) {
    address.set_port(port);
  }
  return addresses;
}

}  // namespace sonde::net
