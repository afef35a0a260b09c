#include <array>

#include "base/number.h"
#include "base/quote.h"
#include "collect/host/collectors.h"

namespace sonde::collect {
namespace {

struct DiskColumn {
  std::string_view name, help;
  MetricType type;
  double scale;
};

constexpr double kSectorBytes = 512;  // The kernel's unit, whatever the device's.
constexpr double kMilliseconds = 0.001;

// /proc/diskstats, in the order of its columns (Documentation/admin-guide/iostats.rst).
constexpr std::array<DiskColumn, 17> kColumns = {{
    {"node_disk_reads_completed_total", "Reads done.", MetricType::kCounter, 1},
    {"node_disk_reads_merged_total", "Reads merged with a neighbour.", MetricType::kCounter, 1},
    {"node_disk_read_bytes_total", "Bytes read.", MetricType::kCounter, kSectorBytes},
    {"node_disk_read_time_seconds_total", "Time that reads took, all added up.",
     MetricType::kCounter, kMilliseconds},
    {"node_disk_writes_completed_total", "Writes done.", MetricType::kCounter, 1},
    {"node_disk_writes_merged_total", "Writes merged with a neighbour.", MetricType::kCounter, 1},
    {"node_disk_written_bytes_total", "Bytes written.", MetricType::kCounter, kSectorBytes},
    {"node_disk_write_time_seconds_total", "Time that writes took, all added up.",
     MetricType::kCounter, kMilliseconds},
    {"node_disk_io_now", "Requests in flight.", MetricType::kGauge, 1},
    {"node_disk_io_time_seconds_total", "Time with at least one request in flight.",
     MetricType::kCounter, kMilliseconds},
    {"node_disk_io_time_weighted_seconds_total", "Time multiplied by the requests in flight.",
     MetricType::kCounter, kMilliseconds},
    {"node_disk_discards_completed_total", "Discards done.", MetricType::kCounter, 1},
    {"node_disk_discards_merged_total", "Discards merged with a neighbour.", MetricType::kCounter,
     1},
    {"node_disk_discarded_sectors_total", "Sectors discarded.", MetricType::kCounter, 1},
    {"node_disk_discard_time_seconds_total", "Time that discards took, all added up.",
     MetricType::kCounter, kMilliseconds},
    {"node_disk_flush_requests_total", "Flushes done.", MetricType::kCounter, 1},
    {"node_disk_flush_requests_time_seconds_total", "Time that flushes took, all added up.",
     MetricType::kCounter, kMilliseconds},
}};

// The properties that udev keeps of a block device: lines "E:KEY=value".
class UdevProperties {
 public:
  explicit UdevProperties(std::optional<std::string> text) : text_(std::move(text).value_or("")) {}

  std::string_view Get(std::string_view key) const {
    std::string_view text = text_;
    std::string_view line;
    while (TakeLine(text, line)) {
      if (!line.starts_with("E:")) continue;
      line.remove_prefix(2);
      if (line.size() > key.size() && line.starts_with(key) && line[key.size()] == '=') {
        return line.substr(key.size() + 1);
      }
    }
    return {};
  }

 private:
  std::string text_;
};

void AddDiskInfo(HostSource& source, std::string_view device, std::string_view major,
                 std::string_view minor, HostPage& page) {
  const std::string id = "b" + std::string(major) + ":" + std::string(minor);
  const UdevProperties udev(source.ReadUdev(id));
  std::string_view serial = udev.Get("SCSI_IDENT_SERIAL");
  if (serial.empty()) serial = udev.Get("ID_SERIAL_SHORT");
  if (serial.empty()) serial = udev.Get("ID_SERIAL");
  const bool rotational =
      source.SysNumber("block/" + std::string(device) + "/queue/rotational").value_or(0) != 0;
  page.Gauge("node_disk_info", "1, with what is known about the disk.")
      .Add(1, {{"device", device},
               {"major", major},
               {"minor", minor},
               {"model", udev.Get("ID_MODEL")},
               {"path", udev.Get("ID_PATH")},
               {"revision", udev.Get("ID_REVISION")},
               {"rotational", rotational ? "1" : "0"},
               {"serial", serial},
               {"wwn", udev.Get("ID_WWN")}});
  if (const std::string_view type = udev.Get("ID_FS_TYPE"); !type.empty()) {
    page.Gauge("node_disk_filesystem_info", "1, with the file system on the device.")
        .Add(1, {{"device", device},
                 {"type", type},
                 {"usage", udev.Get("ID_FS_USAGE")},
                 {"uuid", udev.Get("ID_FS_UUID")},
                 {"version", udev.Get("ID_FS_VERSION")}});
  }
  if (const std::string_view name = udev.Get("DM_NAME"); !name.empty()) {
    page.Gauge("node_disk_device_mapper_info", "1, with the device mapper's names.")
        .Add(1, {{"device", device},
                 {"lv_layer", udev.Get("DM_LV_LAYER")},
                 {"lv_name", udev.Get("DM_LV_NAME")},
                 {"name", name},
                 {"uuid", udev.Get("DM_UUID")},
                 {"vg_name", udev.Get("DM_VG_NAME")}});
  }
  if (udev.Get("ID_ATA").empty()) return;
  const auto ata = [&](std::string_view key, std::string_view metric, std::string_view help) {
    if (const auto value = ToNumber(udev.Get(key))) {
      page.Gauge(metric, help).Add(*value, {{"device", device}});
    }
  };
  ata("ID_ATA_WRITE_CACHE", "node_disk_ata_write_cache", "1 if the disk has a write cache.");
  ata("ID_ATA_WRITE_CACHE_ENABLED", "node_disk_ata_write_cache_enabled",
      "1 if the disk's write cache is on.");
  ata("ID_ATA_ROTATION_RATE_RPM", "node_disk_ata_rotation_rate_rpm",
      "Rotations per minute; 0 for a solid-state disk.");
}

// One array of /proc/mdstat.
struct MdArray {
  std::string name, state;
  double active = 0, failed = 0, spare = 0, required = 0, blocks = 0, synced = 0;
};

// "sda1[0] sdb1[1](F) sdc1[2](S)": counts failed and spare members.
void CountMembers(FieldScanner& fields, MdArray& array) {
  for (std::string_view member; !(member = fields.Next()).empty();) {
    if (member.find('[') == std::string_view::npos) continue;
    if (member.find("(F)") != std::string_view::npos) {
      array.failed += 1;
    } else if (member.find("(S)") != std::string_view::npos) {
      array.spare += 1;
    } else {
      array.active += 1;
    }
  }
}

// "248896 blocks super 1.2 [2/1] [U_]": size, members required and active.
void ReadSizeLine(std::string_view line, MdArray& array) {
  FieldScanner fields(line);
  array.blocks = fields.NextDouble();
  array.synced = array.blocks;
  if (array.state == "inactive") {
    array.active = 0;
    return;
  }
  array.required = array.active;  // Unless the line says "[required/active]".
  const std::size_t slash = line.find('/');
  const std::size_t open = line.rfind('[', slash);
  if (slash == std::string_view::npos || open == std::string_view::npos) return;
  const std::size_t close = line.find(']', slash);
  if (close == std::string_view::npos) return;
  const auto required = ParseUint(line.substr(open + 1, slash - open - 1));
  const auto active = ParseUint(line.substr(slash + 1, close - slash - 1));
  if (!required || !active) return;
  array.required = static_cast<double>(*required);
  array.active = static_cast<double>(*active);
}

// "[=>....]  recovery = 12.6% (37043392/292945152) finish=…": or "resync=DELAYED".
void ReadProgressLine(std::string_view line, MdArray& array) {
  static constexpr std::pair<std::string_view, std::string_view> kStates[] = {
      {"recovery", "recovering"},
      {"resync", "resyncing"},
      {"check", "checking"},
      {"reshape", "reshaping"}};
  for (const auto& [word, state] : kStates) {
    if (line.find(word) == std::string_view::npos) continue;
    array.state = state;
    array.synced = 0;
    const std::size_t open = line.find('(');
    const std::size_t slash = line.find('/', open);
    if (open == std::string_view::npos || slash == std::string_view::npos) return;
    array.synced =
        static_cast<double>(ParseUint(line.substr(open + 1, slash - open - 1)).value_or(0));
    return;
  }
}

std::vector<MdArray> ParseMdStat(std::string_view text) {
  std::vector<MdArray> arrays;
  std::string_view line;
  while (TakeLine(text, line)) {
    const bool indented = line.starts_with(' ') || line.starts_with('\t');
    if (!indented && line.find(" : ") != std::string_view::npos &&
        !line.starts_with("Personalities")) {
      FieldScanner fields(line);
      MdArray array;
      array.name = fields.Next();
      fields.Next();  // ":"
      array.state = fields.Next();
      CountMembers(fields, array);
      arrays.push_back(std::move(array));
    } else if (indented && !arrays.empty()) {
      if (line.find(" blocks") != std::string_view::npos) {
        ReadSizeLine(line, arrays.back());
      } else {
        ReadProgressLine(line, arrays.back());
      }
    }
  }
  return arrays;
}

void AddMdArrays(std::string_view text, HostPage& page) {
  HostFamily& disks = page.Gauge("node_md_disks", "Members of the array by state.");
  HostFamily& required =
      page.Gauge("node_md_disks_required", "Members that the array should have.");
  HostFamily& state = page.Gauge("node_md_state", "1 for the array's state.");
  HostFamily& blocks = page.Gauge("node_md_blocks", "Size of the array in blocks of 1 KiB.");
  HostFamily& synced = page.Gauge("node_md_blocks_synced", "Blocks that are in step.");
  static constexpr std::pair<std::string_view, std::string_view> kStates[] = {
      {"active", "active"},
      {"inactive", "inactive"},
      {"recovering", "recovering"},
      {"resync", "resyncing"},
      {"check", "checking"}};
  for (const MdArray& array : ParseMdStat(text)) {
    const std::string_view device = array.name;
    disks.Add(array.active, {{"device", device}, {"state", "active"}});
    disks.Add(array.failed, {{"device", device}, {"state", "failed"}});
    disks.Add(array.spare, {{"device", device}, {"state", "spare"}});
    required.Add(array.required, {{"device", device}});
    for (const auto& [label, value] : kStates) {
      state.Add(array.state == value ? 1 : 0, {{"device", device}, {"state", label}});
    }
    blocks.Add(array.blocks, {{"device", device}});
    synced.Add(array.synced, {{"device", device}});
  }
}

void AddNvmeNamespaces(HostSource& source, const std::string& device, HostPage& page) {
  const std::string dir = "class/nvme/" + device;
  for (const std::string& entry : source.ListSys(dir)) {
    // "nvme0c0n1" or "nvme0n1": a namespace of this controller.
    const std::size_t last = entry.rfind('n');
    if (!entry.starts_with(device) || last == std::string::npos || last + 1 >= entry.size())
      continue;
    const std::string nsid = entry.substr(last + 1);
    std::string path = dir;
    path.append("/").append(entry);
    const auto sectors = source.SysNumber(path + "/size");
    if (!ParseUint(nsid) || !sectors) continue;
    const double block =
        source.SysNumber(path + "/queue/logical_block_size").value_or(kSectorBytes);
    const std::initializer_list<LabelView> labels = {{"device", device}, {"nsid", nsid}};
    const std::string ana = source.ReadSys(path + "/ana_state").value_or("unknown");
    page.Gauge("node_nvme_namespace_info", "1, with the path's state.")
        .Add(1, {{"ana_state", ana}, {"device", device}, {"nsid", nsid}});
    page.Gauge("node_nvme_namespace_capacity_bytes", "Capacity of the namespace.")
        .Add(*sectors * kSectorBytes, labels);
    page.Gauge("node_nvme_namespace_size_bytes", "Size of the namespace.")
        .Add(*sectors * kSectorBytes, labels);
    page.Gauge("node_nvme_namespace_used_bytes", "What of the namespace is in use.")
        .Add(source.SysNumber(path + "/nuse").value_or(0) * block, labels);
    page.Gauge("node_nvme_namespace_logical_block_size_bytes", "Block size of the namespace.")
        .Add(block, labels);
  }
}

}  // namespace

Status CollectDisks(HostSource& source, const Regex& exclude, HostPage& page) {
  std::string_view text = TRY(source.Proc("diskstats"));
  std::string_view line;
  while (TakeLine(text, line)) {
    FieldScanner fields(line);
    const std::string_view major = fields.Next();
    const std::string_view minor = fields.Next();
    const std::string_view device = fields.Next();
    if (device.empty() || exclude.Matches(device)) continue;
    AddDiskInfo(source, device, major, minor, page);
    for (const DiskColumn& column : kColumns) {
      const std::string_view field = fields.Next();
      if (field.empty()) break;  // Older kernels have no discards and no flushes.
      page.Family(column.name, column.help, column.type)
          .Add(static_cast<double>(ParseUint(field).value_or(0)) * column.scale,
               {{"device", device}});
    }
  }
  return OkStatus();
}

Status CollectMdRaid(HostSource& source, HostPage& page) {
  AddMdArrays(TRY(source.Proc("mdstat")), page);
  for (const std::string& device : source.ListSys("block")) {
    if (!device.starts_with("md")) continue;
    const std::string dir = "block/" + device + "/md";
    if (const auto disks = source.SysNumber(dir + "/raid_disks")) {
      page.Gauge("node_md_raid_disks", "Members that the array was built for.")
          .Add(*disks, {{"device", device}});
    }
    if (source.SysExists(dir)) {
      page.Gauge("node_md_degraded", "Members that the array lacks.")
          .Add(source.SysNumber(dir + "/degraded").value_or(0), {{"device", device}});
    }
  }
  return OkStatus();
}

Status CollectNvme(HostSource& source, HostPage& page) {
  const auto devices = source.ListSys("class/nvme");
  if (devices.empty()) return Error(ErrorKind::kNotFound, "no NVMe device");
  HostFamily& info = page.Gauge("node_nvme_info", "1, with what is known about the controller.");
  for (const std::string& device : devices) {
    const std::string dir = "class/nvme/" + device;
    const auto text = [&](const char* file) { return source.ReadSys(dir + file).value_or(""); };
    info.Add(1, {{"cntlid", text("/cntlid")},
                 {"device", device},
                 {"firmware_revision", text("/firmware_rev")},
                 {"model", text("/model")},
                 {"serial", text("/serial")},
                 {"state", text("/state")}});
    AddNvmeNamespaces(source, device, page);
  }
  return OkStatus();
}

}  // namespace sonde::collect
