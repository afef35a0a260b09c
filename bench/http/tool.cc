// The server and the client that bench/http/run.sh measures.
//
//   http_bench_tool serve PORT             answers every request with 35 bytes; /big with 72 kB;
//   one loop http_bench_tool idle PORT COUNT        opens COUNT connections, asks once on each,
//   keeps them until killed http_bench_tool fetch PORT TARGETS N   N rounds over TARGETS kept-alive
//   connections; prints its CPU per fetch

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "instrument/registry.h"
#include "net/http_client.h"
#include "net/http_server.h"

namespace {

using sonde::Duration;
using sonde::net::EventLoop;
using sonde::net::Fiber;
using sonde::net::FiberHandle;
using sonde::net::HttpClient;
using sonde::net::HttpClientRequest;
using sonde::net::HttpRequest;
using sonde::net::HttpResponse;
using sonde::net::HttpServer;
using sonde::net::LoopGroup;
using sonde::net::Url;

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void WaitForSignal() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  int signal = 0;
  sigwait(&set, &signal);
}

int Serve(std::uint16_t port) {
  sonde::SystemClock clock;
  sonde::StderrSink sink;
  sonde::instrument::Registry registry;
  LoopGroup loops(1);
  const std::string big(72'000, 'x');
  HttpServer server(
      loops, {.max_connections = 100'000},
      [&](Fiber&, HttpRequest& request, HttpResponse& response) {
        const bool wants_big = request.path() == "/big";
        static_cast<void>(response
                              .Reply(200, "text/plain",
                                     wants_big ? big : "Hello, this answer has 35 bytes.\r\n\n")
                              .ok());
      },
      sonde::Logger(sink, clock), registry, "bench");
  const auto started = server.Start({"127.0.0.1", port});
  if (!started) {
    std::fprintf(stderr, "%s\n", started.error().message().c_str());
    return 1;
  }
  WaitForSignal();
  server.Stop(Duration(100));
  return 0;
}

int Fetch(std::uint16_t port, int targets, int rounds, bool hold) {
  sonde::instrument::Registry registry;
  LoopGroup loops(1);
  std::vector<std::unique_ptr<HttpClient>>
      clients;  // One per target, so that each has its own connection.
  Url url;
  url.host = "127.0.0.1";
  url.port = port;
  url.path = hold ? "/" : "/big";
  long failures = 0;
  for (int i = 0; i < targets; ++i) {
    clients.push_back(std::make_unique<HttpClient>(
        sonde::net::HttpClientOptions{.idle_timeout = Duration(3'600'000)}, registry, "bench"));
  }
  const auto run_rounds = [&](int count) {
    std::vector<FiberHandle> fibers;
    for (int i = 0; i < targets; ++i) {
      fibers.push_back(loops.at(0).Spawn([&, i, count](Fiber& fiber) {
        HttpClientRequest request{.url = url, .decode = false};
        for (int r = 0; r < count; ++r) {
          const auto reply = clients[static_cast<std::size_t>(i)]->Fetch(fiber, request, 1U << 20,
                                                                         Duration(60'000));
          failures += reply && reply->status == 200 ? 0 : 1;
        }
      }));
    }
    for (const FiberHandle& fiber : fibers) {
      fiber.Join();
    }
  };
  run_rounds(1);
  if (hold) {
    std::printf("%d connections\n", targets);
    std::fflush(stdout);
    WaitForSignal();
  } else {
    const double before = CpuSeconds();
    run_rounds(rounds);
    const double cpu = CpuSeconds() - before;
    std::printf("%d targets x %d fetches of 72 kB: %.1f us of CPU each, %ld failures\n", targets,
                rounds, cpu * 1e6 / targets / rounds, failures);
  }
  clients.clear();
  loops.Stop();
  return failures == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  const std::vector<std::string_view> args(argv + 1, argv + argc);
  const auto number = [&](std::size_t i) {
    return i < args.size() ? std::atoi(args[i].data()) : 0;
  };
  const auto port = static_cast<std::uint16_t>(number(1));
  if (args.size() == 2 && args[0] == "serve") return Serve(port);
  if (args.size() == 3 && args[0] == "idle") return Fetch(port, number(2), 0, true);
  if (args.size() == 4 && args[0] == "fetch") return Fetch(port, number(2), number(3), false);
  std::fprintf(stderr, "usage: serve PORT | idle PORT COUNT | fetch PORT TARGETS ROUNDS\n");
  return 2;
}
