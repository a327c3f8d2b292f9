#include "core/base/clock.h"

#include <gtest/gtest.h>

namespace fovea {
namespace {

TEST(ManualClock, MovesOnlyWhenTold) {
  ManualClock clock(absl::FromUnixSeconds(100));
  EXPECT_EQ(clock.Now(), absl::FromUnixSeconds(100));
  EXPECT_EQ(clock.Elapsed(), absl::ZeroDuration());
  clock.Advance(absl::Seconds(5));
  EXPECT_EQ(clock.Now(), absl::FromUnixSeconds(105));
  EXPECT_EQ(clock.Elapsed(), absl::Seconds(5));
}

TEST(RealClock, NeverElapsesBackwards) {
  const absl::Duration before = Clock::Real()->Elapsed();
  EXPECT_LE(before, Clock::Real()->Elapsed());
}

}  // namespace
}  // namespace fovea
