#include "core/base/cancel.h"

#include <gtest/gtest.h>

#include <thread>

namespace fovea {
namespace {

TEST(CancelToken, StaysCancelled) {
  CancelToken token;
  EXPECT_FALSE(token.cancelled());
  EXPECT_TRUE(CheckNotCancelled(&token).ok());
  token.Cancel();
  token.Cancel();
  EXPECT_TRUE(token.cancelled());
  EXPECT_TRUE(absl::IsCancelled(CheckNotCancelled(&token)));
}

TEST(CancelToken, NullIsNeverCancelled) { EXPECT_TRUE(CheckNotCancelled(nullptr).ok()); }

TEST(CancelToken, WakesWhoWaits) {
  CancelToken token;
  std::thread waiter([&] { EXPECT_TRUE(token.WaitFor(absl::InfiniteDuration())); });
  token.Cancel();
  waiter.join();
}

TEST(CancelToken, StopsWaitingWhenTheTimeIsOver) {
  CancelToken token;
  EXPECT_FALSE(token.WaitFor(absl::ZeroDuration()));
}

}  // namespace
}  // namespace fovea
