#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "base/time.h"

// Structured log lines, in logfmt or JSON, with the field names that Prometheus uses. Log once,
// where an error is handled. Prompts, secrets and whole request bodies are never logged.

namespace sonde {

enum class LogLevel : unsigned char { kDebug, kInfo, kWarn, kError };
enum class LogFormat : unsigned char { kLogfmt, kJson };

/// "debug", "info", "warn", "error"; kInvalid otherwise.
Result<LogLevel> ParseLogLevel(std::string_view text);

/// One `key=value` of a line.
struct LogField {
  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const char* v) : key(k), value(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(v) {}
  LogField(std::string_view k, const Error& v) : key(k), value(v.message()) {}
  LogField(std::string_view k, Duration v);
  LogField(std::string_view k, Timestamp v);
  LogField(std::string_view k, bool v) : key(k), value(v ? "true" : "false") {}
  LogField(std::string_view k, double v);
  LogField(std::string_view k, std::int64_t v) : key(k), value(std::to_string(v)) {}
  LogField(std::string_view k, std::uint64_t v) : key(k), value(std::to_string(v)) {}
  LogField(std::string_view k, int v) : key(k), value(std::to_string(v)) {}
  LogField(std::string_view k, unsigned v) : key(k), value(std::to_string(v)) {}

  std::string key;
  std::string value;
};

/// Where finished lines go. Implementations are thread-safe.
class LogSink {
 public:
  virtual ~LogSink() = default;
  /// `line` ends with a newline.
  virtual void Write(std::string_view line) = 0;
};

/// Lines to standard error, each in one write.
class StderrSink final : public LogSink {
 public:
  void Write(std::string_view line) override;
};

/// Keeps the lines in memory. For tests.
class MemorySink final : public LogSink {
 public:
  void Write(std::string_view line) override;
  std::string text() const;

 private:
  mutable Mutex mutex_;
  std::string text_ GUARDED_BY(mutex_);
};

/// Writes lines to a sink; passed to whoever logs. Copyable (it is three references and a name),
/// and thread-safe. `sink` and `clock` must outlive it.
class Logger {
 public:
  Logger(LogSink& sink, const Clock& clock, LogLevel level = LogLevel::kInfo,
         LogFormat format = LogFormat::kLogfmt)
      : sink_(&sink), clock_(&clock), level_(level), format_(format) {}

  /// A logger whose lines also say component=`name`.
  Logger With(std::string_view name) const;

  bool enabled(LogLevel level) const { return level >= level_; }

  using Fields = std::initializer_list<LogField>;
  void Debug(std::string_view message, Fields fields = {}) const {
    Write(LogLevel::kDebug, message, fields);
  }
  void Info(std::string_view message, Fields fields = {}) const {
    Write(LogLevel::kInfo, message, fields);
  }
  void Warn(std::string_view message, Fields fields = {}) const {
    Write(LogLevel::kWarn, message, fields);
  }
  void Error(std::string_view message, Fields fields = {}) const {
    Write(LogLevel::kError, message, fields);
  }

 private:
  void Write(LogLevel level, std::string_view message, Fields fields) const;

  LogSink* sink_;
  const Clock* clock_;
  LogLevel level_;
  LogFormat format_;
  std::string component_;
};

}  // namespace sonde
