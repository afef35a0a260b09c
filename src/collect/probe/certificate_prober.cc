#include "collect/probe/certificate_prober.h"

#include <algorithm>
#include <set>
#include <utility>

#include "collect/probe/canary.h"
#include "net/tls_inspect.h"

namespace sonde::collect {
namespace {

using instrument::FamilyType;
using instrument::Point;

constexpr std::size_t kMaxTargets = 10'000;
constexpr std::size_t kParallel = 8;
constexpr Duration kTick{60'000};

std::vector<std::string> ProblemsOf(const net::TlsInspection& seen, Timestamp now) {
  std::vector<std::string> problems;
  if (seen.earliest_not_after <= now) problems.emplace_back("expired");
  if (seen.leaf_not_before > now) problems.emplace_back("not_yet_valid");
  if (!seen.name_problem.empty()) problems.emplace_back("name");
  // A chain is also refused for its times, which are told apart already.
  if (!seen.chain_problem.empty() && problems.empty()) problems.emplace_back("chain");
  return problems;
}

std::vector<std::string> ProblemsOf(const Error& error) {
  if (error.kind() == ErrorKind::kTimeout) return {"timeout"};
  return {error.message().starts_with("TLS") ? "handshake" : "connect"};
}

}  // namespace

std::vector<CertificateTarget> DistinctCertificateTargets(std::vector<CertificateTarget> targets) {
  std::set<std::string> seen;
  std::vector<CertificateTarget> distinct;
  for (CertificateTarget& target : targets) {
    const auto url = net::Url::Parse(target.url);
    if (!url || !url->tls || distinct.size() == kMaxTargets) continue;
    if (seen.insert(InstanceOf(target.url)).second) distinct.push_back(std::move(target));
  }
  return distinct;
}

CertificateProber::CertificateProber(const CertificateOptions& options, Targets targets,
                                     const Context& context)
    : options_(options),
      targets_(std::move(targets)),
      context_(context),
      board_(std::make_shared<Board>()),
      crew_(context.loop) {
  context_.registry.AddCollector(
      "probe_ssl_earliest_cert_expiry",
      "When the first certificate that an https address presents expires, in Unix seconds.",
      FamilyType::kGauge, [board = board_](std::vector<Point>& points) {
        MutexLock lock(board->mutex);
        for (const auto& [instance, state] : board->states) {
          if (!state.expiry) continue;
          points.push_back(
              {{{"instance", instance}, {"kind", state.kind}}, state.expiry->seconds(), nullptr});
        }
      });
  context_.registry.AddCollector(
      "sonde_certificate_problem", "1 while an https address has this problem.", FamilyType::kGauge,
      [board = board_](std::vector<Point>& points) {
        MutexLock lock(board->mutex);
        for (const auto& [instance, state] : board->states) {
          for (const std::string& problem : state.problems) {
            points.push_back(
                {{{"instance", instance}, {"kind", state.kind}, {"problem", problem}}, 1, nullptr});
          }
        }
      });
}

CertificateProber::~CertificateProber() {
  Stop();
}

void CertificateProber::Start() {
  crew_.Spawn([this](net::Fiber& fiber) { Run(fiber); });
}

void CertificateProber::Stop() {
  crew_.Stop();
}

void CertificateProber::Run(net::Fiber& fiber) {
  const Duration tick = std::min(options_.interval, kTick);
  while (Round(fiber)) {
    if (!fiber.Sleep(tick)) return;
  }
}

Status CertificateProber::Round(net::Fiber& fiber) {
  auto all = fiber.Await(context_.pool, [&] { return DistinctCertificateTargets(targets_()); });
  const Timestamp now = context_.clock.Now();
  auto due = std::make_shared<std::vector<CertificateTarget>>();
  {
    MutexLock lock(board_->mutex);
    std::map<std::string, State> kept;
    for (CertificateTarget& target : all) {
      const std::string instance = InstanceOf(target.url);
      const auto known = board_->states.find(instance);
      State state = known == board_->states.end() ? State{} : known->second;
      state.kind = target.kind;
      // An address with a problem is looked at more often, so that its end is seen soon.
      const Duration wait =
          state.problems.empty() ? options_.interval : std::min(options_.interval, kTick);
      const bool is_due =
          known == board_->states.end() || now - state.last_try >= wait || now < state.last_try;
      if (is_due) {
        state.last_try = now;
        due->push_back(std::move(target));
      }
      kept.emplace(instance, std::move(state));
    }
    board_->states.swap(kept);
  }
  return crew_.ForEach(fiber, due->size(), kParallel,
                       [this, due](net::Fiber& own, std::size_t i) { Look(own, (*due)[i]); });
}

void CertificateProber::Look(net::Fiber& fiber, const CertificateTarget& target) {
  const auto url = net::Url::Parse(target.url);
  if (!url) return;
  net::TlsClientOptions trust = target.trust;
  trust.insecure_skip_verify = true;
  // Loading the system's roots takes milliseconds.
  const auto context = fiber.Await(context_.pool, [&] { return net::TlsContext::Client(trust); });
  Result<net::TlsInspection> seen = Error(ErrorKind::kInvalid, "");
  std::vector<std::string> problems;
  if (!context) {
    seen = context.error();
    problems = {"settings"};
  } else {
    seen = net::InspectTls(fiber, url->host, url->port, **context, url->host, options_.timeout);
    if (fiber.cancelled()) return;
    problems = seen ? ProblemsOf(*seen, context_.clock.Now()) : ProblemsOf(seen.error());
  }
  const std::string instance = InstanceOf(target.url);
  bool is_new = false;
  {
    MutexLock lock(board_->mutex);
    State& state = board_->states[instance];
    is_new = !problems.empty() && state.problems != problems;
    // A server that does not answer keeps its date: the certificate is no newer for it.
    if (seen) state.expiry = seen->earliest_not_after;
    state.problems = problems;
  }
  if (!is_new) return;
  std::string why = seen ? seen->name_problem : seen.error().message();
  if (seen && !seen->chain_problem.empty()) why += (why.empty() ? "" : "; ") + seen->chain_problem;
  context_.logger.Warn("a certificate has a problem",
                       {{"address", instance}, {"used_by", target.kind}, {"err", why}});
}

}  // namespace sonde::collect
