#include "tests/server/batcher_fixture.h"

namespace fovea::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST_F(BatcherTest, AnswersEachImageInItsPlace) {
  const auto batcher = Make(1);
  const auto outcome = Add(*batcher, {3, 1, 2});
  ASSERT_TRUE(outcome->Wait());
  EXPECT_TRUE(outcome->status.ok()) << outcome->status;
  EXPECT_THAT(outcome->output, ElementsAre(6, 2, 4));
}

TEST_F(BatcherTest, CollectsWhatArrivesWhileTheExecutorIsBusy) {
  gate_.Set(false);
  const auto batcher = Make(1);
  const auto first = Add(*batcher, {1});
  ASSERT_TRUE(gate_.WaitUntilInside(1));
  const auto second = Add(*batcher, {2, 3});
  const auto third = Add(*batcher, {4});
  EXPECT_EQ(batcher->queued(), 3);
  gate_.Set(true);
  ASSERT_TRUE(first->Wait() && second->Wait() && third->Wait());
  EXPECT_THAT(gate_.Batches(), ElementsAre(1, 3));
  EXPECT_THAT(second->output, ElementsAre(4, 6));
  EXPECT_THAT(third->output, ElementsAre(8));
}

TEST_F(BatcherTest, SplitsARequestThatIsLargerThanABatch) {
  BatchPolicy policy;
  policy.max_batch = 2;
  const auto batcher = Make(1, policy);
  const auto outcome = Add(*batcher, {1, 2, 3, 4, 5});
  ASSERT_TRUE(outcome->Wait());
  EXPECT_THAT(outcome->output, ElementsAre(2, 4, 6, 8, 10));
  EXPECT_THAT(gate_.Batches(), ElementsAre(2, 2, 1));
}

TEST_F(BatcherTest, TheTimesOfASplitRequestAddUp) {
  gate_.time = absl::Milliseconds(10);
  BatchPolicy policy;
  policy.max_batch = 2;
  const auto batcher = Make(1, policy);
  const auto outcome = Add(*batcher, {1, 2, 3, 4, 5});
  ASSERT_TRUE(outcome->Wait());
  EXPECT_EQ(outcome->queue, absl::Milliseconds(40));  // two batches of two
  EXPECT_EQ(outcome->compute, absl::Milliseconds(10));
  EXPECT_EQ(statistics_.batches[2].count(), 2u);
  EXPECT_EQ(statistics_.batches[2].nanoseconds(), 40'000'000u);
  EXPECT_EQ(statistics_.batches[1].count(), 1u);
  EXPECT_EQ(statistics_.batches[1].nanoseconds(), 10'000'000u);
}

TEST_F(BatcherTest, RefusesWhenTheQueueIsFullAndKeepsTheRequest) {
  gate_.Set(false);
  BatchPolicy policy;
  policy.max_queue = 2;
  const auto batcher = Make(1, policy);
  const auto first = Add(*batcher, {1});
  ASSERT_TRUE(gate_.WaitUntilInside(1));
  const auto second = Add(*batcher, {2, 3});
  auto request = Request({4}, std::make_shared<Outcome>());
  const absl::Status refused = batcher->Add(request);
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(refused.message(), HasSubstr("found 2 images waiting, expected at most 2"));
  EXPECT_NE(request, nullptr);
  gate_.Set(true);
  EXPECT_TRUE(first->Wait() && second->Wait());
}

TEST_F(BatcherTest, RefusesWhatIsLateAlready) {
  const auto batcher = Make(1);
  auto request = Request({1}, std::make_shared<Outcome>());
  request->deadline = clock_.Now();
  EXPECT_EQ(batcher->Add(request).code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(BatcherTest, AWrongExpectationIsCorrectedThoughDeadlinesAreShorter) {
  BucketTimes times(32);
  times.Learn(1, absl::Hours(1));  // as if the machine had stalled at warm-up
  const auto batcher = Make(1, {}, times);
  const auto with_deadline = [&](absl::Duration time_left) {
    auto outcome = std::make_shared<Outcome>();
    auto request = Request({1}, outcome);
    request->deadline = clock_.Now() + time_left;
    return batcher->Add(request).ok() ? outcome : nullptr;
  };
  const absl::Time patience = absl::Now() + kPatience;
  while (gate_.Batches().size() < 100) {  // until the average has come down
    ASSERT_LT(absl::Now(), patience);
    const auto outcome = with_deadline(absl::Milliseconds(1));
    if (outcome == nullptr) continue;  // the executor is not idle yet
    ASSERT_TRUE(outcome->Wait());
    ASSERT_TRUE(outcome->status.ok());
  }
  gate_.Set(false);
  const auto busy = with_deadline(absl::Milliseconds(1));
  ASSERT_NE(busy, nullptr);
  ASSERT_TRUE(gate_.WaitUntilInside(1));
  const auto behind = with_deadline(absl::Milliseconds(1));
  gate_.Set(true);
  ASSERT_NE(behind, nullptr);
  EXPECT_TRUE(busy->Wait() && behind->Wait());
}

TEST_F(BatcherTest, DropsWorkWhoseDeadlinePassedInTheQueue) {
  gate_.Set(false);
  const auto batcher = Make(1);
  const auto first = Add(*batcher, {1});
  ASSERT_TRUE(gate_.WaitUntilInside(1));
  auto late = std::make_shared<Outcome>();
  auto request = Request({2}, late);
  request->deadline = clock_.Now() + absl::Seconds(1);
  ASSERT_TRUE(batcher->Add(request).ok());
  clock_.Advance(absl::Seconds(2));
  gate_.Set(true);
  ASSERT_TRUE(first->Wait() && late->Wait());
  EXPECT_EQ(late->status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(gate_.Batches(), ElementsAre(1));
}

TEST_F(BatcherTest, DropsWorkThatWasCancelledInTheQueue) {
  gate_.Set(false);
  const auto batcher = Make(1);
  const auto first = Add(*batcher, {1});
  ASSERT_TRUE(gate_.WaitUntilInside(1));
  auto cancel = std::make_shared<CancelToken>();
  auto gone = std::make_shared<Outcome>();
  auto request = Request({2}, gone);
  request->cancel = cancel;
  ASSERT_TRUE(batcher->Add(request).ok());
  cancel->Cancel();
  gate_.Set(true);
  ASSERT_TRUE(first->Wait() && gone->Wait());
  EXPECT_EQ(gone->status.code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(gate_.Batches(), ElementsAre(1));
}

TEST_F(BatcherTest, TellsEveryRequestOfABatchThatItFailed) {
  {
    absl::MutexLock lock(&gate_.mutex);
    gate_.status = absl::InternalError("broken");
  }
  const auto batcher = Make(1);
  const auto outcome = Add(*batcher, {1, 2});
  ASSERT_TRUE(outcome->Wait());
  EXPECT_EQ(outcome->status.message(), "broken");
}

TEST_F(BatcherTest, ExecutorsRunSideBySide) {
  gate_.Set(false);
  const auto batcher = Make(2);
  const auto outcome = Add(*batcher, {1, 2, 3, 4});
  EXPECT_TRUE(gate_.WaitUntilInside(2));
  gate_.Set(true);
  ASSERT_TRUE(outcome->Wait());
  EXPECT_THAT(outcome->output, ElementsAre(2, 4, 6, 8));
}

TEST_F(BatcherTest, ALoneImageRunsWideAndTheNextIsDecidedAtItsEnd) {
  wide_gate_.Set(false);
  const auto batcher = MakeWithWideMode();
  const auto lone = Add(*batcher, {1});
  ASSERT_TRUE(wide_gate_.WaitUntilInside(1));
  EXPECT_FALSE(slots_.AllFree());
  const auto next = Add(*batcher, {2});
  wide_gate_.Set(true);
  ASSERT_TRUE(lone->Wait() && next->Wait());
  EXPECT_THAT(wide_gate_.Batches(), ElementsAre(1, 1));
  EXPECT_THAT(gate_.Batches(), ElementsAre());
  EXPECT_THAT(next->output, ElementsAre(4));
}

TEST_F(BatcherTest, WhatQueuesUpBehindAWideRunIsTheExecutors) {
  wide_gate_.Set(false);
  const auto batcher = MakeWithWideMode();
  const auto lone = Add(*batcher, {1});
  ASSERT_TRUE(wide_gate_.WaitUntilInside(1));
  const auto second = Add(*batcher, {2, 3});
  const auto third = Add(*batcher, {4, 5});
  EXPECT_EQ(batcher->queued(), 4);
  gate_.Set(false);
  wide_gate_.Set(true);
  EXPECT_TRUE(gate_.WaitUntilInside(2)) << "both executors";
  gate_.Set(true);
  ASSERT_TRUE(lone->Wait() && second->Wait() && third->Wait());
  EXPECT_THAT(wide_gate_.Batches().front(), 1);
  EXPECT_THAT(third->output, ElementsAre(8, 10));
}

TEST_F(BatcherTest, NothingRunsWideBesideAnExecutorOrADecodeThread) {
  const auto batcher = MakeWithWideMode();
  {
    const CpuSlots::Hold decoding(slots_, 1);
    ASSERT_TRUE(Add(*batcher, {1})->Wait());
    EXPECT_THAT(gate_.Batches(), ElementsAre(1));
    gate_.Set(false);
    const auto pair = Add(*batcher, {2, 3});
    ASSERT_TRUE(gate_.WaitUntilInside(2));
    gate_.Set(true);
    ASSERT_TRUE(pair->Wait());
  }
  EXPECT_THAT(wide_gate_.Batches(), ElementsAre());
}

TEST_F(BatcherTest, InBothModesAtOnceEveryImageIsAnsweredOnce) {
  auto batcher = MakeWithWideMode();
  std::vector<std::shared_ptr<Outcome>> outcomes;
  for (int i = 0; i < 2000; ++i) {
    outcomes.push_back(Add(*batcher, std::vector<uint8_t>(1 + i % 3, static_cast<uint8_t>(i))));
    if (i % 7 == 0) {
      const CpuSlots::Hold decoding(slots_, 1);
    }
    if (i % 4 == 0) {
      ASSERT_TRUE(outcomes.back()->Wait());
    }
  }
  batcher.reset();
  for (int i = 0; i < 2000; ++i) {
    ASSERT_TRUE(outcomes[i]->done.HasBeenNotified());
    EXPECT_THAT(outcomes[i]->output, ::testing::Each(2.0f * static_cast<uint8_t>(i)));
  }
  EXPECT_TRUE(slots_.AllFree());
  EXPECT_FALSE(wide_gate_.Batches().empty());
  EXPECT_FALSE(gate_.Batches().empty());
}

TEST_F(BatcherTest, NoMoreExecutorsRunThanThereAreSlots) {
  gate_.Set(false);
  CpuSlots one(1);
  Batcher::Options options;
  options.executors = 3;
  options.example_bytes = 1;
  options.outputs = 1;
  options.slots = &one;
  options.policy.max_batch = 1;
  Batcher batcher(std::move(options), [this] { return std::make_unique<FakeEngine>(&gate_); });
  const auto outcome = Add(batcher, {1, 2, 3});
  ASSERT_TRUE(gate_.WaitUntilInside(1));
  EXPECT_THAT(gate_.Batches(), ElementsAre(1));
  gate_.Set(true);
  ASSERT_TRUE(outcome->Wait());
  EXPECT_THAT(gate_.Batches(), ElementsAre(1, 1, 1));
}

TEST_F(BatcherTest, TakesHigherPrioritiesFirst) {
  gate_.Set(false);
  BatchPolicy policy;
  policy.max_batch = 2;
  const auto batcher = Make(1, policy);
  const auto first = Add(*batcher, {1});
  ASSERT_TRUE(gate_.WaitUntilInside(1));
  const auto low = Add(*batcher, {30, 31}, Priority::kLow);
  const auto normal = Add(*batcher, {20});
  const auto high = Add(*batcher, {10, 11}, Priority::kHigh);
  gate_.Set(true);
  ASSERT_TRUE(first->Wait() && low->Wait() && normal->Wait() && high->Wait());
  EXPECT_THAT(gate_.Order(), ElementsAre(1, 10, 11, 20, 30, 31));
  EXPECT_THAT(gate_.Batches(), ElementsAre(1, 2, 2, 1));
  EXPECT_THAT(low->output, ElementsAre(60, 62));
}

TEST_F(BatcherTest, LowPriorityIsNotForgottenBehindAStreamOfHigherOnes) {
  gate_.Set(false);
  BatchPolicy policy;
  policy.max_batch = 1;
  const auto batcher = Make(1, policy);
  const auto first = Add(*batcher, {1});
  ASSERT_TRUE(gate_.WaitUntilInside(1));
  const auto low = Add(*batcher, {30}, Priority::kLow);
  clock_.Advance(absl::Milliseconds(1));
  const auto high = Add(*batcher, std::vector<uint8_t>(20, 10), Priority::kHigh);
  gate_.Set(true);
  ASSERT_TRUE(low->Wait() && high->Wait());
  const std::vector<int> order = gate_.Order();
  EXPECT_EQ(std::find(order.begin(), order.end(), 30) - order.begin(), 7);
}

TEST_F(BatcherTest, AFullQueueGivesWayToAHigherPriority) {
  gate_.Set(false);
  BatchPolicy policy;
  policy.max_queue = 4;
  const auto batcher = Make(1, policy);
  const auto first = Add(*batcher, {1});
  ASSERT_TRUE(gate_.WaitUntilInside(1));
  const auto normal = Add(*batcher, {20});
  const auto early = Add(*batcher, {30, 31}, Priority::kLow);
  const auto late = Add(*batcher, {32}, Priority::kLow);
  // Only one image has to go: the request that came last does.
  const auto high = Add(*batcher, {10}, Priority::kHigh);
  ASSERT_TRUE(late->done.HasBeenNotified());
  EXPECT_EQ(late->status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(late->status.message(), HasSubstr("a request of higher priority came"));
  EXPECT_FALSE(early->done.HasBeenNotified());
  EXPECT_EQ(batcher->queued(), 4);
  // Nothing of its own priority or above gives way, and then nobody goes in vain.
  auto request = Request({21, 22, 23}, std::make_shared<Outcome>());
  EXPECT_EQ(batcher->Add(request).code(), absl::StatusCode::kResourceExhausted);
  request->priority = Priority::kLow;
  EXPECT_EQ(batcher->Add(request).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(early->done.HasBeenNotified());
  gate_.Set(true);
  ASSERT_TRUE(normal->Wait() && early->Wait() && high->Wait());
  EXPECT_THAT(gate_.Order(), ElementsAre(1, 10, 20, 30, 31));
}

TEST_F(BatcherTest, ARequestThatIsBegunIsNotDisplaced) {
  gate_.Set(false);
  BatchPolicy policy;
  policy.max_batch = 1;
  policy.max_queue = 2;
  const auto batcher = Make(1, policy);
  const auto low = Add(*batcher, {30, 31, 32}, Priority::kLow);
  ASSERT_TRUE(gate_.WaitUntilInside(1));
  auto request = Request({10}, std::make_shared<Outcome>());
  request->priority = Priority::kHigh;
  EXPECT_EQ(batcher->Add(request).code(), absl::StatusCode::kResourceExhausted);
  gate_.Set(true);
  ASSERT_TRUE(low->Wait());
  EXPECT_TRUE(low->status.ok());
}

TEST_F(BatcherTest, AHigherPriorityDoesNotWaitForLowerOnesAndSoIsInTime) {
  gate_.Set(false);
  BucketTimes times(32);
  times.Learn(1, absl::Milliseconds(10));
  const auto batcher = Make(1, {}, times);
  const auto first = Add(*batcher, {1});
  ASSERT_TRUE(gate_.WaitUntilInside(1));
  const auto low = Add(*batcher, std::vector<uint8_t>(4, 30), Priority::kLow);
  auto outcome = std::make_shared<Outcome>();
  auto request = Request({10}, outcome);
  request->deadline = clock_.Now() + absl::Milliseconds(20);
  request->priority = Priority::kLow;
  EXPECT_EQ(batcher->Add(request).code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(request->retry_delay, absl::Milliseconds(30));
  request->priority = Priority::kNormal;
  EXPECT_TRUE(batcher->Add(request).ok());
  gate_.Set(true);
  ASSERT_TRUE(outcome->Wait() && low->Wait());
  EXPECT_TRUE(outcome->status.ok()) << outcome->status;
}

TEST_F(BatcherTest, WithATargetImagesThatArriveFastAreComputedTogether) {
  BatchPolicy policy;
  policy.target_p99 = absl::Seconds(20);  // the test adds four images in less than six seconds
  BucketTimes times(32);
  for (int size = 1; size <= 32; size *= 2) times.Learn(size, absl::Seconds(3 + size));
  const auto batcher = Make(2, policy, times);
  // Arrives, and so counts, but is not computed.
  auto gone = std::make_shared<Outcome>();
  auto request = Request(std::vector<uint8_t>(600), gone);
  auto cancel = std::make_shared<CancelToken>();
  cancel->Cancel();
  request->cancel = cancel;
  ASSERT_TRUE(batcher->Add(request).ok());
  ASSERT_TRUE(gone->Wait());
  std::vector<std::shared_ptr<Outcome>> outcomes;
  for (const uint8_t pixel : {1, 2, 3, 4}) outcomes.push_back(Add(*batcher, {pixel}));
  for (const auto& outcome : outcomes) ASSERT_TRUE(outcome->Wait());
  EXPECT_THAT(gate_.Batches(), ElementsAre(4));
  EXPECT_THAT(outcomes[3]->output, ElementsAre(8));
}

TEST_F(BatcherTest, FinishesAcceptedRequestsBeforeItEnds) {
  auto batcher = Make(1);
  const auto outcome = Add(*batcher, std::vector<uint8_t>(100, 1));
  batcher.reset();
  EXPECT_TRUE(outcome->done.HasBeenNotified());
  EXPECT_TRUE(outcome->status.ok());
}

}  // namespace
}  // namespace fovea::testing
