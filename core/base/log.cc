#include "core/base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"

namespace fovea {
namespace {

constexpr LogLevel kLevels[] = {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning,
                                LogLevel::kError};

spdlog::level::level_enum SpdlogLevel(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

// Our own logger, never the registry's default: a library that also uses spdlog keeps its settings.
// Leaked on purpose: threads may log while the process ends.
spdlog::logger& Logger() {
  static spdlog::logger* logger = [] {
    auto* created = new spdlog::logger("fovea", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    created->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
    created->flush_on(spdlog::level::debug);
    return created;
  }();
  return *logger;
}

bool NeedsQuotes(absl::string_view value) {
  if (value.empty()) return true;
  for (unsigned char c : value) {
    if (c == ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f || absl::ascii_iscntrl(c)) {
      return true;
    }
  }
  return false;
}

void AppendValue(std::string* line, absl::string_view value) {
  if (NeedsQuotes(value)) {
    absl::StrAppend(line, "\"", absl::Utf8SafeCEscape(value), "\"");
  } else {
    absl::StrAppend(line, value);
  }
}

}  // namespace

std::string FormatLogLine(absl::string_view event, std::initializer_list<LogField> fields) {
  std::string line = absl::StrCat("\"", absl::Utf8SafeCEscape(event), "\"");
  for (const LogField& field : fields) {
    absl::StrAppend(&line, " ", field.key, "=");
    AppendValue(&line, field.value);
  }
  return line;
}

void Log(LogLevel level, absl::string_view event, std::initializer_list<LogField> fields) {
  spdlog::logger& logger = Logger();
  const spdlog::level::level_enum spdlog_level = SpdlogLevel(level);
  if (!logger.should_log(spdlog_level)) return;
  logger.log(spdlog_level, FormatLogLine(event, fields));
}

LogLevel GetLogLevel() {
  for (const LogLevel level : kLevels) {
    if (Logger().level() == SpdlogLevel(level)) return level;
  }
  return LogLevel::kInfo;
}

void SetLogLevel(LogLevel level) { Logger().set_level(SpdlogLevel(level)); }

absl::Status SetLogLevel(absl::string_view name) {
  for (const LogLevel level : kLevels) {
    const auto known = spdlog::level::to_string_view(SpdlogLevel(level));
    if (name == absl::string_view(known.data(), known.size())) {
      SetLogLevel(level);
      return absl::OkStatus();
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("log level is \"", name, "\", expected debug, info, warning or error"));
}

}  // namespace fovea
