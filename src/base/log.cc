#include "base/log.h"

#include <cstdio>
#include <ctime>

#include <unistd.h>

#include "base/duration.h"
#include "base/json.h"
#include "base/number.h"
#include "base/quote.h"

namespace sonde {
namespace {

std::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "DEBUG";
    case LogLevel::kInfo:
      return "INFO";
    case LogLevel::kWarn:
      return "WARN";
    case LogLevel::kError:
      return "ERROR";
  }
  return "";
}

std::string FormatRfc3339(Timestamp t) {
  std::int64_t ms = t.ms % 1000;
  if (ms < 0) ms += 1000;
  const auto seconds = static_cast<std::time_t>((t.ms - ms) / 1000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[64];
  const std::size_t n = std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(text + n, sizeof(text) - n, ".%03dZ", static_cast<int>(ms));
  return text;
}

bool NeedsQuotes(std::string_view value) {
  if (value.empty()) return true;
  for (const char c : value) {
    if (c <= ' ' || c == '"' || c == '=' || c == '\\' || static_cast<unsigned char>(c) >= 0x7F) {
      return true;
    }
  }
  return false;
}

void AppendLogfmt(std::string& out, std::string_view key, std::string_view value) {
  if (!out.empty()) out.push_back(' ');
  out += key;
  out.push_back('=');
  if (NeedsQuotes(value)) {
    AppendQuoteGo(out, value);
  } else {
    out += value;
  }
}

}  // namespace

Result<LogLevel> ParseLogLevel(std::string_view text) {
  if (text == "debug") return LogLevel::kDebug;
  if (text == "info") return LogLevel::kInfo;
  if (text == "warn") return LogLevel::kWarn;
  if (text == "error") return LogLevel::kError;
  return sonde::Error(ErrorKind::kInvalid,
                      "log level " + QuoteGo(text) + " is not one of debug, info, warn, error");
}

LogField::LogField(std::string_view k, Duration v) : key(k), value(FormatDuration(v)) {}
LogField::LogField(std::string_view k, Timestamp v) : key(k), value(FormatRfc3339(v)) {}
LogField::LogField(std::string_view k, double v) : key(k), value(FormatFloatG(v)) {}

void StderrSink::Write(std::string_view line) {
  while (!line.empty()) {
    const ssize_t n = ::write(STDERR_FILENO, line.data(), line.size());
    if (n <= 0) return;  // Nobody reads the log; there is nowhere to say so.
    line.remove_prefix(static_cast<std::size_t>(n));
  }
}

void MemorySink::Write(std::string_view line) {
  MutexLock lock(mutex_);
  text_ += line;
}

std::string MemorySink::text() const {
  MutexLock lock(mutex_);
  return text_;
}

Logger Logger::With(std::string_view name) const {
  Logger logger = *this;
  logger.component_ = name;
  return logger;
}

void Logger::Write(LogLevel level, std::string_view message, Fields fields) const {
  if (!enabled(level)) return;
  std::string line;
  const std::string time = FormatRfc3339(clock_->Now());
  if (format_ == LogFormat::kJson) {
    JsonWriter json(line);
    json.BeginObject().Key("time").String(time).Key("level").String(LevelName(level));
    json.Key("msg").String(message);
    if (!component_.empty()) json.Key("component").String(component_);
    for (const LogField& field : fields) {
      json.Key(field.key).String(field.value);
    }
    json.EndObject();
  } else {
    AppendLogfmt(line, "time", time);
    AppendLogfmt(line, "level", LevelName(level));
    AppendLogfmt(line, "msg", message);
    if (!component_.empty()) AppendLogfmt(line, "component", component_);
    for (const LogField& field : fields) {
      AppendLogfmt(line, field.key, field.value);
    }
  }
  line.push_back('\n');
  sink_->Write(line);
}

}  // namespace sonde
