#include <array>
#include <map>

#include "base/number.h"
#include "base/quote.h"
#include "collect/host/collectors.h"

namespace sonde::collect {
namespace {

// The columns of /proc/net/dev, as node_exporter names them.
constexpr std::array<std::string_view, 16> kDeviceColumns = {
    "receive_bytes",  "receive_packets",  "receive_errs",       "receive_drop",
    "receive_fifo",   "receive_frame",    "receive_compressed", "receive_multicast",
    "transmit_bytes", "transmit_packets", "transmit_errs",      "transmit_drop",
    "transmit_fifo",  "transmit_colls",   "transmit_carrier",   "transmit_compressed"};

struct ClassAttribute {
  std::string_view file, name;
  bool counter;
};

constexpr ClassAttribute kClassAttributes[] = {
    {"addr_assign_type", "node_network_address_assign_type", false},
    {"carrier", "node_network_carrier", false},
    {"carrier_changes", "node_network_carrier_changes_total", true},
    {"carrier_up_count", "node_network_carrier_up_changes_total", true},
    {"carrier_down_count", "node_network_carrier_down_changes_total", true},
    {"dev_id", "node_network_device_id", false},
    {"dormant", "node_network_dormant", false},
    {"flags", "node_network_flags", false},
    {"ifindex", "node_network_iface_id", false},
    {"iflink", "node_network_iface_link", false},
    {"link_mode", "node_network_iface_link_mode", false},
    {"mtu", "node_network_mtu_bytes", false},
    {"name_assign_type", "node_network_name_assign_type", false},
    {"netdev_group", "node_network_net_dev_group", false},
    {"tx_queue_len", "node_network_transmit_queue_length", false},
    {"type", "node_network_protocol_type", false},
};

void AddNetworkInfo(HostSource& source, const std::string& device, HostPage& page) {
  const std::string dir = "class/net/" + device;
  const auto text = [&](const char* file) { return source.ReadSys(dir + file).value_or(""); };
  const std::string state = text("/operstate");
  page.Gauge("node_network_up", "1 if the device's operational state is up.")
      .Add(state == "up" ? 1 : 0, {{"device", device}});
  const auto flags = source.SysNumber(dir + "/flags");
  constexpr std::uint64_t kUp = 1;  // IFF_UP
  const std::string_view admin = !flags                                            ? "unknown"
                                 : (static_cast<std::uint64_t>(*flags) & kUp) != 0 ? "up"
                                                                                   : "down";
  page.Gauge("node_network_info", "1, with what is known about the device.")
      .Add(1, {{"address", text("/address")},
               {"adminstate", admin},
               {"broadcast", text("/broadcast")},
               {"device", device},
               {"duplex", text("/duplex")},
               {"ifalias", text("/ifalias")},
               {"operstate", state}});
}

struct InfinibandCounter {
  std::string_view file, name;
  double scale = 1;
};

constexpr double kLaneBytes = 4;  // Data counters count 32-bit words.

// /sys/class/infiniband/<device>/ports/<port>/counters
constexpr InfinibandCounter kPortCounters[] = {
    {"excessive_buffer_overrun_errors", "excessive_buffer_overrun_errors_total"},
    {"link_downed", "link_downed_total"},
    {"link_error_recovery", "link_error_recovery_total"},
    {"local_link_integrity_errors", "local_link_integrity_errors_total"},
    {"multicast_rcv_packets", "multicast_packets_received_total"},
    {"multicast_xmit_packets", "multicast_packets_transmitted_total"},
    {"port_rcv_constraint_errors", "port_constraint_errors_received_total"},
    {"port_xmit_constraint_errors", "port_constraint_errors_transmitted_total"},
    {"port_rcv_data", "port_data_received_bytes_total", kLaneBytes},
    {"port_xmit_data", "port_data_transmitted_bytes_total", kLaneBytes},
    {"port_rcv_discards", "port_discards_received_total"},
    {"port_xmit_discards", "port_discards_transmitted_total"},
    {"port_rcv_errors", "port_errors_received_total"},
    {"port_rcv_packets", "port_packets_received_total"},
    {"port_xmit_packets", "port_packets_transmitted_total"},
    {"port_xmit_wait", "port_transmit_wait_total"},
    {"port_rcv_remote_physical_errors", "port_receive_remote_physical_errors_total"},
    {"port_rcv_switch_relay_errors", "port_receive_switch_relay_errors_total"},
    {"symbol_error", "symbol_error_total"},
    {"VL15_dropped", "vl15_dropped_total"},
    {"unicast_rcv_packets", "unicast_packets_received_total"},
    {"unicast_xmit_packets", "unicast_packets_transmitted_total"},
};

// …/counters_ext of older drivers.
constexpr InfinibandCounter kLegacyCounters[] = {
    {"port_multicast_rcv_packets", "legacy_multicast_packets_received_total"},
    {"port_multicast_xmit_packets", "legacy_multicast_packets_transmitted_total"},
    {"port_rcv_data_64", "legacy_data_received_bytes_total", kLaneBytes},
    {"port_rcv_packets_64", "legacy_packets_received_total"},
    {"port_unicast_rcv_packets", "legacy_unicast_packets_received_total"},
    {"port_unicast_xmit_packets", "legacy_unicast_packets_transmitted_total"},
    {"port_xmit_data_64", "legacy_data_transmitted_bytes_total", kLaneBytes},
    {"port_xmit_packets_64", "legacy_packets_transmitted_total"},
};

// …/hw_counters: what congestion and loss on RoCE look like.
constexpr InfinibandCounter kHardwareCounters[] = {
    {"duplicate_request", "duplicate_requests_packets_total"},
    {"implied_nak_seq_err", "implied_nak_seq_errors_total"},
    {"local_ack_timeout_err", "local_ack_timeout_errors_total"},
    {"np_cnp_sent", "np_cnp_packets_sent_total"},
    {"np_ecn_marked_roce_packets", "np_ecn_marked_roce_packets_received_total"},
    {"out_of_buffer", "out_of_buffer_drops_total"},
    {"out_of_sequence", "out_of_sequence_packets_received_total"},
    {"packet_seq_err", "packet_sequence_errors_total"},
    {"req_cqe_error", "req_cqes_errors_total"},
    {"req_cqe_flush_error", "req_cqes_flush_errors_total"},
    {"req_remote_access_errors", "req_remote_access_errors_total"},
    {"req_remote_invalid_request", "req_remote_invalid_request_errors_total"},
    {"resp_cqe_error", "resp_cqes_errors_total"},
    {"resp_cqe_flush_error", "resp_cqes_flush_errors_total"},
    {"resp_local_length_error", "resp_local_length_errors_total"},
    {"resp_remote_access_errors", "resp_remote_access_errors_total"},
    {"rnr_nak_retry_err", "rnr_nak_retry_packets_received_total"},
    {"roce_adp_retrans", "roce_adp_retransmits_total"},
    {"roce_adp_retrans_to", "roce_adp_retransmits_timeout_total"},
    {"roce_slow_restart", "roce_slow_restart_used_total"},
    {"roce_slow_restart_cnps", "roce_slow_restart_cnps_total"},
    {"roce_slow_restart_trans", "roce_slow_restart_total"},
    {"rp_cnp_handled", "rp_cnp_packets_handled_total"},
    {"rp_cnp_ignored", "rp_cnp_ignored_packets_received_total"},
    {"rx_atomic_requests", "rx_atomic_requests_total"},
    {"rx_dct_connect", "rx_dct_connect_requests_total"},
    {"rx_read_requests", "rx_read_requests_total"},
    {"rx_write_requests", "rx_write_requests_total"},
    {"rx_icrc_encapsulated", "rx_icrc_encapsulated_errors_total"},
};

template <std::size_t N>
void AddInfinibandCounters(HostSource& source, const std::string& dir,
                           const InfinibandCounter (&counters)[N],
                           std::initializer_list<LabelView> labels, HostPage& page) {
  if (!source.SysExists(dir)) return;
  for (const InfinibandCounter& counter : counters) {
    const auto value = source.SysNumber(dir + "/" + std::string(counter.file));
    if (!value) continue;  // "N/A (no PMA)" where the driver has no such counter.
    page.Counter("node_infiniband_" + std::string(counter.name),
                 "This counter of the port, from sysfs.")
        .Add(*value * counter.scale, labels);
  }
}

void CollectInfinibandPort(HostSource& source, const std::string& device, const std::string& port,
                           HostPage& page) {
  const std::string dir = "class/infiniband/" + device + "/ports/" + port;
  const std::initializer_list<LabelView> labels = {{"device", device}, {"port", port}};
  // "4: ACTIVE", "5: LinkUp", "100 Gb/sec (4X EDR)".
  const auto id = [&](const char* file) {
    const std::string text = source.ReadSys(dir + file).value_or("");
    return ToNumber(std::string_view(text).substr(0, text.find(':')));
  };
  if (const auto state = id("/state")) {
    page.Gauge("node_infiniband_state_id", "Logical state: 1 down, 2 init, 3 armed, 4 active.")
        .Add(*state, labels);
  }
  if (const auto state = id("/phys_state")) {
    page.Gauge("node_infiniband_physical_state_id",
               "Physical state: 2 polling, 3 disabled, 5 link up.")
        .Add(*state, labels);
  }
  const std::string rate = source.ReadSys(dir + "/rate").value_or("");
  if (const auto gigabits = ToNumber(std::string_view(rate).substr(0, rate.find(' ')))) {
    page.Gauge("node_infiniband_rate_bytes_per_second", "Signalling rate of the port.")
        .Add(*gigabits * 1e9 / 8, labels);
  }
  AddInfinibandCounters(source, dir + "/counters", kPortCounters, labels, page);
  AddInfinibandCounters(source, dir + "/counters_ext", kLegacyCounters, labels, page);
  AddInfinibandCounters(source, dir + "/hw_counters", kHardwareCounters, labels, page);
  if (const auto lifespan = source.SysNumber(dir + "/hw_counters/lifespan")) {
    page.Gauge("node_infiniband_lifespan_seconds", "How old a reading of these counters may be.")
        .Add(*lifespan / 1000, labels);
  }
}

}  // namespace

Status CollectNetworkDevices(HostSource& source, const Regex* exclude, HostPage& page) {
  std::string_view text = TRY(source.Proc("net/dev"));
  std::string_view line;
  while (TakeLine(text, line)) {
    const std::size_t colon = line.rfind(':');  // Aliases ("eth0:1") hold one too.
    if (colon == std::string_view::npos) continue;
    const std::string_view device = TrimSpace(line.substr(0, colon));
    if (exclude != nullptr && exclude->Matches(device)) continue;
    FieldScanner fields(line.substr(colon + 1));
    for (const std::string_view column : kDeviceColumns) {
      const std::string_view field = fields.Next();
      if (field.empty()) break;
      page.Counter("node_network_" + std::string(column) + "_total",
                   "This column of /proc/net/dev.")
          .Add(static_cast<double>(ParseUint(field).value_or(0)), {{"device", device}});
    }
    const std::string file = "class/net/" + std::string(device) + "/statistics/rx_nohandler";
    if (const auto count = source.SysNumber(file)) {
      page.Counter("node_network_receive_nohandler_total",
                   "Packets dropped because the device was inactive.")
          .Add(*count, {{"device", device}});
    }
  }
  return OkStatus();
}

Status CollectNetworkClass(HostSource& source, const Regex* exclude, HostPage& page) {
  const auto devices = source.ListSys("class/net");
  bool found = false;
  for (const std::string& device : devices) {
    const std::string dir = "class/net/" + device;
    // bonding_masters is a file; a device has an address.
    if (!source.SysExists(dir + "/address") || (exclude != nullptr && exclude->Matches(device)))
      continue;
    found = true;
    AddNetworkInfo(source, device, page);
    for (const ClassAttribute& attribute : kClassAttributes) {
      const auto value = source.SysNumber(dir + "/" + std::string(attribute.file));
      if (!value) continue;
      page.Family(attribute.name, "This attribute of the device, from sysfs.",
                  attribute.counter ? MetricType::kCounter : MetricType::kGauge)
          .Add(*value, {{"device", device}});
    }
    // Virtual devices say -1: no speed rather than a negative one.
    const auto megabits = source.SysNumber(dir + "/speed");
    if (megabits && *megabits >= 0) {
      page.Gauge("node_network_speed_bytes", "Speed of the link in bytes per second.")
          .Add(*megabits * 1e6 / 8, {{"device", device}});
    }
  }
  return found ? OkStatus() : Error(ErrorKind::kNotFound, "no network device in sysfs");
}

Status CollectArp(HostSource& source, HostPage& page) {
  std::string_view text = TRY(source.Proc("net/arp"));
  std::string_view line;
  TakeLine(text, line);  // The header.
  std::map<std::string, double, std::less<>> entries;
  while (TakeLine(text, line)) {
    FieldScanner fields(line);
    std::string_view device;
    for (int i = 0; i < 6; ++i)
      device = fields.Next();
    if (!device.empty()) entries[std::string(device)] += 1;
  }
  HostFamily& family = page.Gauge("node_arp_entries", "Neighbours known, per device.");
  for (const auto& [device, count] : entries)
    family.Add(count, {{"device", device}});
  return OkStatus();
}

Status CollectInfiniband(HostSource& source, HostPage& page) {
  const auto devices = source.ListSys("class/infiniband");
  if (devices.empty()) return Error(ErrorKind::kNotFound, "no InfiniBand or RoCE device");
  HostFamily& info = page.Gauge("node_infiniband_info", "1, with what is known about the adapter.");
  for (const std::string& device : devices) {
    const std::string dir = "class/infiniband/" + device;
    const auto text = [&](const char* file) { return source.ReadSys(dir + file).value_or(""); };
    info.Add(1, {{"board_id", text("/board_id")},
                 {"device", device},
                 {"firmware_version", text("/fw_ver")},
                 {"hca_type", text("/hca_type")}});
    for (const std::string& port : source.ListSys(dir + "/ports")) {
      CollectInfinibandPort(source, device, port, page);
    }
  }
  return OkStatus();
}

}  // namespace sonde::collect
