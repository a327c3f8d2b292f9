#include "server/services/infer_settings.h"

#include <map>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Value = inference::LogSettingsRequest::SettingValue;

Value Flag(bool on) {
  Value value;
  value.set_bool_param(on);
  return value;
}
Value Number(uint32_t number) {
  Value value;
  value.set_uint32_param(number);
  return value;
}
Value String(const std::string& text) {
  Value value;
  value.set_string_param(text);
  return value;
}

// Leaves the process's log level as it was.
class LogSettingsTest : public ::testing::Test {
 protected:
  ~LogSettingsTest() override { SetLogLevel(before_); }

  absl::Status Set(const std::map<std::string, Value>& values) {
    inference::LogSettingsRequest request;
    for (const auto& [name, value] : values) (*request.mutable_settings())[name] = value;
    answer_.Clear();
    return settings_.Answer(request, &answer_);
  }

  const LogLevel before_ = GetLogLevel();
  LogLevelSettings settings_;
  inference::LogSettingsResponse answer_;
};

TEST_F(LogSettingsTest, TellsWhatIsLogged) {
  SetLogLevel(LogLevel::kWarning);
  ASSERT_TRUE(Set({}).ok());
  const auto& settings = answer_.settings();
  EXPECT_TRUE(settings.at("log_errors").bool_param());
  EXPECT_TRUE(settings.at("log_warnings").bool_param());
  EXPECT_TRUE(settings.at("log_info").has_bool_param());
  EXPECT_FALSE(settings.at("log_info").bool_param());
  EXPECT_TRUE(settings.at("log_verbose_level").has_uint32_param());
  EXPECT_EQ(settings.at("log_verbose_level").uint32_param(), 0u);
  EXPECT_TRUE(settings.at("log_file").has_string_param());
  EXPECT_EQ(settings.at("log_file").string_param(), "");
  EXPECT_EQ(settings.at("log_format").string_param(), "ISO8601");
}

TEST_F(LogSettingsTest, SetsTheLevelThatLogsJustThat) {
  SetLogLevel(LogLevel::kInfo);
  ASSERT_TRUE(Set({{"log_verbose_level", Number(1)}}).ok());
  EXPECT_EQ(GetLogLevel(), LogLevel::kDebug);
  EXPECT_EQ(answer_.settings().at("log_verbose_level").uint32_param(), 1u);
  ASSERT_TRUE(Set({{"log_verbose_level", Number(0)}, {"log_info", Flag(false)}}).ok());
  EXPECT_EQ(GetLogLevel(), LogLevel::kWarning);
  ASSERT_TRUE(Set({{"log_warnings", Flag(false)}}).ok());
  EXPECT_EQ(GetLogLevel(), LogLevel::kError);
  ASSERT_TRUE(Set({{"log_info", Flag(true)},
                   {"log_warnings", Flag(true)},
                   {"log_file", String("")},
                   {"log_format", String("ISO8601")}})
                  .ok());
  EXPECT_EQ(GetLogLevel(), LogLevel::kInfo);
}

TEST_F(LogSettingsTest, AClearedSettingIsThatOfTheStart) {
  SetLogLevel(LogLevel::kWarning);
  LogLevelSettings settings;
  SetLogLevel(LogLevel::kInfo);
  inference::LogSettingsRequest request;
  (*request.mutable_settings())["log_info"];
  (*request.mutable_settings())["log_file"];
  ASSERT_TRUE(settings.Answer(request, &answer_).ok());
  EXPECT_EQ(GetLogLevel(), LogLevel::kWarning);
}

TEST_F(LogSettingsTest, RefusesWhatNoLevelMeansAndChangesNothing) {
  SetLogLevel(LogLevel::kInfo);
  const struct {
    std::map<std::string, Value> values;
    absl::StatusCode code;
    const char* message;
  } kCases[] = {
      {{{"log_warnings", Flag(false)}},
       absl::StatusCode::kInvalidArgument,
       "found log_errors true, log_warnings false, log_info true, log_verbose_level 0"},
      {{{"log_errors", Flag(false)}}, absl::StatusCode::kInvalidArgument, "log_errors false"},
      {{{"log_verbose_level", Number(2)}}, absl::StatusCode::kInvalidArgument, "level 2"},
      {{{"log_verbose_level", Flag(true)}}, absl::StatusCode::kInvalidArgument, "a uint32, 0 or 1"},
      {{{"log_info", Number(0)}}, absl::StatusCode::kInvalidArgument, "expected a bool"},
      {{{"log_file", Number(0)}}, absl::StatusCode::kInvalidArgument, "expected a string"},
      {{{"log_colour", Flag(true)}}, absl::StatusCode::kInvalidArgument, "settings[log_colour]"},
      {{{"log_file", String("/tmp/log")}, {"log_info", Flag(false)}},
       absl::StatusCode::kUnimplemented,
       "found \"/tmp/log\", expected \"\""},
      {{{"log_format", String("default")}}, absl::StatusCode::kUnimplemented, "ISO8601"},
  };
  for (const auto& each : kCases) {
    const absl::Status status = Set(each.values);
    EXPECT_EQ(status.code(), each.code) << status;
    EXPECT_THAT(status.message(), HasSubstr(each.message));
    EXPECT_EQ(GetLogLevel(), LogLevel::kInfo);
  }
}

absl::Status Trace(const std::string& name, const std::vector<std::string>& values,
                   inference::TraceSettingResponse* answer) {
  inference::TraceSettingRequest request;
  auto& setting = (*request.mutable_settings())[name];
  for (const std::string& value : values) setting.add_value(value);
  return AnswerTraceSettings(request, answer);
}

TEST(TraceSettings, SayThatTracingIsOff) {
  inference::TraceSettingResponse answer;
  ASSERT_TRUE(AnswerTraceSettings({}, &answer).ok());
  EXPECT_THAT(answer.settings().at("trace_level").value(), ElementsAre("OFF"));
  EXPECT_THAT(answer.settings().at("trace_count").value(), ElementsAre("0"));
  EXPECT_THAT(answer.settings().at("trace_file").value(), ElementsAre(""));
}

TEST(TraceSettings, AreNotChanged) {
  inference::TraceSettingResponse answer;
  EXPECT_TRUE(Trace("trace_level", {"OFF"}, &answer).ok());
  EXPECT_TRUE(Trace("trace_rate", {}, &answer).ok());  // cleared
  const absl::Status on = Trace("trace_level", {"TIMESTAMPS"}, &answer);
  EXPECT_EQ(on.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(on.message(), HasSubstr("found \"TIMESTAMPS\", expected \"OFF\""));
  EXPECT_EQ(Trace("trace_rate", {"1000"}, &answer).code(), absl::StatusCode::kUnimplemented);
  const absl::Status unknown = Trace("level", {"OFF"}, &answer);
  EXPECT_EQ(unknown.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(unknown.message(), HasSubstr("trace_file, trace_level"));
}

}  // namespace
}  // namespace fovea
