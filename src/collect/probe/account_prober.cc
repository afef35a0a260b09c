#include "collect/probe/account_prober.h"

#include <cmath>
#include <utility>

#include "base/json.h"
#include "base/number.h"
#include "collect/probe/canary.h"
#include "collect/probe/credentials.h"

namespace sonde::collect {
namespace {

using instrument::FamilyType;
using instrument::Point;

constexpr std::uint64_t kMaxAnswerBytes = 64U << 10;
constexpr std::size_t kMaxCurrencies = 16;

Result<double> Amount(JsonView info, const char* key) {
  const JsonView member = info[key];
  std::optional<double> value = member.number();
  // Go's spelling of numbers is wider than a price's: no hexadecimal, no infinity.
  if (const auto text = member.string();
      text && text->find_first_not_of("+-.0123456789") == std::string_view::npos) {
    value = ParseFloat(*text);
  }
  if (!value || !std::isfinite(*value)) {
    return Error(ErrorKind::kInvalid, std::string(key) + " is not an amount");
  }
  return *value;
}

bool IsCurrency(std::string_view text) {
  if (text.size() != 3) return false;
  return text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") == std::string_view::npos;
}

}  // namespace

Result<AccountBalance> ParseBalance(std::string_view body) {
  auto document = JsonDocument::Parse(body);
  if (!document) return Error(ErrorKind::kInvalid, "the answer is not JSON");
  const JsonView root = document->root();
  const auto available = root["is_available"].boolean();
  if (!available) return Error(ErrorKind::kInvalid, "is_available is not a boolean");
  const JsonView infos = root["balance_infos"];
  if (!infos.is_array()) return Error(ErrorKind::kInvalid, "balance_infos is not a list");
  if (infos.size() > kMaxCurrencies) {
    return Error(ErrorKind::kLimit, "balance_infos has more than 16 elements");
  }
  AccountBalance balance;
  balance.available = *available;
  for (std::size_t i = 0; i < infos.size(); ++i) {
    const JsonView info = infos.at(i);
    AccountBalance::Amount amount;
    amount.currency = info["currency"].string().value_or("");
    if (!IsCurrency(amount.currency)) {
      return Error(ErrorKind::kInvalid, "currency is not three capital letters");
    }
    for (const auto& other : balance.amounts) {
      if (other.currency == amount.currency)
        return Error(ErrorKind::kInvalid, "a currency stands twice");
    }
    amount.total = TRY(Amount(info, "total_balance"));
    amount.granted = TRY(Amount(info, "granted_balance"));
    amount.topped_up = TRY(Amount(info, "topped_up_balance"));
    balance.amounts.push_back(std::move(amount));
  }
  return balance;
}

Result<std::unique_ptr<AccountProber>> AccountProber::Make(std::vector<AccountOptions> accounts,
                                                           const Context& context) {
  std::unique_ptr<AccountProber> prober(new AccountProber(context));
  for (AccountOptions& options : accounts) {
    auto client = ClientOptionsOf(options.access, options.timeout);
    if (!client) return std::move(client).error().Wrap("sonde.probes.accounts");
    auto account = std::make_unique<Account>();
    account->client =
        std::make_unique<net::HttpClient>(*std::move(client), context.registry, "account");
    account->options = std::move(options);
    prober->accounts_.push_back(std::move(account));
  }
  return prober;
}

AccountProber::AccountProber(const Context& context)
    : context_(context), board_(std::make_shared<Board>()), crew_(context.loop) {
  const auto add = [&](const char* name, const char* help, FamilyType type, auto read) {
    context_.registry.AddCollector(context_.prefix + name, help, type,
                                   [board = board_, read](std::vector<Point>& points) {
                                     MutexLock lock(board->mutex);
                                     for (const auto& [account, state] : board->accounts)
                                       read(account, state, points);
                                   });
  };
  using Points = std::vector<Point>;
  add("account_balance", "Money left at the hosted API; kind total is granted + topped_up.",
      FamilyType::kGauge,
      [](const std::string& account, const Board::State& state, Points& points) {
        if (!state.balance) return;
        for (const auto& amount : state.balance->amounts) {
          const std::pair<const char*, double> kinds[] = {{"total", amount.total},
                                                          {"granted", amount.granted},
                                                          {"topped_up", amount.topped_up}};
          for (const auto& [kind, value] : kinds) {
            points.push_back({{{"account", account}, {"currency", amount.currency}, {"kind", kind}},
                              value,
                              nullptr});
          }
        }
      });
  add("account_available", "1 if the hosted API says that it will answer this account.",
      FamilyType::kGauge,
      [](const std::string& account, const Board::State& state, Points& points) {
        if (!state.balance) return;
        points.push_back({{{"account", account}}, state.balance->available ? 1.0 : 0.0, nullptr});
      });
  add("account_last_success_timestamp_seconds", "When the balance was last told.",
      FamilyType::kGauge,
      [](const std::string& account, const Board::State& state, Points& points) {
        if (!state.balance) return;
        points.push_back({{{"account", account}}, state.last_success.seconds(), nullptr});
      });
  add("account_errors_total", "Times that the balance was not told, by reason.",
      FamilyType::kCounter,
      [](const std::string& account, const Board::State& state, Points& points) {
        for (const auto& [reason, count] : state.errors)
          points.push_back({{{"account", account}, {"reason", reason}}, count, nullptr});
      });
}

AccountProber::~AccountProber() {
  Stop();
}

void AccountProber::Start() {
  for (const auto& account : accounts_)
    crew_.Spawn([this, &own = *account](net::Fiber& fiber) { Run(fiber, own); });
}

void AccountProber::Stop() {
  crew_.Stop();
}

void AccountProber::Run(net::Fiber& fiber, const Account& account) {
  while (!fiber.cancelled()) {
    Ask(fiber, account);
    if (!fiber.Sleep(account.options.interval)) return;
  }
}

void AccountProber::Ask(net::Fiber& fiber, const Account& account) {
  auto url = net::Url::Parse(ApiUrl(account.options.url, "/user/balance"));
  if (!url) {
    Fail(account, "url", url.error().message());
    return;
  }
  const auto authorization =
      Authorization(fiber, account.options.access, context_.env, context_.pool);
  if (!authorization) {
    Fail(account, "credentials", authorization.error().message());
    return;
  }
  net::HttpClientTrace trace;
  net::HttpClientRequest request{.url = *std::move(url), .trace = &trace};
  request.headers.Set("Accept", "application/json");
  if (!authorization->empty()) request.headers.Set("Authorization", *authorization);
  const auto reply =
      account.client->Fetch(fiber, request, kMaxAnswerBytes, account.options.timeout);
  if (fiber.cancelled()) return;
  if (!reply) {
    const bool timeout = reply.error().kind() == ErrorKind::kTimeout;
    Fail(account,
         timeout                ? "timeout"
         : trace.has_connection ? "broken"
                                : "connect",
         reply.error().message());
    return;
  }
  if (reply->status != 200) {
    const int status = reply->status;
    const bool key = status == 401 || status == 403;
    Fail(account,
         key             ? "unauthorized"
         : status == 402 ? "payment_required"
         : status == 429 ? "overloaded"
         : status >= 500 ? "server_error"
                         : "client_error",
         "status " + std::to_string(status));
    return;
  }
  auto balance = ParseBalance(reply->body);
  if (!balance) {
    Fail(account, "malformed", balance.error().message());
    return;
  }
  MutexLock lock(board_->mutex);
  Board::State& state = board_->accounts[account.options.name];
  state.balance = *std::move(balance);
  state.last_success = context_.clock.Now();
}

void AccountProber::Fail(const Account& account, const std::string& reason,
                         const std::string& message) {
  context_.logger.Warn("the account's balance was not told",
                       {{"account", account.options.name}, {"reason", reason}, {"err", message}});
  MutexLock lock(board_->mutex);
  ++board_->accounts[account.options.name].errors[reason];
}

}  // namespace sonde::collect
