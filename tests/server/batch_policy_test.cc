#include "server/serving/batch_policy.h"

#include <cmath>

#include "gtest/gtest.h"
#include "server/serving/arrival_rate.h"
#include "server/serving/bucket_times.h"

namespace fovea {
namespace {

constexpr absl::Duration kNow = absl::ZeroDuration();

BatchPolicy Policy(int max_batch, absl::Duration max_delay = absl::ZeroDuration()) {
  BatchPolicy policy;
  policy.max_batch = max_batch;
  policy.max_delay = max_delay;
  policy.max_compute = absl::Milliseconds(100);
  policy.max_queue = 10;
  return policy;
}

// Every image takes as long, in whatever batch.
BucketTimes Linear(int milliseconds) {
  BucketTimes times(32);
  times.Learn(1, absl::Milliseconds(milliseconds));
  return times;
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

TEST(BatchPolicy, ExecutorsShareWhatIsThere) {
  EXPECT_EQ(DecideBatch(Policy(32), {.queued = 9, .executors = 2}).take, 5);
  EXPECT_EQ(DecideBatch(Policy(32), {.queued = 1, .executors = 2}).take, 1);
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

TEST(BatchPolicy, APartialBatchDoesNotWaitPastADeadline) {
  QueueState state{.queued = 2, .time_left = absl::Milliseconds(9), .times = Linear(3)};
  EXPECT_EQ(DecideBatch(Policy(8, absl::Milliseconds(50)), state).wait, absl::Milliseconds(3));
  state.time_left = absl::Milliseconds(6);
  EXPECT_EQ(DecideBatch(Policy(8, absl::Milliseconds(50)), state).take, 2);
}

TEST(BatchPolicy, ABatchIsTheLargestBucketThatStaysWithinTheComputeTime) {
  EXPECT_EQ(DecideBatch(Policy(32), {.queued = 30, .times = Linear(25)}).take, 4);
  EXPECT_EQ(DecideBatch(Policy(32), {.queued = 30, .times = Linear(30)}).take, 2);
  EXPECT_EQ(DecideBatch(Policy(32), {.queued = 30, .times = Linear(1000)}).take, 1);
}

// Two executors of 10 ms an image, and a machine on which a wide run of one takes as given.
QueueState Idle(int wide_milliseconds, int queued = 1) {
  return {.queued = queued,
          .executors = 2,
          .idle_executors = 2,
          .times = Linear(10),
          .wide_batch = 1,
          .cores_free = true,
          .wide_times = Linear(wide_milliseconds)};
}

TEST(LatencyMode, ALoneImageThatFindsTheMachineIdleRunsOnAllCores) {
  const BatchDecision decision = DecideBatch(Policy(8), Idle(6));
  EXPECT_TRUE(decision.wide);
  EXPECT_EQ(decision.take, 1);
}

TEST(LatencyMode, UnderLoadExecutorsRunSideBySide) {
  EXPECT_FALSE(DecideBatch(Policy(8), Idle(6, 2)).wide) << "more is queued than runs wide";
  EXPECT_EQ(DecideBatch(Policy(8), Idle(6, 2)).take, 1);
  QueueState state = Idle(6);
  state.idle_executors = 1;
  EXPECT_FALSE(DecideBatch(Policy(8), state).wide) << "an executor is busy";
  EXPECT_EQ(DecideBatch(Policy(8), state).take, 1);
  state = Idle(6);
  state.cores_free = false;
  EXPECT_FALSE(DecideBatch(Policy(8), state).wide) << "something else uses a core";
  EXPECT_EQ(DecideBatch(Policy(8), state).take, 1);
}

TEST(LatencyMode, IsLeftWhereItIsNotClearlyFasterOrDoesNotExist) {
  EXPECT_TRUE(DecideBatch(Policy(8), Idle(8)).wide);
  EXPECT_FALSE(DecideBatch(Policy(8), Idle(9)).wide);
  QueueState state = Idle(6);
  state.wide_batch = 0;
  EXPECT_FALSE(DecideBatch(Policy(8), state).wide);
}

TEST(LatencyMode, IsTriedAgainThoughItWasSlow) {
  QueueState state = Idle(1000);
  state.batches_since_wide = 63;
  EXPECT_FALSE(DecideBatch(Policy(8), state).wide);
  state.batches_since_wide = 64;
  EXPECT_TRUE(DecideBatch(Policy(8), state).wide);
  state.queued = 2;
  EXPECT_FALSE(DecideBatch(Policy(8), state).wide);
}

TEST(LatencyMode, FewImagesRunWideWhereExecutorsWouldTakeLonger) {
  QueueState state = Idle(2, 4);  // 8 ms; of eight executors four take 10 ms, two of them 20 ms
  state.wide_batch = 4;
  state.executors = state.idle_executors = 8;
  EXPECT_TRUE(DecideBatch(Policy(8), state).wide);
  EXPECT_EQ(DecideBatch(Policy(8), state).take, 4);
  state.wide_times = Linear(3);
  EXPECT_FALSE(DecideBatch(Policy(8), state).wide);
}

TEST(LatencyMode, WhileAWideRunLastsNobodyTakesABatch) {
  QueueState state = Idle(6, 3);
  state.wide_running = true;
  EXPECT_EQ(DecideBatch(Policy(8), state).take, 0);
  EXPECT_EQ(DecideBatch(Policy(8), state).wait, absl::InfiniteDuration());
  // Nor is a newcomer tried at once, whatever time it is expected to take.
  state.queued = 0;
  EXPECT_EQ(Admit(Policy(8), state, {.time_left = absl::Milliseconds(9)}), Admission::kLate);
  state.wide_running = false;
  EXPECT_EQ(Admit(Policy(8), state, {.time_left = absl::Milliseconds(9)}), Admission::kAccept);
}

TEST(LatencyMode, WithATargetALoneImageRunsWideUnlessCompanyIsExpected) {
  BatchPolicy policy = Policy(8);
  policy.target_p99 = absl::Milliseconds(100);
  QueueState state = Idle(6);
  EXPECT_TRUE(DecideBatch(policy, state).wide);
  state.arrival_rate = 1000;
  state.times = BucketTimes(8);
  for (const int size : {1, 2, 4, 8}) state.times.Learn(size, absl::Milliseconds(9 + size));
  const BatchDecision decision = DecideBatch(policy, state);
  EXPECT_EQ(decision.take, 0);
  EXPECT_GT(decision.wait, absl::ZeroDuration());
}

TEST(LatencyMode, AnImageWaitsForCompanyFirst) {
  const BatchPolicy policy = Policy(8, absl::Milliseconds(5));
  EXPECT_EQ(DecideBatch(policy, Idle(6)).wait, absl::Milliseconds(5));
  EXPECT_FALSE(DecideBatch(policy, Idle(6)).wide);
}

// 1, 2, 4, 8, 16, 32 images: 4, 5, 7, 11, 19, 35 ms. Larger batches pay.
QueueState AtRate(double images_per_second, int queued = 1) {
  QueueState state{.queued = queued, .arrival_rate = images_per_second, .times = BucketTimes(32)};
  for (int size = 1; size <= 32; size *= 2) state.times.Learn(size, absl::Milliseconds(3 + size));
  return state;
}

BatchPolicy Target(int milliseconds) {
  BatchPolicy policy;
  policy.target_p99 = absl::Milliseconds(milliseconds);
  return policy;
}

TEST(BatchTarget, NothingWaitsWhenCompanyIsTooRare) {
  const BatchPlan plan = PlanBatches(Target(20), AtRate(50));
  EXPECT_EQ(plan.full, 1);
  EXPECT_EQ(plan.delay, absl::ZeroDuration());
  EXPECT_EQ(DecideBatch(Target(20), AtRate(50)).take, 1);
}

TEST(BatchTarget, AHigherRateFillsALargerBucketWithinWhatTheTargetLeaves) {
  const struct {
    double rate;
    int full;
    int delay_ms;
  } kCases[] = {
      {99, 1, 0},    // the second image is expected after 10.1 ms, the slack is 20 - 2 x 5
      {101, 2, 10},  // after 9.9 ms
      {501, 4, 6},   // three more within 6 ms
      {5000, 4, 6},  // eight take 11 ms, and two such batches more than the target
  };
  for (const auto& each : kCases) {
    const BatchPlan plan = PlanBatches(Target(20), AtRate(each.rate));
    EXPECT_EQ(plan.full, each.full) << each.rate;
    EXPECT_EQ(plan.delay, absl::Milliseconds(each.delay_ms)) << each.rate;
    EXPECT_EQ(plan.largest, 4);
  }
}

TEST(BatchTarget, DelayQueueAndComputeStayUnderTheTargetAndBatchesGrowWithTheRate) {
  for (int target = 1; target <= 100; ++target) {
    int full = 1;
    for (double rate = 1; rate < 1e6; rate *= 1.3) {
      const QueueState state = AtRate(rate);
      const BatchPlan plan = PlanBatches(Target(target), state);
      EXPECT_GE(plan.full, full) << target << " ms, " << rate << "/s";
      EXPECT_GE(plan.largest, plan.full);
      full = plan.full;
      if (plan.largest == 1) continue;  // perhaps impossible
      EXPECT_LE(plan.delay + 2 * state.times.Of(plan.full), absl::Milliseconds(target));
      EXPECT_LE(2 * state.times.Of(plan.largest), absl::Milliseconds(target));
    }
  }
}

TEST(BatchTarget, AnImpossibleTargetComputesEachImageAloneAndAtOnce) {
  const BatchPlan plan = PlanBatches(Target(3), AtRate(5000));
  EXPECT_EQ(plan.largest, 1);
  EXPECT_EQ(plan.delay, absl::ZeroDuration());
  EXPECT_EQ(DecideBatch(Target(3), AtRate(5000, 20)).take, 1);
}

TEST(BatchTarget, ABatchThatIsNoFasterIsNotWaitedForButABacklogFillsIt) {
  QueueState state{.queued = 1, .arrival_rate = 1000, .times = Linear(2)};
  EXPECT_EQ(DecideBatch(Target(100), state).take, 1);
  state.queued = 40;
  EXPECT_EQ(DecideBatch(Target(100), state).take, 16);
}

TEST(BatchTarget, IdleExecutorsDoNotShareWhatIsFasterTogether) {
  QueueState state = AtRate(5000, 4);
  state.executors = state.idle_executors = 2;
  EXPECT_EQ(DecideBatch(Target(20), state).take, 4);
  state.queued = 3;
  EXPECT_EQ(DecideBatch(Target(20), state).wait, absl::Milliseconds(6));
  state.oldest_wait = absl::Milliseconds(6);
  EXPECT_EQ(DecideBatch(Target(20), state).take, 3);
}

TEST(BatchTarget, NothingWaitsBeforeTheFirstMeasurement) {
  EXPECT_EQ(DecideBatch(Target(20), {.queued = 3, .arrival_rate = 1e6}).take, 3);
}

TEST(BucketTimes, AreUnknownAtFirstAndThenGuessedInProportion) {
  BucketTimes times(8);
  EXPECT_EQ(times.Of(3), absl::ZeroDuration());
  times.Learn(2, absl::Milliseconds(6));
  EXPECT_EQ(times.Of(1), absl::Milliseconds(3));
  EXPECT_EQ(times.Of(8), absl::Milliseconds(24));
}

TEST(BucketTimes, OfManyImagesAreThoseOfTheirBatches) {
  const BucketTimes times = AtRate(0).times;
  EXPECT_EQ(times.Of(3), absl::Milliseconds(7));      // padded to 4
  EXPECT_EQ(times.Of(5), absl::Milliseconds(7 + 4));  // 4 and 1
  EXPECT_EQ(times.Of(72), absl::Milliseconds(2 * 35 + 11));
  EXPECT_EQ(times.Of(9, 4), absl::Milliseconds(2 * 7 + 4));
}

TEST(BucketTimes, FollowTheRunningAverage) {
  BucketTimes times = AtRate(0).times;
  times.Learn(4, absl::Milliseconds(8));
  EXPECT_EQ(times.Of(4), absl::Microseconds(7200));
  for (int i = 0; i < 100; ++i) times.Learn(4, absl::Milliseconds(8));
  EXPECT_NEAR(absl::ToDoubleMilliseconds(times.Of(4)), 8, 1e-6);
  for (int i = 0; i < 100; ++i) times.Learn(5, absl::Milliseconds(15));
  EXPECT_NEAR(absl::ToDoubleMilliseconds(times.Of(5)), 15, 1e-3);
}

TEST(BucketTimes, ATimeOfABadMomentRecoversWithItsNeighbours) {
  BucketTimes times = AtRate(0).times;
  times.Learn(8, absl::Seconds(1));
  EXPECT_GT(times.Of(8), absl::Milliseconds(100));
  times.Learn(4, absl::Milliseconds(7));  // two of which do what eight do
  EXPECT_LE(times.Of(8), 2 * times.Of(4));
  for (int i = 0; i < 100; ++i) times.Learn(4, absl::Milliseconds(7));
  EXPECT_LT(times.Of(8), absl::Milliseconds(15));
}

TEST(ArrivalRate, IsTheRateOfTheLastSecondOrSo) {
  ArrivalRate rate;
  absl::Duration now = absl::Seconds(1000);
  EXPECT_EQ(rate.At(now), 0);
  for (int i = 0; i < 10'000; ++i) rate.Add(2, now += absl::Milliseconds(5));
  EXPECT_NEAR(rate.At(now), 400, 2);
  EXPECT_NEAR(rate.At(now + absl::Seconds(1)), 400 / std::exp(1), 1);
  EXPECT_LT(rate.At(now + absl::Seconds(20)), 1e-3);
}

TEST(Admission, RefusesWhatDoesNotFitIntoTheQueue) {
  EXPECT_EQ(Admit(Policy(8), {.queued = 8}, {.count = 2}), Admission::kAccept);
  EXPECT_EQ(Admit(Policy(8), {.queued = 9}, {.count = 2}), Admission::kFull);
}

TEST(Admission, AnEmptyQueueTakesEvenARequestLargerThanItself) {
  EXPECT_EQ(Admit(Policy(8), {.queued = 0}, {.count = 50}), Admission::kAccept);
}

TEST(Admission, WhatMayBeDisplacedLeavesRoom) {
  EXPECT_EQ(Admit(Policy(8), {.queued = 9}, {.count = 2, .displaceable = 1}), Admission::kAccept);
  EXPECT_EQ(Admit(Policy(8), {.queued = 9}, {.count = 3, .displaceable = 1}), Admission::kFull);
  EXPECT_EQ(Admit(Policy(8), {.queued = 9}, {.count = 50, .displaceable = 9}), Admission::kAccept);
}

TEST(Admission, RefusesWhatCannotBeAnsweredInTime) {
  const QueueState state{.queued = 9, .executors = 2, .times = Linear(10)};
  EXPECT_EQ(ExpectedTime(Policy(8), state, 8), absl::Milliseconds(40));
  Newcomer newcomer{.count = 1, .time_left = absl::Milliseconds(39), .ahead = 7};
  EXPECT_EQ(Admit(Policy(8), state, newcomer), Admission::kLate);
  EXPECT_EQ(RetryDelay(Policy(8), state, newcomer, Admission::kLate), absl::Milliseconds(1));
  newcomer.time_left = absl::Milliseconds(40);
  EXPECT_EQ(Admit(Policy(8), state, newcomer), Admission::kAccept);
}

TEST(Admission, AnIdleExecutorTriesABatchThatIsExpectedToBeLate) {
  QueueState state{.queued = 0, .times = Linear(10)};
  Newcomer newcomer{.count = 8, .time_left = absl::Milliseconds(1)};
  EXPECT_EQ(Admit(Policy(8), state, newcomer), Admission::kAccept);
  newcomer.count = 9;
  EXPECT_EQ(Admit(Policy(8), state, newcomer), Admission::kLate);
  newcomer.count = 1;
  state.idle_executors = 0;
  EXPECT_EQ(Admit(Policy(8), state, newcomer), Admission::kLate);
}

TEST(Admission, ExpectsBatchesToTakeTheTimeOfTheirBuckets) {
  EXPECT_EQ(ExpectedTime({}, AtRate(0), 32), absl::Milliseconds(35));
  EXPECT_EQ(ExpectedTime({}, AtRate(0), 33), absl::Milliseconds(35 + 4));
  EXPECT_EQ(ExpectedTime(Target(20), AtRate(0), 32), absl::Milliseconds(8 * 7));
}

TEST(Admission, RefusesAPassedDeadlineAlsoBeforeTheFirstMeasurement) {
  EXPECT_EQ(Admit(Policy(8), {}, {.time_left = absl::ZeroDuration()}), Admission::kLate);
  EXPECT_EQ(Admit(Policy(8), {}, {}), Admission::kAccept);
}

TEST(Admission, RefusesWhatWouldWaitTooLongForThoseAhead) {
  BatchPolicy policy = Policy(8);
  policy.max_queue = 100;
  policy.max_wait = absl::Milliseconds(40);
  const QueueState state{.queued = 10, .executors = 2, .times = Linear(10)};
  EXPECT_EQ(Admit(policy, state, {.count = 50, .ahead = 8}), Admission::kAccept)
      << "its own time does not count";
  EXPECT_EQ(Admit(policy, state, {.ahead = 9}), Admission::kFull);
  EXPECT_EQ(RetryDelay(policy, state, {.ahead = 9}, Admission::kFull), absl::Milliseconds(10));
  EXPECT_EQ(Admit(policy, state, {.ahead = 9, .patient = true}), Admission::kAccept);
  policy.max_queue = 10;
  EXPECT_EQ(Admit(policy, state, {.ahead = 9, .patient = true}), Admission::kFull);
  EXPECT_EQ(RetryDelay(policy, state, {.ahead = 9, .patient = true}, Admission::kFull),
            absl::Milliseconds(10));
}

TEST(Admission, WhatIsStillDecodedTakesRoomAndTime) {
  BatchPolicy policy = Policy(8);
  EXPECT_EQ(Admit(policy, {.queued = 5, .coming = 3}, {.count = 2}), Admission::kAccept);
  EXPECT_EQ(Admit(policy, {.queued = 5, .coming = 4}, {.count = 2}), Admission::kFull);
  const QueueState state{.coming = 4,
                         .executors = 2,
                         .idle_executors = 0,
                         .times = Linear(10),
                         .decode_time = absl::Milliseconds(30)};
  EXPECT_EQ(ExpectedTime(policy, state, 4, 4), absl::Milliseconds(20 + 60));
  Newcomer newcomer{
      .count = 4, .time_left = absl::Milliseconds(40 + 60), .ahead = 4, .coming_ahead = 4};
  EXPECT_EQ(Admit(policy, state, newcomer), Admission::kAccept);
  newcomer.decoded = false;
  EXPECT_EQ(Admit(policy, state, newcomer), Admission::kLate);
  EXPECT_EQ(RetryDelay(policy, state, newcomer, Admission::kLate), absl::Milliseconds(60));
  newcomer.time_left = absl::Milliseconds(79);
  EXPECT_EQ(RetryDelay(policy, state, newcomer, Admission::kLate), absl::ZeroDuration())
      << "alone it takes 60 ms to decode and 20 to compute";
}

TEST(WellFilled, IsAFullBatchForEveryExecutor) {
  EXPECT_EQ(WellFilled(Policy(4), {.executors = 3}), 12);
  EXPECT_EQ(WellFilled(Policy(32), {.executors = 2, .times = Linear(50)}), 4)
      << "larger batches take longer than max_compute";
}

TEST(BestBatch, IsTheSmallestOfThoseThatAreAboutAsFastAsAny) {
  const auto best = [](const std::vector<double>& milliseconds) {
    std::vector<absl::Duration> times;
    for (const double each : milliseconds) times.push_back(absl::Milliseconds(each));
    return BestBatch(times);
  };
  EXPECT_EQ(best({10, 18, 32, 60, 118}), 8);
  EXPECT_EQ(best({10, 20, 44, 97}), 1) << "larger ones are slower";
  EXPECT_EQ(best({10, 19.6, 39.2}), 1) << "hardly faster";
  EXPECT_EQ(best({10, 18, 0, 0}), 2) << "what is not known is not chosen";
  EXPECT_EQ(best({0, 0, 0}), 4) << "nothing is known";
}

TEST(Admission, TellsWhenAnotherTryMaySucceed) {
  const QueueState full{.queued = 10, .times = Linear(10)};
  EXPECT_EQ(RetryDelay(Policy(8), full, {.count = 2}, Admission::kFull), absl::Milliseconds(20));
  // Alone it would be late too.
  const Newcomer hopeless{.count = 4, .time_left = absl::Milliseconds(30), .ahead = 8};
  EXPECT_EQ(RetryDelay(Policy(8), full, hopeless, Admission::kLate), absl::ZeroDuration());
}

}  // namespace
}  // namespace fovea
