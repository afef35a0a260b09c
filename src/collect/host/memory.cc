#include "base/number.h"
#include "base/quote.h"
#include "collect/host/collectors.h"

namespace sonde::collect {
namespace {

// "Active(anon)" → "Active_anon".
std::string MemoryFieldName(std::string_view field) {
  std::string name = "node_memory_";
  for (const char c : field) {
    if (c == '(') {
      name += '_';
    } else if (c != ')') {
      name += c;
    }
  }
  return name;
}

void AddEdacErrors(HostSource& source, const std::string& dir, std::string_view file,
                   HostFamily& family, std::initializer_list<LabelView> labels) {
  if (const auto count = source.SysNumber(dir + "/" + std::string(file)))
    family.Add(*count, labels);
}

std::string Replace(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

// "CPU_SrcID#0_MC#0_Chan#0_DIMM#0", "mc#0csrow#0channel#0": as node_exporter spells it.
std::string DimmLabel(HostSource& source, const std::string& row, const std::string& channel) {
  auto label = source.ReadSys(row + "/ch" + channel + "_dimm_label");
  if (!label) return "unknown";
  std::string text = Replace(*std::move(label), "#", "");
  text = Replace(std::move(text), "csrow", "_csrow");
  return Replace(std::move(text), "channel", "_channel");
}

struct EdacFamilies {
  HostFamily& correctable;
  HostFamily& uncorrectable;
};

void CollectCsRow(HostSource& source, const std::string& dir, std::string_view controller,
                  std::string_view row, const EdacFamilies& rows, const EdacFamilies& channels) {
  AddEdacErrors(source, dir, "ce_count", rows.correctable,
                {{"controller", controller}, {"csrow", row}});
  AddEdacErrors(source, dir, "ue_count", rows.uncorrectable,
                {{"controller", controller}, {"csrow", row}});
  for (const std::string& file : source.ListSys(dir)) {
    if (!file.starts_with("ch") || !file.ends_with("_ce_count")) continue;
    const std::string channel = file.substr(2, file.size() - 2 - 9);
    if (!ParseUint(channel)) continue;
    const std::string label = DimmLabel(source, dir, channel);
    const std::initializer_list<LabelView> labels = {
        {"channel", channel}, {"controller", controller}, {"csrow", row}, {"dimm_label", label}};
    AddEdacErrors(source, dir, file, channels.correctable, labels);
    AddEdacErrors(source, dir, "ch" + channel + "_ue_count", channels.uncorrectable, labels);
  }
}

}  // namespace

Status CollectMemory(HostSource& source, HostPage& page) {
  std::string_view text = TRY(source.Proc("meminfo"));
  std::string_view line;
  while (TakeLine(text, line)) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view field = line.substr(0, colon);
    FieldScanner fields(line.substr(colon + 1));
    const double value = fields.NextDouble();
    std::string name = MemoryFieldName(field);
    if (fields.Next() == "kB") {
      name += "_bytes";
      page.Gauge(name, "This field of /proc/meminfo, in bytes.").Add(value * 1024);
    } else {
      page.Gauge(name, "This field of /proc/meminfo.").Add(value);
    }
  }
  return OkStatus();
}

Status CollectVmStat(HostSource& source, HostPage& page) {
  std::string_view text = TRY(source.Proc("vmstat"));
  std::string_view line;
  while (TakeLine(text, line)) {
    FieldScanner fields(line);
    const std::string_view name = fields.Next();
    const bool wanted = name.starts_with("oom_kill") || name.starts_with("pgpg") ||
                        name.starts_with("pswp") ||
                        (name.starts_with("pg") && name.find("fault") != std::string_view::npos);
    if (!wanted) continue;
    page.Untyped("node_vmstat_" + std::string(name), "This field of /proc/vmstat.")
        .Add(fields.NextDouble());
  }
  return OkStatus();
}

Status CollectEdac(HostSource& source, HostPage& page) {
  const EdacFamilies controllers = {page.Counter("node_edac_correctable_errors_total",
                                                 "Memory errors corrected, per controller."),
                                    page.Counter("node_edac_uncorrectable_errors_total",
                                                 "Memory errors not correctable, per controller.")};
  const EdacFamilies rows = {page.Counter("node_edac_csrow_correctable_errors_total",
                                          "Memory errors corrected, per chip-select row."),
                             page.Counter("node_edac_csrow_uncorrectable_errors_total",
                                          "Memory errors not correctable, per chip-select row.")};
  const EdacFamilies channels = {
      page.Counter("node_edac_channel_correctable_errors_total",
                   "Memory errors corrected, per memory channel."),
      page.Counter("node_edac_channel_uncorrectable_errors_total",
                   "Memory errors not correctable, per memory channel.")};
  bool found = false;
  for (const std::string& name : source.ListSys("devices/system/edac/mc")) {
    if (!name.starts_with("mc") || !ParseUint(name.substr(2))) continue;
    found = true;
    const std::string dir = "devices/system/edac/mc/" + name;
    const std::string_view controller = std::string_view(name).substr(2);
    AddEdacErrors(source, dir, "ce_count", controllers.correctable, {{"controller", controller}});
    AddEdacErrors(source, dir, "ue_count", controllers.uncorrectable, {{"controller", controller}});
    AddEdacErrors(source, dir, "ce_noinfo_count", rows.correctable,
                  {{"controller", controller}, {"csrow", "unknown"}});
    AddEdacErrors(source, dir, "ue_noinfo_count", rows.uncorrectable,
                  {{"controller", controller}, {"csrow", "unknown"}});
    for (const std::string& row : source.ListSys(dir)) {
      if (!row.starts_with("csrow") || !ParseUint(row.substr(5))) continue;
      std::string path = dir;
      path.append("/").append(row);
      CollectCsRow(source, path, controller, std::string_view(row).substr(5), rows, channels);
    }
  }
  return found ? OkStatus() : Error(ErrorKind::kNotFound, "no memory controller reports errors");
}

}  // namespace sonde::collect
