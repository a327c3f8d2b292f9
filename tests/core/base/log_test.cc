#include "core/base/log.h"

#include <gtest/gtest.h>

namespace fovea {
namespace {

TEST(Log, WritesKeysAndValues) {
  EXPECT_EQ(FormatLogLine("model loaded", {{"model", "digits"}, {"version", 3}, {"ok", true}}),
            "\"model loaded\" model=digits version=3 ok=true");
}

TEST(Log, KeepsAValueOnItsLine) {
  EXPECT_EQ(FormatLogLine("import", {{"name", "a b\n\"c\"=\x1b[31m"}, {"none", ""}}),
            R"("import" name="a b\n\"c\"=\033[31m" none="")");
}

TEST(Log, KeepsUtf8Readable) {
  EXPECT_EQ(FormatLogLine("x", {{"label", "käse"}}), "\"x\" label=käse");
}

TEST(Log, WritesAStatus) {
  EXPECT_EQ(FormatLogLine("x", {{"error", absl::NotFoundError("no model")}}),
            "\"x\" error=\"NOT_FOUND: no model\"");
}

TEST(Log, WritesOneLineToStderrFromTheSetLevelOn) {
  ::testing::internal::CaptureStderr();
  EXPECT_TRUE(SetLogLevel("warning").ok());
  LogInfo("quiet");
  LogWarning("loud", {{"n", 1}});
  const std::string written = ::testing::internal::GetCapturedStderr();
  EXPECT_TRUE(SetLogLevel("info").ok());
  EXPECT_EQ(written.find("quiet"), std::string::npos);
  EXPECT_NE(written.find("Z warning \"loud\" n=1\n"), std::string::npos) << written;
}

TEST(Log, TellsTheLevelThatWasSet) {
  EXPECT_EQ(GetLogLevel(), LogLevel::kInfo);
  SetLogLevel(LogLevel::kDebug);
  EXPECT_EQ(GetLogLevel(), LogLevel::kDebug);
  EXPECT_TRUE(SetLogLevel("error").ok());
  EXPECT_EQ(GetLogLevel(), LogLevel::kError);
  SetLogLevel(LogLevel::kInfo);
}

TEST(Log, RefusesAnUnknownLevel) { EXPECT_TRUE(absl::IsInvalidArgument(SetLogLevel("verbose"))); }

}  // namespace
}  // namespace fovea
