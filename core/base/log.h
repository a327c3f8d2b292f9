// Structured logs: one line per event on stderr, as `key=value` pairs after a fixed event text.
//
//   LogInfo("model loaded", {{"model", name}, {"version", 3}});
//   2026-01-31T12:00:00.123Z info "model loaded" model=digits version=3
//
// Values with spaces, quotes or control characters are quoted and escaped, so that a value a client
// sent can never start a line of its own. Thread-safe.
#pragma once

#include <concepts>
#include <initializer_list>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace fovea {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// One `key=value` of a line. Values: strings, numbers, bool, absl::Status.
struct LogField {
  LogField(absl::string_view key, const absl::AlphaNum& value) : key(key), value(value.Piece()) {}
  // Only for bool: numbers and pointers convert to it and must not end here.
  template <std::same_as<bool> Bool>
  LogField(absl::string_view key, Bool value) : key(key), value(value ? "true" : "false") {}
  LogField(absl::string_view key, const absl::Status& value) : key(key), value(value.ToString()) {}

  absl::string_view key;
  std::string value;
};

void Log(LogLevel level, absl::string_view event, std::initializer_list<LogField> fields = {});

inline void LogDebug(absl::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kDebug, event, fields);
}
inline void LogInfo(absl::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kInfo, event, fields);
}
inline void LogWarning(absl::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kWarning, event, fields);
}
inline void LogError(absl::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kError, event, fields);
}

// The level below which nothing is written; kInfo unless it is set. Of the whole process.
LogLevel GetLogLevel();
void SetLogLevel(LogLevel level);
// By name: "debug", "info", "warning" or "error". InvalidArgument.
absl::Status SetLogLevel(absl::string_view name);

// The text of a line after time and level; what Log writes.
std::string FormatLogLine(absl::string_view event, std::initializer_list<LogField> fields);

}  // namespace fovea
