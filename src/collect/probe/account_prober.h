#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/env.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "collect/probe/fiber_crew.h"
#include "collect/probe/options.h"
#include "instrument/registry.h"
#include "net/event_loop.h"
#include "net/http_client.h"

// What is left of the money at a hosted API that has DeepSeek's `GET /user/balance`.

namespace sonde::collect {

/// An account's state at one moment.
struct AccountBalance {
  struct Amount {
    std::string currency;  ///< "CNY", "USD": three capital letters.
    double total = 0;
    double granted = 0;  ///< Spent first.
    double topped_up = 0;
  };
  bool available = false;  ///< Requests will be answered.
  std::vector<Amount> amounts;
};

/// Reads the answer: {"is_available": …, "balance_infos": [{"currency", "total_balance",
/// "granted_balance", "topped_up_balance"}]}; amounts are decimal strings (numbers are read too).
/// At most 16 currencies. kInvalid names the member that is wrong, never its value.
Result<AccountBalance> ParseBalance(std::string_view body);

/// Asks for the balances of the configured accounts. Thread-safe; Start once, Stop is idempotent.
/// Metrics: docs/probes.md. References outlive it.
class AccountProber {
 public:
  struct Context {
    net::EventLoop& loop;
    ThreadPool& pool;
    Env& env;
    const Clock& clock;
    Logger logger;
    instrument::Registry& registry;
    std::string prefix = "deepseek_";
  };

  /// kInvalid if TLS files cannot be used.
  static Result<std::unique_ptr<AccountProber>> Make(std::vector<AccountOptions> accounts,
                                                     const Context& context);
  ~AccountProber();

  void Start();
  void Stop();

 private:
  struct Account {
    AccountOptions options;
    std::unique_ptr<net::HttpClient> client;
  };
  /// What the registry reads.
  struct Board {
    struct State {
      std::optional<AccountBalance> balance;
      Timestamp last_success;
      std::map<std::string, double, std::less<>> errors;  // By reason.
    };
    Mutex mutex;
    std::map<std::string, State> accounts GUARDED_BY(mutex);
  };

  explicit AccountProber(const Context& context);

  void Run(net::Fiber& fiber, const Account& account);
  void Ask(net::Fiber& fiber, const Account& account);
  void Fail(const Account& account, const std::string& reason, const std::string& message);

  const Context context_;
  const std::shared_ptr<Board> board_;
  std::vector<std::unique_ptr<const Account>> accounts_;
  FiberCrew crew_;  // Last: its fibers use the others.
};

}  // namespace sonde::collect
