#include "server/services/infer_settings.h"

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "core/base/status.h"
#include "server/rpc/errors.h"

namespace fovea {
namespace {

constexpr std::pair<const char*, const char*> kTraceSettings[] = {{"log_frequency", "0"},
                                                                  {"trace_count", "0"},
                                                                  {"trace_file", ""},
                                                                  {"trace_level", "OFF"},
                                                                  {"trace_rate", "0"}};

constexpr char kLogFormat[] = "ISO8601";

std::string FieldOf(absl::string_view setting) { return absl::StrCat("settings[", setting, "]"); }

const char* TraceSettingOf(absl::string_view name) {
  for (const auto& [known, value] : kTraceSettings) {
    if (name == known) return value;
  }
  return nullptr;
}

absl::Status CheckTraceSetting(const std::string& name,
                               const inference::TraceSettingRequest::SettingValue& value) {
  const char* is = TraceSettingOf(name);
  if (is == nullptr) {
    const auto append = [](std::string* out, const auto& known) {
      absl::StrAppend(out, known.first);
    };
    return InvalidField(FieldOf(name), absl::StrCat("found an unknown setting, expected ",
                                                    absl::StrJoin(kTraceSettings, ", ", append)));
  }
  for (const std::string& found : value.value()) {
    if (found == is) continue;
    return absl::UnimplementedError(
        absl::StrCat(FieldOf(name), ": found \"", found, "\", expected \"", is,
                     "\": requests are not traced; see ModelStatistics and the metrics page"));
  }
  return absl::OkStatus();
}

// ---- The log.

using LogValue = inference::LogSettingsRequest::SettingValue;

// What is logged.
struct Logged {
  bool errors = true, warnings = true, info = true;
  uint32_t verbose_level = 0;

  bool operator==(const Logged&) const = default;
};

Logged LoggedAt(LogLevel level) {
  return {true, level <= LogLevel::kWarning, level <= LogLevel::kInfo,
          level <= LogLevel::kDebug ? 1u : 0u};
}

absl::StatusOr<LogLevel> LevelOf(const Logged& logged) {
  for (const LogLevel level :
       {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError}) {
    if (LoggedAt(level) == logged) return level;
  }
  const auto text = [](bool on) { return on ? "true" : "false"; };
  return InvalidField(
      "settings", absl::StrCat("found log_errors ", text(logged.errors), ", log_warnings ",
                               text(logged.warnings), ", log_info ", text(logged.info),
                               ", log_verbose_level ", logged.verbose_level,
                               ", expected errors, then warnings, then info, then level 1, none "
                               "without those before it"));
}

// A setting without a value is cleared.
bool IsCleared(const LogValue& value) {
  return value.parameter_choice_case() == LogValue::PARAMETER_CHOICE_NOT_SET;
}

absl::Status SetFlag(const std::string& name, const LogValue& value, bool start, bool* flag) {
  if (!IsCleared(value) && !value.has_bool_param()) {
    return InvalidField(FieldOf(name), "expected a bool");
  }
  *flag = IsCleared(value) ? start : value.bool_param();
  return absl::OkStatus();
}

absl::Status CheckText(const std::string& name, const LogValue& value, absl::string_view expected) {
  if (IsCleared(value)) return absl::OkStatus();
  if (!value.has_string_param()) return InvalidField(FieldOf(name), "expected a string");
  if (value.string_param() == expected) return absl::OkStatus();
  return absl::UnimplementedError(absl::StrCat(FieldOf(name), ": found \"", value.string_param(),
                                               "\", expected \"", expected,
                                               "\": the log goes to stderr in one format"));
}

absl::Status Set(const std::string& name, const LogValue& value, const Logged& start,
                 Logged* logged) {
  if (name == "log_errors") return SetFlag(name, value, start.errors, &logged->errors);
  if (name == "log_warnings") return SetFlag(name, value, start.warnings, &logged->warnings);
  if (name == "log_info") return SetFlag(name, value, start.info, &logged->info);
  if (name == "log_file") return CheckText(name, value, "");
  if (name == "log_format") return CheckText(name, value, kLogFormat);
  if (name != "log_verbose_level") {
    return InvalidField(FieldOf(name),
                        "found an unknown setting, expected log_errors, log_warnings, log_info, "
                        "log_verbose_level, log_file or log_format");
  }
  if (!IsCleared(value) && !value.has_uint32_param()) {
    return InvalidField(FieldOf(name), "expected a uint32, 0 or 1");
  }
  logged->verbose_level = IsCleared(value) ? start.verbose_level : value.uint32_param();
  return absl::OkStatus();
}

void Fill(const Logged& logged, inference::LogSettingsResponse* response) {
  auto& settings = *response->mutable_settings();
  settings["log_errors"].set_bool_param(logged.errors);
  settings["log_warnings"].set_bool_param(logged.warnings);
  settings["log_info"].set_bool_param(logged.info);
  settings["log_verbose_level"].set_uint32_param(logged.verbose_level);
  settings["log_file"].set_string_param("");
  settings["log_format"].set_string_param(kLogFormat);
}

}  // namespace

absl::Status AnswerTraceSettings(const inference::TraceSettingRequest& request,
                                 inference::TraceSettingResponse* response) {
  for (const auto& [name, value] : request.settings()) {
    RETURN_IF_ERROR(CheckTraceSetting(name, value));
  }
  for (const auto& [name, value] : kTraceSettings) {
    (*response->mutable_settings())[name].add_value(value);
  }
  return absl::OkStatus();
}

absl::Status LogLevelSettings::Answer(const inference::LogSettingsRequest& request,
                                      inference::LogSettingsResponse* response) {
  absl::MutexLock lock(&mutex_);
  const Logged before = LoggedAt(GetLogLevel());
  Logged logged = before;
  for (const auto& [name, value] : request.settings()) {
    RETURN_IF_ERROR(Set(name, value, LoggedAt(start_), &logged));
  }
  ASSIGN_OR_RETURN(const LogLevel level, LevelOf(logged));
  if (logged != before) {
    // Before it is set: who silences the log is still told of.
    LogWarning("a client changes what is logged", {{"warnings", logged.warnings},
                                                   {"info", logged.info},
                                                   {"verbose_level", logged.verbose_level}});
    SetLogLevel(level);
  }
  Fill(logged, response);
  return absl::OkStatus();
}

}  // namespace fovea
