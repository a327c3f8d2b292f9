#include "core/train/data_wait.h"

#include <gtest/gtest.h>

namespace fovea {
namespace {

TEST(DataWait, SharesTheTimeOfTrainingOnly) {
  DataWait wait;
  EXPECT_FALSE(wait.share().has_value());
  wait.Begin(absl::Seconds(10), absl::Seconds(1));
  EXPECT_DOUBLE_EQ(wait.End(absl::Seconds(20), absl::Seconds(3)), 0.2);
  // 80 seconds of evaluation are in no share, nor is what the loader waited meanwhile.
  wait.Begin(absl::Seconds(100), absl::Seconds(5));
  EXPECT_DOUBLE_EQ(wait.End(absl::Seconds(140), absl::Seconds(5)), 0);
  EXPECT_DOUBLE_EQ(wait.share().value_or(-1), 2.0 / 50);
}

TEST(DataWait, IsZeroWhenNoTimePasses) {
  DataWait wait;
  wait.Begin(absl::Seconds(1), absl::ZeroDuration());
  EXPECT_EQ(wait.End(absl::Seconds(1), absl::ZeroDuration()), 0);
  EXPECT_FALSE(wait.share().has_value());
}

}  // namespace
}  // namespace fovea
