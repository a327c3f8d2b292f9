#include "server/config.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fovea {
namespace {

using ::testing::HasSubstr;

ConfigOrExit Parse(std::vector<const char*> flags) {
  flags.insert(flags.begin(), "fovea-server");
  return ParseFlags(static_cast<int>(flags.size()), flags.data());
}

TEST(Config, DefaultsListenOnLoopbackOnly) {
  const ConfigOrExit parsed = Parse({});
  ASSERT_TRUE(parsed.config.has_value());
  EXPECT_EQ(parsed.config->listen, "127.0.0.1:8001");
  EXPECT_EQ(parsed.config->metrics, "127.0.0.1:8002");
  EXPECT_EQ(parsed.config->batch.max_delay, absl::ZeroDuration());
  EXPECT_TRUE(parsed.config->idle_trainer);
}

TEST(Config, ReadsWhatIsGiven) {
  const ConfigOrExit parsed =
      Parse({"--listen", "0.0.0.0:0", "--max-batch-delay-ms", "2.5", "--trainer-priority", "normal",
             "--max-images", "8", "--backend", "reference", "--models-dir", "shared/models",
             "--repository-poll-seconds", "0.5"});
  ASSERT_TRUE(parsed.config.has_value()) << parsed.exit.text;
  EXPECT_EQ(parsed.config->listen, "0.0.0.0:0");
  EXPECT_EQ(parsed.config->batch.max_delay, absl::Microseconds(2500));
  EXPECT_FALSE(parsed.config->idle_trainer);
  EXPECT_EQ(parsed.config->limits.max_images, 8);
  EXPECT_EQ(parsed.config->backend, "reference");
  EXPECT_EQ(parsed.config->models_dir, "shared/models");
  EXPECT_EQ(parsed.config->repository_poll, absl::Milliseconds(500));
}

TEST(Config, TakesATargetForTheLatency) {
  const ConfigOrExit parsed = Parse({"--target-p99-ms", "20"});
  ASSERT_TRUE(parsed.config.has_value()) << parsed.exit.text;
  EXPECT_EQ(parsed.config->batch.target_p99, absl::Milliseconds(20));
}

TEST(Config, KeepsAnswersOnlyWhenToldTo) {
  EXPECT_EQ(Parse({}).config->response_cache_mib, 0);
  EXPECT_EQ(Parse({"--response-cache-mib", "64"}).config->response_cache_mib, 64);
}

TEST(Config, LetsClientsNameSharedMemoryOnlyWhenToldTo) {
  EXPECT_EQ(Parse({}).config->shared_memory_prefix, "");
  for (const char* prefix : {"/", "/fovea_"}) {
    const ConfigOrExit parsed = Parse({"--shared-memory-prefix", prefix});
    ASSERT_TRUE(parsed.config.has_value()) << parsed.exit.text;
    EXPECT_EQ(parsed.config->shared_memory_prefix, prefix);
  }
}

TEST(Config, RefusesNonsenseAndNamesTheFlag) {
  const struct {
    std::vector<const char*> flags;
    const char* message;
  } kCases[] = {
      {{"--listen", "localhost"}, "--listen: found \"localhost\", expected HOST:PORT"},
      {{"--metrics", "localhost:70000"}, "--metrics: found"},
      {{"--max-images", "0"}, "--max-images: found 0, expected 1 to 65536"},
      {{"--max-batch", "-1"}, "--max-batch: found -1"},
      {{"--max-batch-delay-ms", "nan"}, "--max-batch-delay-ms"},
      {{"--target-p99-ms", "-1"}, "--target-p99-ms: found -1, expected 0 to 10000"},
      {{"--target-p99-ms", "20", "--max-batch-delay-ms", "1"}, "--target-p99-ms: found it beside"},
      {{"--response-cache-mib", "-1"}, "--response-cache-mib: found -1, expected 0 to"},
      {{"--shared-memory-prefix", "fovea"},
       "--shared-memory-prefix: found \"fovea\", expected a slash and at most 254 other"},
      {{"--shared-memory-prefix", "/dev/shm"}, "--shared-memory-prefix: found \"/dev/shm\""},
      {{"--width", "two"}, "--width"},
      {{"--backend", "tpu"}, "--backend: found \"tpu\", expected cpu or reference"},
      {{"--trainer-priority", "high"}, "--trainer-priority"},
      {{"--grace-seconds", "-3"}, "--grace-seconds: found -3"},
      {{"--repository-poll-seconds", "-1"}, "--repository-poll-seconds: found -1"},
      {{"--data-dir", ""}, "--data-dir"},
      {{"--surprise"}, "--surprise"},
  };
  for (const auto& each : kCases) {
    const ConfigOrExit parsed = Parse(each.flags);
    EXPECT_FALSE(parsed.config.has_value()) << each.flags[0];
    EXPECT_EQ(parsed.exit.code, 2);
    EXPECT_THAT(parsed.exit.text, HasSubstr(each.message));
  }
}

TEST(Config, HelpNamesEveryFlagAndSucceeds) {
  const ConfigOrExit parsed = Parse({"--help"});
  EXPECT_EQ(parsed.exit.code, 0);
  for (const char* flag : {"--data-dir", "--data-root", "--listen", "--metrics", "--trainer"}) {
    EXPECT_THAT(parsed.exit.text, HasSubstr(flag));
  }
}

}  // namespace
}  // namespace fovea
