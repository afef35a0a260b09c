// The streaming upstream and the load generator that bench/gateway/run.sh measures proxies with.
// Both are one thread over epoll and nothing else, so that they cost little beside what is
// measured.
//
//   gateway_bench_tool upstream PORT TOKENS RATE
//       answers each POST with a stream of TOKENS events, RATE a second, the first at once
//   gateway_bench_tool client NAME PORT STREAMS SECONDS [PID...]
//       keeps STREAMS streams running; after a warm-up it measures for SECONDS and prints a line:
//       latencies, and CPU and memory of the processes PID
//
// Each event carries the monotonic time at which it was handed to the operating system, so a
// token's latency is what lies between the upstream's write and the client's read.

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

std::int64_t Now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * kSecond + time.tv_nsec;
}

[[noreturn]] void Die(const char* what) {
  std::perror(what);
  std::exit(1);
}

void SetOption(int fd, int level, int name) {
  const int on = 1;
  setsockopt(fd, level, name, &on, sizeof(on));
}

sockaddr_in Loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/// What is due when.
struct Due {
  std::int64_t when;
  std::size_t index;
  bool operator>(const Due& other) const { return when > other.when; }
};
using Schedule = std::priority_queue<Due, std::vector<Due>, std::greater<>>;

/// Waits for events, at most until `when`.
int Wait(int epoll, std::array<epoll_event, 256>& events, std::int64_t when) {
  const std::int64_t left = std::clamp<std::int64_t>(when - Now(), 0, kSecond);
  const timespec timeout{left / kSecond, left % kSecond};
  return epoll_pwait2(epoll, events.data(), static_cast<int>(events.size()), &timeout, nullptr);
}

// -------------------------------------------------------------------------------------------
// upstream

/// A chunk with an event as vLLM writes it; the content is 19 digits of time.
constexpr std::string_view kEventHead =
    "data: "
    "{\"id\":\"chatcmpl-0123456789abcdef0123456789abcdef\",\"object\":\"chat.completion.chunk\","
    "\"created\":"
    "1760000000,\"model\":\"bench\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"";
constexpr std::string_view kEventTail = "\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n";
constexpr std::size_t kDigits = 19;

struct Connection {
  int fd = -1;
  std::string in;
  std::size_t left = 0;  // Tokens.
  std::int64_t next = 0;
};

class Upstream {
 public:
  Upstream(std::uint16_t port, std::size_t tokens, std::int64_t rate)
      : tokens_(tokens),
        gap_(kSecond / rate),
        epoll_(epoll_create1(0)),
        listener_(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) {
    SetOption(listener_, SOL_SOCKET, SO_REUSEADDR);
    SetOption(listener_, IPPROTO_TCP, TCP_NODELAY);
    const sockaddr_in address = Loopback(port);
    if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
      Die("bind");
    if (listen(listener_, 4096) != 0) Die("listen");
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = kListener;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event);
    char size[16];
    std::snprintf(size, sizeof(size), "%zx\r\n", kEventHead.size() + kDigits + kEventTail.size());
    chunk_ = size;
    digits_ = chunk_.size() + kEventHead.size();
    chunk_ +=
        std::string(kEventHead) + std::string(kDigits, '0') + std::string(kEventTail) + "\r\n";
  }

  [[noreturn]] void Run() {
    std::array<epoll_event, 256> events;
    while (true) {
      const int count =
          Wait(epoll_, events, schedule_.empty() ? Now() + kSecond : schedule_.top().when);
      for (int i = 0; i < count; ++i) {
        if (events[static_cast<std::size_t>(i)].data.u64 == kListener) {
          Accept();
        } else {
          Read(static_cast<std::size_t>(events[static_cast<std::size_t>(i)].data.u64));
        }
      }
      while (!schedule_.empty() && schedule_.top().when <= Now()) {
        const std::size_t index = schedule_.top().index;
        schedule_.pop();
        WriteToken(index);
      }
    }
  }

 private:
  static constexpr std::uint64_t kListener = ~0ULL;

  void Accept() {
    while (true) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK);
      if (fd < 0) return;
      const auto index = static_cast<std::size_t>(fd);
      if (connections_.size() <= index) connections_.resize(index + 1);
      connections_[index] = Connection{fd, {}, 0, 0};
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.u64 = index;
      epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    }
  }

  void Close(Connection& connection) {
    close(connection.fd);
    connection = Connection{};
  }

  void Read(std::size_t index) {
    Connection& connection = connections_[index];
    if (connection.fd < 0) return;
    char bytes[16384];
    const ssize_t n = recv(connection.fd, bytes, sizeof(bytes), 0);
    if (n <= 0) {
      if (n == 0 || errno != EAGAIN) Close(connection);
      return;
    }
    connection.in.append(bytes, static_cast<std::size_t>(n));
    const std::size_t head = connection.in.find("\r\n\r\n");
    if (head == std::string::npos) return;
    std::size_t length = 0;
    for (const char* name : {"Content-Length: ", "content-length: "}) {
      const std::size_t at = connection.in.find(name);
      if (at < head) length = std::strtoull(connection.in.c_str() + at + 16, nullptr, 10);
    }
    if (connection.in.size() < head + 4 + length) return;
    const bool get = connection.in.starts_with("GET");
    connection.in.erase(0, head + 4 + length);
    if (get) {  // A proxy's probe.
      Send(connection,
           "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
      return;
    }
    connection.left = tokens_;
    connection.next = Now();
    Send(connection,
         "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: "
         "chunked\r\n\r\n");
    WriteToken(index);
  }

  void WriteToken(std::size_t index) {
    Connection& connection = connections_[index];
    if (connection.fd < 0 || connection.left == 0) return;
    std::snprintf(&chunk_[digits_], kDigits + 1, "%019lld", static_cast<long long>(Now()));
    chunk_[digits_ + kDigits] = '"';  // Which snprintf's end has overwritten.
    Send(connection, chunk_);
    if (connection.fd < 0) return;
    if (--connection.left == 0) {
      Send(connection, "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n");
      return;
    }
    connection.next += gap_;
    schedule_.push({connection.next, index});
  }

  /// Streams are small: a socket that takes no more belongs to a client that is gone.
  void Send(Connection& connection, std::string_view bytes) {
    if (send(connection.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(bytes.size())) {
      Close(connection);
    }
  }

  const std::size_t tokens_;
  const std::int64_t gap_;
  const int epoll_;
  const int listener_;
  std::string chunk_;
  std::size_t digits_ = 0;
  std::vector<Connection> connections_;
  Schedule schedule_;
};

// ---------------------------------------------------------------------------------------------
// client

/// User and system seconds that a process has used.
double CpuSeconds(int pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const std::size_t after = text.rfind(')');
  if (after == std::string::npos) return 0;
  std::size_t at = after + 1;
  for (int field = 3; field < 14; ++field)
    at = text.find(' ', at + 1);
  char* end = nullptr;
  const double user = std::strtod(text.c_str() + at, &end);
  const double system = std::strtod(end, nullptr);
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double ResidentBytes(int pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/statm");
  double total = 0;
  double resident = 0;
  in >> total >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

struct Stream {
  int fd = -1;
  std::string tail;  // Of what was received: a token may be cut.
  std::int64_t asked = 0;
  bool first = true;
};

class Client {
 public:
  Client(std::string name, std::uint16_t port, std::size_t streams, int seconds,
         std::vector<int> pids)
      : name_(std::move(name)),
        port_(port),
        seconds_(seconds),
        pids_(std::move(pids)),
        epoll_(epoll_create1(0)),
        streams_(streams) {
    const std::string body =
        "{\"model\":\"bench\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"" +
        std::string(400, 'q') + "\"}]}";
    request_ =
        "POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\nContent-Type: "
        "application/json\r\nContent-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body;
    tokens_.reserve(2'000'000);
  }

  int Run() {
    const double resident = Sum(ResidentBytes);
    const std::int64_t began = Now();
    const std::int64_t from = began + kWarmUp;
    const std::int64_t end = from + seconds_ * kSecond;
    Schedule starts;
    for (std::size_t i = 0; i < streams_.size(); ++i) {
      starts.push({began + static_cast<std::int64_t>(i) * 3 * kSecond /
                               static_cast<std::int64_t>(streams_.size()),
                   i});
    }
    std::array<epoll_event, 256> events;
    double cpu = -1;
    while (Now() < end) {
      if (cpu < 0 && Now() >= from) {
        cpu = Sum(CpuSeconds);
        measuring_ = true;
      }
      const int count =
          Wait(epoll_, events, starts.empty() ? Now() + kSecond / 10 : starts.top().when);
      const std::int64_t now = Now();
      for (int i = 0; i < count; ++i)
        Read(static_cast<std::size_t>(events[static_cast<std::size_t>(i)].data.u64), now);
      while (!starts.empty() && starts.top().when <= Now()) {
        Connect(starts.top().index);
        starts.pop();
      }
    }
    const double cpu_used = Sum(CpuSeconds) - cpu;
    const double grown = Sum(ResidentBytes) - resident;
    Print(cpu_used, grown);
    return 0;
  }

 private:
  static constexpr std::int64_t kWarmUp = 6 * kSecond;

  template <class Read>
  double Sum(Read read) const {
    double sum = 0;
    for (const int pid : pids_)
      sum += read(pid);
    return sum;
  }

  void Connect(std::size_t index) {
    Stream& stream = streams_[index];
    stream = Stream{};
    stream.fd = socket(AF_INET, SOCK_STREAM, 0);
    SetOption(stream.fd, IPPROTO_TCP, TCP_NODELAY);
    const sockaddr_in address = Loopback(port_);
    if (connect(stream.fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
      Die("connect");
    fcntl(stream.fd, F_SETFL, O_NONBLOCK);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = index;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, stream.fd, &event);
    Ask(stream);
  }

  void Ask(Stream& stream) {
    stream.asked = Now();
    stream.first = true;
    stream.tail.clear();
    if (send(stream.fd, request_.data(), request_.size(), MSG_NOSIGNAL) < 0) Die("send");
  }

  void Read(std::size_t index, std::int64_t now) {
    Stream& stream = streams_[index];
    char bytes[65536];
    const std::size_t kept = stream.tail.size();
    std::memcpy(bytes, stream.tail.data(), kept);
    const ssize_t n = recv(stream.fd, bytes + kept, sizeof(bytes) - kept, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
      ++broken_;
      close(stream.fd);
      Connect(index);
      return;
    }
    std::string_view text(bytes, kept + static_cast<std::size_t>(n));
    constexpr std::string_view kMark = "\"content\":\"";
    while (true) {
      const std::size_t at = text.find(kMark);
      if (at == std::string_view::npos || text.size() < at + kMark.size() + kDigits) break;
      const char* const digits = text.data() + at + kMark.size();
      std::int64_t sent = 0;
      const auto parsed = std::from_chars(digits, digits + kDigits, sent);
      text.remove_prefix(at + kMark.size() + kDigits);
      if (parsed.ptr != digits + kDigits) continue;  // The framing cut it in two.
      if (measuring_) tokens_.push_back(now - sent);
      if (stream.first && measuring_) firsts_.push_back(now - stream.asked);
      stream.first = false;
    }
    const bool done = text.find("[DONE]") != std::string_view::npos &&
                      text.find("0\r\n\r\n") != std::string_view::npos;
    const std::size_t keep = std::min<std::size_t>(text.size(), 64);
    stream.tail.assign(text.substr(text.size() - keep));
    if (done) Ask(stream);
  }

  static double Quantile(std::vector<std::int64_t>& values, double q) {
    if (values.empty()) return 0;
    const auto at =
        values.begin() + static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), at, values.end());
    return static_cast<double>(*at) / 1e3;
  }

  void Print(double cpu, double grown) {
    const auto count = static_cast<double>(tokens_.size());
    std::printf(
        "%-7s first token p50 %6.0f us p99 %6.0f us | token p50 %6.0f us p99 %6.0f us | %6.0f "
        "tokens/s",
        name_.c_str(), Quantile(firsts_, 0.5), Quantile(firsts_, 0.99), Quantile(tokens_, 0.5),
        Quantile(tokens_, 0.99), count / seconds_);
    if (!pids_.empty()) {
      std::printf(" | %5.1f CPU s per million tokens | %5.1f kB a stream", cpu / count * 1e6,
                  grown / 1024 / static_cast<double>(streams_.size()));
    }
    if (broken_ > 0) std::printf(" | %llu broken", static_cast<unsigned long long>(broken_));
    std::printf("\n");
  }

  const std::string name_;
  const std::uint16_t port_;
  const int seconds_;
  const std::vector<int> pids_;
  const int epoll_;
  std::string request_;
  std::vector<Stream> streams_;
  bool measuring_ = false;
  std::uint64_t broken_ = 0;
  std::vector<std::int64_t> tokens_;
  std::vector<std::int64_t> firsts_;
};

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const auto number = [&](std::size_t i) { return std::atoi(words[i].c_str()); };
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  if (words.size() == 4 && words[0] == "upstream") {
    Upstream(static_cast<std::uint16_t>(number(1)), static_cast<std::size_t>(number(2)), number(3))
        .Run();
  }
  if (words.size() >= 5 && words[0] == "client") {
    std::vector<int> pids;
    for (std::size_t i = 5; i < words.size(); ++i)
      pids.push_back(number(i));
    return Client(words[1], static_cast<std::uint16_t>(number(2)),
                  static_cast<std::size_t>(number(3)), number(4), pids)
        .Run();
  }
  std::fprintf(stderr,
               "usage: %s upstream PORT TOKENS RATE | client NAME PORT STREAMS SECONDS [PID...]\n",
               argv[0]);
  return 2;
}
