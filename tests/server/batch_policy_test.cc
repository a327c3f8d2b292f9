#include "server/serving/batch_policy.h"

#include "gtest/gtest.h"

namespace fovea {
namespace {

constexpr absl::Duration kNow = absl::ZeroDuration();

BatchPolicy Policy(int max_batch, absl::Duration max_delay = absl::ZeroDuration()) {
  BatchPolicy policy;
  policy.max_batch = max_batch;
  policy.max_delay = max_delay;
  policy.target_time = absl::Milliseconds(100);
  policy.max_queue = 10;
  return policy;
}

TEST(BatchPolicy, AnIdleExecutorTakesALoneImageAtOnce) {
  EXPECT_EQ(DecideBatch(Policy(8), {.queued = 1}).take, 1);
}

TEST(BatchPolicy, AnEmptyQueueGivesNothing) {
  const BatchDecision decision = DecideBatch(Policy(8), {.queued = 0});
  EXPECT_EQ(decision.take, 0);
  EXPECT_EQ(decision.wait, absl::InfiniteDuration());
}

TEST(BatchPolicy, ABacklogFillsABatchUpToItsLimit) {
  EXPECT_EQ(DecideBatch(Policy(8), {.queued = 30}).take, 8);
}

TEST(BatchPolicy, IdleExecutorsShareWhatIsThere) {
  EXPECT_EQ(DecideBatch(Policy(32), {.queued = 9, .executors = 2, .idle_executors = 2}).take, 5);
  EXPECT_EQ(DecideBatch(Policy(32), {.queued = 9, .executors = 2, .idle_executors = 1}).take, 9);
}

TEST(BatchPolicy, WithADelayAPartialBatchWaitsForTheRestOfIt) {
  const BatchDecision decision = DecideBatch(Policy(8, absl::Milliseconds(5)),
                                             {.queued = 3, .oldest_wait = absl::Milliseconds(2)});
  EXPECT_EQ(decision.take, 0);
  EXPECT_EQ(decision.wait, absl::Milliseconds(3));
}

TEST(BatchPolicy, SendsAPartialBatchWhenTheOldestImageIsDue) {
  EXPECT_EQ(DecideBatch(Policy(8, absl::Milliseconds(5)),
                        {.queued = 3, .oldest_wait = absl::Milliseconds(5)})
                .take,
            3);
}

TEST(BatchPolicy, WithADelayAFullBatchGoesAtOnce) {
  EXPECT_EQ(DecideBatch(Policy(8, absl::Milliseconds(5)), {.queued = 8, .oldest_wait = kNow}).take,
            8);
}

TEST(BatchPolicy, ABatchTakesNoLongerThanTheTargetTime) {
  const QueueState slow{.queued = 30, .per_example = absl::Milliseconds(30)};
  EXPECT_EQ(DecideBatch(Policy(32), slow).take, 3);
  const QueueState slower{.queued = 30, .per_example = absl::Seconds(1)};
  EXPECT_EQ(DecideBatch(Policy(32), slower).take, 1);
}

TEST(Admission, RefusesWhatDoesNotFitIntoTheQueue) {
  EXPECT_EQ(Admit(Policy(8), {.queued = 8}, 2, absl::Seconds(1)), Admission::kAccept);
  EXPECT_EQ(Admit(Policy(8), {.queued = 9}, 2, absl::Seconds(1)), Admission::kFull);
}

TEST(Admission, AnEmptyQueueTakesEvenARequestLargerThanItself) {
  EXPECT_EQ(Admit(Policy(8), {.queued = 0}, 50, absl::Seconds(1)), Admission::kAccept);
}

TEST(Admission, RefusesWhatCannotBeAnsweredInTime) {
  const QueueState state{.queued = 6, .executors = 2, .per_example = absl::Milliseconds(10)};
  EXPECT_EQ(ExpectedTime(state, 2), absl::Milliseconds(40));
  EXPECT_EQ(Admit(Policy(8), state, 2, absl::Milliseconds(39)), Admission::kLate);
  EXPECT_EQ(Admit(Policy(8), state, 2, absl::Milliseconds(40)), Admission::kAccept);
}

TEST(Admission, RefusesAPassedDeadlineAlsoBeforeTheFirstMeasurement) {
  EXPECT_EQ(Admit(Policy(8), {}, 1, absl::ZeroDuration()), Admission::kLate);
  EXPECT_EQ(Admit(Policy(8), {}, 1, absl::InfiniteDuration()), Admission::kAccept);
}

}  // namespace
}  // namespace fovea
