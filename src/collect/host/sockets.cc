#include <array>
#include <charconv>

#include <unistd.h>

#include "base/number.h"
#include "base/quote.h"
#include "collect/host/collectors.h"

namespace sonde::collect {
namespace {

bool IsOneOf(std::string_view name, std::initializer_list<std::string_view> names) {
  for (const std::string_view candidate : names) {
    if (name == candidate) return true;
  }
  return false;
}

// What node_exporter keeps of some 400 counters, and Tcp_MaxConn, which its best-known dashboard
// asks for.
bool WantedNetStat(std::string_view protocol, std::string_view field) {
  if (field == "InErrors" || field == "InErrs") return true;
  if (protocol == "Ip") return field == "Forwarding";
  if (protocol == "Ip6" || protocol == "IpExt") return IsOneOf(field, {"InOctets", "OutOctets"});
  if (protocol == "Icmp" || protocol == "Icmp6") return IsOneOf(field, {"InMsgs", "OutMsgs"});
  if (protocol == "Tcp") {
    return IsOneOf(field, {"ActiveOpens", "PassiveOpens", "InSegs", "OutSegs", "OutRsts",
                           "RetransSegs", "CurrEstab", "MaxConn"});
  }
  if (protocol == "Udp" || protocol == "Udp6") {
    return IsOneOf(field,
                   {"InDatagrams", "OutDatagrams", "NoPorts", "RcvbufErrors", "SndbufErrors"});
  }
  if (protocol == "TcpExt") {
    return field.starts_with("Listen") || field.starts_with("Syncookies") ||
           IsOneOf(field, {"TCPSynRetrans", "TCPTimeouts", "TCPOFOQueue", "TCPRcvQDrop"});
  }
  return false;
}

void AddNetStat(std::string_view protocol, std::string_view field, std::string_view value,
                HostPage& page) {
  if (!WantedNetStat(protocol, field)) return;
  const auto number = ParseInt(value);
  if (!number) return;
  page.Untyped("node_netstat_" + std::string(protocol) + "_" + std::string(field),
               "This counter of /proc/net/netstat, snmp or snmp6.")
      .Add(static_cast<double>(*number));
}

// Pairs of lines: "Tcp: RtoAlgorithm RtoMin …" and "Tcp: 1 200 …".
void AddNetStatPairs(std::string_view text, HostPage& page) {
  std::string_view names;
  std::string_view values;
  while (TakeLine(text, names) && TakeLine(text, values)) {
    FieldScanner name_fields(names);
    FieldScanner value_fields(values);
    std::string_view protocol = name_fields.Next();
    if (protocol != value_fields.Next() || !protocol.ends_with(':')) return;
    protocol.remove_suffix(1);
    for (std::string_view name; !(name = name_fields.Next()).empty();) {
      AddNetStat(protocol, name, value_fields.Next(), page);
    }
  }
}

// "Ip6InOctets  1234": protocol and field in one word.
void AddNetStat6(std::string_view text, HostPage& page) {
  std::string_view line;
  while (TakeLine(text, line)) {
    FieldScanner fields(line);
    const std::string_view word = fields.Next();
    const std::size_t six = word.find('6');
    if (six == std::string_view::npos || six + 1 >= word.size()) continue;
    AddNetStat(word.substr(0, six + 1), word.substr(six + 1), fields.Next(), page);
  }
}

void AddSockStat(std::string_view text, HostPage& page) {
  static const auto page_bytes = static_cast<double>(::sysconf(_SC_PAGESIZE));
  std::string_view line;
  while (TakeLine(text, line)) {  // "TCP: inuse 4 orphan 0 tw 4 alloc 5 mem 1"
    FieldScanner fields(line);
    std::string_view protocol = fields.Next();
    if (!protocol.ends_with(':')) continue;
    protocol.remove_suffix(1);
    for (std::string_view key; !(key = fields.Next()).empty();) {
      const double value = fields.NextDouble();
      const std::string name = "node_sockstat_" + std::string(protocol) + "_" + std::string(key);
      page.Gauge(name, "This field of /proc/net/sockstat.").Add(value);
      if (key == "mem") {
        page.Gauge(name + "_bytes", "Memory of these sockets' buffers.").Add(value * page_bytes);
      }
    }
  }
}

std::optional<std::uint64_t> ParseHex(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

// Sums the queues of all sockets: field 5 is "tx:rx" in hexadecimal.
void AddUdpQueues(std::string_view text, std::string_view ip, HostPage& page) {
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  std::string_view line;
  TakeLine(text, line);
  while (TakeLine(text, line)) {
    FieldScanner fields(line);
    std::string_view queues;
    for (int i = 0; i < 5; ++i)
      queues = fields.Next();
    const std::size_t colon = queues.find(':');
    if (colon == std::string_view::npos) continue;
    sent += ParseHex(queues.substr(0, colon)).value_or(0);
    received += ParseHex(queues.substr(colon + 1)).value_or(0);
  }
  page.Gauge("node_udp_queues", "Bytes that wait in the queues of UDP sockets.")
      .Add(static_cast<double>(sent), {{"ip", ip}, {"queue", "tx"}})
      .Add(static_cast<double>(received), {{"ip", ip}, {"queue", "rx"}});
}

}  // namespace

Status CollectNetStat(HostSource& source, HostPage& page) {
  AddNetStatPairs(TRY(source.Proc("net/netstat")), page);
  AddNetStatPairs(TRY(source.Proc("net/snmp")), page);
  if (const auto snmp6 = source.Proc("net/snmp6")) AddNetStat6(*snmp6, page);
  return OkStatus();
}

Status CollectSockStat(HostSource& source, HostPage& page) {
  const auto v4 = source.Proc("net/sockstat");
  if (v4) AddSockStat(*v4, page);
  const bool has_v4 = v4.ok();
  const auto v6 = source.Proc("net/sockstat6");
  if (v6) AddSockStat(*v6, page);
  return has_v4 || v6.ok() ? OkStatus() : Error(ErrorKind::kNotFound, "no /proc/net/sockstat");
}

Status CollectSoftNet(HostSource& source, HostPage& page) {
  std::string_view text = TRY(source.Proc("net/softnet_stat"));
  struct Column {
    std::string_view name, help;
    MetricType type;
    int index;
  };
  static constexpr Column kColumns[] = {
      {"node_softnet_processed_total", "Packets handled per CPU.", MetricType::kCounter, 0},
      {"node_softnet_dropped_total", "Packets dropped as the backlog was full.",
       MetricType::kCounter, 1},
      {"node_softnet_times_squeezed_total", "Rounds that ended with packets left.",
       MetricType::kCounter, 2},
      {"node_softnet_cpu_collision_total", "Device locks that were taken.", MetricType::kCounter,
       8},
      {"node_softnet_received_rps_total", "Wake-ups by receive packet steering.",
       MetricType::kCounter, 9},
      {"node_softnet_flow_limit_count_total", "Packets dropped by the flow limit.",
       MetricType::kCounter, 10},
      {"node_softnet_backlog_len", "Packets in the backlog.", MetricType::kGauge, 11},
  };
  std::string_view line;
  for (std::uint64_t row = 0; TakeLine(text, line); ++row) {
    std::vector<std::uint64_t> values;
    FieldScanner fields(line);
    for (std::string_view field; !(field = fields.Next()).empty();) {
      values.push_back(ParseHex(field).value_or(0));
    }
    // Newer kernels say which CPU it is; offline ones have no line.
    const std::string cpu = std::to_string(values.size() > 12 ? values[12] : row);
    for (const Column& column : kColumns) {
      const auto index = static_cast<std::size_t>(column.index);
      if (index >= values.size()) break;
      page.Family(column.name, column.help, column.type)
          .Add(static_cast<double>(values[index]), {{"cpu", cpu}});
    }
  }
  return OkStatus();
}

Status CollectUdpQueues(HostSource& source, HostPage& page) {
  const auto v4 = source.Proc("net/udp");
  if (v4) AddUdpQueues(*v4, "v4", page);
  const bool has_v4 = v4.ok();
  const auto v6 = source.Proc("net/udp6");
  if (v6) AddUdpQueues(*v6, "v6", page);
  return has_v4 || v6.ok() ? OkStatus() : Error(ErrorKind::kNotFound, "no /proc/net/udp");
}

Status CollectConntrack(HostSource& source, HostPage& page) {
  const auto entries = source.ProcNumber("sys/net/netfilter/nf_conntrack_count");
  const auto limit = source.ProcNumber("sys/net/netfilter/nf_conntrack_max");
  if (!entries || !limit) return Error(ErrorKind::kNotFound, "connection tracking is not loaded");
  page.Gauge("node_nf_conntrack_entries", "Connections tracked now.").Add(*entries);
  page.Gauge("node_nf_conntrack_entries_limit", "Connections that can be tracked.").Add(*limit);

  std::string_view text = TRY(source.Proc("net/stat/nf_conntrack"));
  std::string_view line;
  if (!TakeLine(text, line)) return OkStatus();
  std::vector<std::string> names;
  FieldScanner header(line);
  for (std::string_view name; !(name = header.Next()).empty();)
    names.emplace_back(name);
  std::vector<double> sums(names.size());
  while (TakeLine(text, line)) {  // One line for each CPU, hexadecimal.
    FieldScanner fields(line);
    for (double& sum : sums)
      sum += static_cast<double>(ParseHex(fields.Next()).value_or(0));
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!IsOneOf(names[i], {"found", "invalid", "ignore", "insert", "insert_failed", "drop",
                            "early_drop", "search_restart"})) {
      continue;
    }
    page.Gauge("node_nf_conntrack_stat_" + names[i], "This column of /proc/net/stat/nf_conntrack.")
        .Add(sums[i]);
  }
  return OkStatus();
}

Status CollectTcpStates(const HostCalls& calls, HostPage& page) {
  const TcpSockets sockets = TRY(calls.tcp_sockets());
  static constexpr std::array<std::string_view, 12> kStates = {
      "",          "established", "syn_sent",   "syn_recv", "fin_wait1", "fin_wait2",
      "time_wait", "close",       "close_wait", "last_ack", "listen",    "closing"};
  HostFamily& family = page.Gauge("node_tcp_connection_states", "TCP sockets by state.");
  for (std::size_t state = 1; state < kStates.size(); ++state) {
    if (sockets.states[state] > 0) family.Add(sockets.states[state], {{"state", kStates[state]}});
  }
  family.Add(sockets.rx_queued_bytes, {{"state", "rx_queued_bytes"}});
  family.Add(sockets.tx_queued_bytes, {{"state", "tx_queued_bytes"}});
  return OkStatus();
}

}  // namespace sonde::collect
