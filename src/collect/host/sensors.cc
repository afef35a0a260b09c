#include <algorithm>
#include <array>
#include <cctype>
#include <map>

#include "base/number.h"
#include "base/quote.h"
#include "collect/host/collectors.h"

namespace sonde::collect {
namespace {

// Lower case; what is not [a-z0-9:_] becomes '_', and none stay at the ends.
std::string CleanName(std::string_view name) {
  std::string clean;
  for (const char c : name) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool kept = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9') ||
                      lower == ':' || lower == '_';
    clean += kept ? lower : '_';
  }
  const std::size_t first = clean.find_first_not_of('_');
  if (first == std::string::npos) return {};
  return clean.substr(first, clean.find_last_not_of('_') - first + 1);
}

// "temp1_crit_alarm" → type "temp", number 1, property "crit_alarm".
struct SensorFile {
  std::string_view type, property;
  std::uint64_t number = 0;
};

std::optional<SensorFile> ParseSensorFile(std::string_view name) {
  static constexpr std::string_view kTypes[] = {
      "vrm",  "beep_enable", "update_interval", "in",     "cpu",      "fan",       "pwm",
      "temp", "curr",        "power",           "energy", "humidity", "intrusion", "freq"};
  SensorFile file;
  const std::size_t digit = name.find_first_of("0123456789");
  if (digit == std::string_view::npos) {  // "update_interval", or "in_…" which has no number.
    file.type = name;
  } else {
    file.type = name.substr(0, digit);
    std::string_view rest = name.substr(digit);
    const std::size_t end = rest.find_first_not_of("0123456789");
    const auto number = ParseUint(rest.substr(0, end));
    if (!number) return std::nullopt;
    file.number = *number;
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end);
    if (!rest.empty() && (rest.front() != '_' || rest.size() < 2)) return std::nullopt;
    file.property = rest.empty() ? rest : rest.substr(1);
  }
  const bool known = std::find(std::begin(kTypes), std::end(kTypes), file.type) != std::end(kTypes);
  if (!known) return std::nullopt;
  return file;
}

struct Sensor {
  std::string type;
  std::map<std::string, std::string, std::less<>> values;  // By property; "" is the bare file.
};
using Sensors = std::map<std::string, Sensor>;

void ReadSensors(HostSource& source, const std::string& dir, Sensors& sensors) {
  for (const std::string& name : source.ListSys(dir)) {
    const auto file = ParseSensorFile(name);
    if (!file) continue;
    std::string path = dir;
    path.append("/").append(name);
    auto value = source.ReadSys(path);
    if (!value) continue;
    Sensor& sensor = sensors[std::string(file->type) + std::to_string(file->number)];
    sensor.type = file->type;
    sensor.values[std::string(file->property)] = *std::move(value);
  }
}

// How a property of a sensor type is named and scaled.
struct SensorUnit {
  std::string_view suffix;
  double scale = 1;
  MetricType type = MetricType::kGauge;
};

SensorUnit UnitOf(std::string_view type, std::string_view property) {
  if (property == "fault" || property == "alarm") return {""};
  if (property == "beep") return {"_enabled"};
  if (type == "in" || type == "cpu") return {"_volts", 0.001};
  if (type == "temp" && property != "type") return {"_celsius", 0.001};
  if (type == "curr") return {"_amps", 0.001};
  if (type == "energy") return {"_joule_total", 1e-6, MetricType::kCounter};
  if (type == "power") {
    if (property == "accuracy") return {"", 1e-6};
    if (property.starts_with("average_interval")) return {"_seconds", 0.001};
    return {"_watt", 1e-6};
  }
  if (type == "humidity") return {"", 1e-6};
  if (type == "fan" &&
      (property == "input" || property == "min" || property == "max" || property == "target")) {
    return {"_rpm"};
  }
  return {""};
}

void AddSensorProperty(std::string_view chip, std::string_view name, const Sensor& sensor,
                       std::string_view property, double value, HostPage& page) {
  std::string metric = "node_hwmon_" + sensor.type;
  if (property == "input") {
    if (sensor.values.contains("")) metric += "_input";
  } else if (!property.empty()) {
    metric += "_" + CleanName(property);
  }
  constexpr std::string_view kHelp = "This value of a hardware sensor.";
  if (sensor.type == "freq" && property == "input") {
    const auto label = sensor.values.find("label");
    if (label == sensor.values.end()) return;
    page.Gauge(metric + "_freq_mhz", kHelp)
        .Add(value / 1e6, {{"chip", chip}, {"sensor", CleanName(label->second)}});
    return;
  }
  const SensorUnit unit = UnitOf(sensor.type, property);
  page.Family(metric + std::string(unit.suffix), kHelp, unit.type)
      .Add(value * unit.scale, {{"chip", chip}, {"sensor", name}});
}

void AddSensor(std::string_view chip, std::string_view name, const Sensor& sensor, HostPage& page) {
  const std::initializer_list<LabelView> labels = {{"chip", chip}, {"sensor", name}};
  if (const auto label = sensor.values.find("label"); label != sensor.values.end()) {
    page.Gauge("node_hwmon_sensor_label", "1, with the label that the driver gives the sensor.")
        .Add(1, {{"chip", chip}, {"label", label->second}, {"sensor", name}});
  }
  const auto bare = sensor.values.find("");
  if (sensor.type == "beep_enable" || sensor.type == "vrm" || sensor.type == "update_interval") {
    const auto value = bare == sensor.values.end() ? std::nullopt : ToNumber(bare->second);
    if (sensor.type == "beep_enable") {
      page.Gauge("node_hwmon_beep_enabled", "1 if the chip beeps.").Add(value == 1 ? 1 : 0, labels);
    } else if (value && sensor.type == "vrm") {
      page.Gauge("node_hwmon_voltage_regulator_version", "Version of the voltage regulator.")
          .Add(*value, labels);
    } else if (value) {
      page.Gauge("node_hwmon_update_interval_seconds", "How often the chip measures.")
          .Add(*value * 0.001, labels);
    }
    return;
  }
  for (const auto& [property, text] : sensor.values) {
    if (property == "label") continue;
    if (const auto value = ToNumber(text)) {
      AddSensorProperty(chip, name, sensor, property, *value, page);
    }
  }
}

std::string_view LastElement(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

// A name that stays the same over reboots: from the device behind the chip, else its name file,
// else hwmonN.
std::string ChipName(HostSource& source, const std::string& dir, std::string_view entry) {
  if (const auto device = source.ResolveSys(dir + "/device")) {
    const std::string name = CleanName(LastElement(*device));
    const std::string_view parent = std::string_view(*device).substr(0, device->rfind('/'));
    const std::string bus = CleanName(LastElement(parent));
    if (!name.empty()) return bus.empty() ? name : bus + "_" + name;
  }
  if (const auto name = source.ReadSys(dir + "/name")) {
    std::string clean = CleanName(*name);
    if (!clean.empty()) return clean;
  }
  return CleanName(entry);
}

}  // namespace

Status CollectHwmon(HostSource& source, HostPage& page) {
  const auto entries = source.ListSys("class/hwmon");
  if (entries.empty()) return Error(ErrorKind::kNotFound, "no hardware sensors");
  std::map<std::string, int> name_uses;
  std::map<std::pair<std::string, std::string>, int> label_uses;
  for (const std::string& entry : entries) {
    const std::string dir = "class/hwmon/" + entry;
    const std::string chip = ChipName(source, dir, entry);
    name_uses[chip]++;
    label_uses[{chip, CleanName(source.ReadSys(dir + "/name").value_or(""))}]++;
  }
  for (const std::string& entry : entries) {
    const std::string dir = "class/hwmon/" + entry;
    std::string chip = ChipName(source, dir, entry);
    const std::string label = CleanName(source.ReadSys(dir + "/name").value_or(""));
    // Two chips of one device (fans and temperatures of a laptop): tell them apart.
    if (name_uses[chip] > 1) {
      const bool same_label = label.empty() || label_uses[{chip, label}] > 1;
      chip += "_" + (same_label ? CleanName(entry) : label);
    }
    if (!label.empty()) {
      page.Gauge("node_hwmon_chip_names", "1, with the driver's name for the chip.")
          .Add(1, {{"chip", chip}, {"chip_name", label}});
    }
    Sensors sensors;
    ReadSensors(source, dir, sensors);
    ReadSensors(source, dir + "/device", sensors);
    for (const auto& [name, sensor] : sensors)
      AddSensor(chip, name, sensor, page);
  }
  return OkStatus();
}

Status CollectThermal(HostSource& source, HostPage& page) {
  bool found = false;
  for (const std::string& entry : source.ListSys("class/thermal")) {
    const std::string dir = "class/thermal/" + entry;
    const std::string type = source.ReadSys(dir + "/type").value_or("");
    if (entry.starts_with("thermal_zone")) {
      const auto temperature = source.SysNumber(dir + "/temp");
      if (!temperature) continue;
      found = true;
      page.Gauge("node_thermal_zone_temp", "Temperature of the zone in Celsius.")
          .Add(*temperature / 1000, {{"type", type}, {"zone", std::string_view(entry).substr(12)}});
    } else if (entry.starts_with("cooling_device")) {
      const std::string_view name = std::string_view(entry).substr(14);
      const auto current = source.SysNumber(dir + "/cur_state");
      const auto limit = source.SysNumber(dir + "/max_state");
      if (!current || !limit) continue;
      found = true;
      page.Gauge("node_cooling_device_cur_state", "How hard the device cools or throttles.")
          .Add(*current, {{"name", name}, {"type", type}});
      page.Gauge("node_cooling_device_max_state", "The hardest that the device can.")
          .Add(*limit, {{"name", name}, {"type", type}});
    }
  }
  return found ? OkStatus() : Error(ErrorKind::kNotFound, "no thermal zone");
}

Status CollectRapl(HostSource& source, HostPage& page) {
  bool found = false;
  std::map<std::string, int>
      uses;  // The n-th zone of a name has index n unless its name holds one.
  for (const std::string& entry : source.ListSys("class/powercap")) {
    const std::string dir = "class/powercap/" + entry;
    const auto name = source.ReadSys(dir + "/name");
    const auto microjoules = source.SysNumber(dir + "/energy_uj");  // Root only on many systems.
    if (!name || !microjoules) continue;
    found = true;
    // "package-0": zone "package", index 0. "dram", "core": counted.
    std::string zone = *name;
    std::string index;
    const std::size_t dash = zone.rfind('-');
    if (dash != std::string::npos && ParseUint(std::string_view(zone).substr(dash + 1))) {
      index = zone.substr(dash + 1);
      zone.resize(dash);
    } else {
      index = std::to_string(uses[zone]++);
    }
    std::replace_if(
        zone.begin(), zone.end(), [](unsigned char c) { return std::isalnum(c) == 0 && c != '_'; },
        '_');
    page.Counter("node_rapl_" + zone + "_joules_total", "Energy that this part of the CPU used.")
        .Add(*microjoules / 1e6, {{"index", index}, {"path", source.sysfs() + "/" + dir}});
  }
  return found ? OkStatus() : Error(ErrorKind::kNotFound, "no readable energy counter");
}

Status CollectPowerSupply(HostSource& source, HostPage& page) {
  struct Attribute {
    std::string_view file, name;
    double scale;
  };
  static constexpr Attribute kAttributes[] = {
      {"online", "online", 1},
      {"present", "present", 1},
      {"capacity", "capacity", 1},
      {"cycle_count", "cyclecount", 1},
      {"time_to_empty_now", "time_to_empty_seconds", 1},
      {"time_to_full_now", "time_to_full_seconds", 1},
      {"current_now", "current_ampere", 1e-6},
      {"current_max", "current_max", 1e-6},
      {"energy_now", "energy_watthour", 1e-6},
      {"energy_full", "energy_full", 1e-6},
      {"energy_full_design", "energy_full_design", 1e-6},
      {"charge_now", "charge_ampere", 1e-6},
      {"charge_full", "charge_full", 1e-6},
      {"charge_full_design", "charge_full_design", 1e-6},
      {"power_now", "power_watt", 1e-6},
      {"voltage_now", "voltage_volt", 1e-6},
      {"voltage_max", "voltage_max", 1e-6},
      {"voltage_max_design", "voltage_max_design", 1e-6},
      {"voltage_min", "voltage_min", 1e-6},
      {"voltage_min_design", "voltage_min_design", 1e-6},
      {"temp", "temp_celsius", 0.1},
  };
  static constexpr std::string_view kInfo[] = {
      "capacity_level", "charge_type", "health",     "manufacturer", "model_name", "scope",
      "serial_number",  "status",      "technology", "type",         "usb_type"};
  const auto supplies = source.ListSys("class/power_supply");
  if (supplies.empty()) return Error(ErrorKind::kNotFound, "no power supply reports itself");
  for (const std::string& supply : supplies) {
    const std::string dir = "class/power_supply/" + supply + "/";
    for (const Attribute& attribute : kAttributes) {
      const auto value = source.SysNumber(dir + std::string(attribute.file));
      if (!value) continue;
      page.Gauge("node_power_supply_" + std::string(attribute.name),
                 "This attribute of the power supply, from sysfs.")
          .Add(*value * attribute.scale, {{"power_supply", supply}});
    }
    std::vector<std::pair<std::string_view, std::string>> info;
    for (const std::string_view file : kInfo) {
      auto text = source.ReadSys(dir + std::string(file));
      if (text && !text->empty()) info.emplace_back(file, *std::move(text));
    }
    info.emplace_back("power_supply", supply);
    std::sort(info.begin(), info.end());
    std::vector<LabelView> labels;
    labels.reserve(info.size());
    for (const auto& [name, text] : info)
      labels.push_back({name, text});
    page.Gauge("node_power_supply_info", "1, with what is known about the power supply.")
        .Add(1, labels.data(), labels.size());
  }
  return OkStatus();
}

}  // namespace sonde::collect
