#include "server/serving/batcher.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr absl::Duration kPatience = absl::Seconds(30);

// Answers twice the first byte of each example. While closed, batches wait inside Run; each then
// takes `time` an image.
struct Gate {
  ManualClock* clock = nullptr;
  absl::Duration time;
  absl::Mutex mutex;
  bool open ABSL_GUARDED_BY(mutex) = true;
  int inside ABSL_GUARDED_BY(mutex) = 0;
  std::vector<int> batches ABSL_GUARDED_BY(mutex);
  std::vector<int> order ABSL_GUARDED_BY(mutex);  // the first bytes of the examples
  absl::Status status ABSL_GUARDED_BY(mutex);

  void Set(bool value) {
    absl::MutexLock lock(&mutex);
    open = value;
  }
  bool WaitUntilInside(int count) {
    const auto arrived = [this, count]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return inside >= count; };
    absl::MutexLock lock(&mutex);
    return mutex.AwaitWithTimeout(absl::Condition(&arrived), kPatience);
  }
  std::vector<int> Batches() {
    absl::MutexLock lock(&mutex);
    return batches;
  }
  std::vector<int> Order() {
    absl::MutexLock lock(&mutex);
    return order;
  }
};

class FakeEngine : public BatchEngine {
 public:
  explicit FakeEngine(Gate* gate) : gate_(gate) {}
  absl::Status Run(absl::Span<const uint8_t* const> examples, float* output) override {
    absl::MutexLock lock(&gate_->mutex);
    gate_->batches.push_back(static_cast<int>(examples.size()));
    ++gate_->inside;
    gate_->mutex.Await(absl::Condition(&gate_->open));
    --gate_->inside;
    gate_->clock->Advance(gate_->time * static_cast<int>(examples.size()));
    for (size_t i = 0; i < examples.size(); ++i) {
      output[i] = 2.0f * examples[i][0];
      gate_->order.push_back(examples[i][0]);
    }
    return gate_->status;
  }
  double last_flops() const override { return 1; }

 private:
  Gate* const gate_;
};

// The end of one request.
struct Outcome {
  absl::Notification done;
  absl::Status status;
  std::vector<float> output;
  absl::Duration queue, compute;

  bool Wait() { return done.WaitForNotificationWithTimeout(kPatience); }
};

class BatcherTest : public ::testing::Test {
 protected:
  BatcherTest() { gate_.clock = wide_gate_.clock = &clock_; }

  std::unique_ptr<Batcher> Make(int executors, BatchPolicy policy = {}, BucketTimes times = {}) {
    Batcher::Options options;
    options.name = "digits";
    options.policy = policy;
    options.times = times;
    options.executors = executors;
    options.example_bytes = 1;
    options.outputs = 1;
    options.slots = &slots_;
    options.clock = &clock_;
    options.statistics = &statistics_;
    return std::make_unique<Batcher>(std::move(options),
                                     [this] { return std::make_unique<FakeEngine>(&gate_); });
  }

  // Two executors; a lone image takes half the time on all four slots.
  std::unique_ptr<Batcher> MakeWithWideMode() {
    Batcher::Options options;
    options.executors = 2;
    options.times.Learn(1, absl::Milliseconds(10));
    options.wide_batch = 1;
    options.wide_times.Learn(1, absl::Milliseconds(5));
    options.example_bytes = 1;
    options.outputs = 1;
    options.slots = &slots_;
    options.clock = &clock_;
    return std::make_unique<Batcher>(
        std::move(options), [this] { return std::make_unique<FakeEngine>(&gate_); },
        [this] { return std::make_unique<FakeEngine>(&wide_gate_); });
  }

  static std::unique_ptr<BatchRequest> Request(const std::vector<uint8_t>& pixels,
                                               const std::shared_ptr<Outcome>& outcome) {
    auto request = std::make_unique<BatchRequest>();
    request->count = static_cast<int>(pixels.size());
    request->pixels = std::make_unique<uint8_t[]>(pixels.size());
    std::copy(pixels.begin(), pixels.end(), request->pixels.get());
    request->done = [outcome](BatchRequest& finished, const absl::Status& status) {
      outcome->status = status;
      outcome->output = finished.output;
      outcome->queue = finished.queue;
      outcome->compute = finished.compute;
      outcome->done.Notify();
    };
    return request;
  }

  std::shared_ptr<Outcome> Add(Batcher& batcher, const std::vector<uint8_t>& pixels,
                               Priority priority = Priority::kNormal) {
    auto outcome = std::make_shared<Outcome>();
    auto request = Request(pixels, outcome);
    request->priority = priority;
    EXPECT_TRUE(batcher.Add(request).ok());
    return outcome;
  }

  ManualClock clock_{absl::FromUnixSeconds(1000)};
  Gate gate_;
  Gate wide_gate_;  // of the latency mode
  CpuSlots slots_{4};
  VersionStatistics statistics_{BatchPolicy().max_batch};
};

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

TEST_F(BatcherTest, APlaceIsKeptForImagesThatAreStillDecoded) {
  gate_.Set(false);
  BatchPolicy policy;
  policy.max_queue = 3;
  const auto batcher = Make(1, policy);
  const auto first = Add(*batcher, {1});
  ASSERT_TRUE(gate_.WaitUntilInside(1));
  auto outcome = std::make_shared<Outcome>();
  auto decoding = Request({2, 3}, outcome);
  ASSERT_TRUE(batcher->Reserve(*decoding).ok());
  EXPECT_EQ(batcher->queued(), 0);
  const auto third = Add(*batcher, {4});
  auto refused = Request({5}, std::make_shared<Outcome>());
  const absl::Status status = batcher->Reserve(*refused);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(status.message(), HasSubstr("found 3 images waiting"));
  EXPECT_EQ(batcher->Add(refused).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(batcher->Add(decoding).ok());
  EXPECT_EQ(batcher->queued(), 3);
  gate_.Set(true);
  ASSERT_TRUE(first->Wait() && outcome->Wait() && third->Wait());
  EXPECT_THAT(outcome->output, ElementsAre(4, 6));
}

TEST_F(BatcherTest, RefusesWhatWouldWaitTooLongUnlessItIsPatient) {
  gate_.Set(false);
  BatchPolicy policy;
  policy.max_batch = 1;
  policy.max_wait = absl::Milliseconds(15);
  BucketTimes times(1);
  times.Learn(1, absl::Milliseconds(10));
  const auto batcher = Make(1, policy, times);
  const auto first = Add(*batcher, {1});
  ASSERT_TRUE(gate_.WaitUntilInside(1));
  const auto second = Add(*batcher, {2, 3});
  auto outcome = std::make_shared<Outcome>();
  auto request = Request({4}, outcome);
  const absl::Status status = batcher->Add(request);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(status.message(), HasSubstr("2 images ahead that take about 20ms, expected at most "
                                          "15ms of work"));
  EXPECT_EQ(request->retry_delay, absl::Milliseconds(5));
  request->patient = true;
  EXPECT_TRUE(batcher->Add(request).ok());
  gate_.Set(true);
  ASSERT_TRUE(first->Wait() && second->Wait() && outcome->Wait());
}

TEST_F(BatcherTest, AWithdrawnRequestLeavesItsPlace) {
  gate_.Set(false);
  BatchPolicy policy;
  policy.max_queue = 1;
  const auto batcher = Make(1, policy);
  const auto first = Add(*batcher, {1});
  ASSERT_TRUE(gate_.WaitUntilInside(1));
  auto broken = Request({2}, std::make_shared<Outcome>());
  ASSERT_TRUE(batcher->Reserve(*broken).ok());
  auto outcome = std::make_shared<Outcome>();
  auto next = Request({3}, outcome);
  EXPECT_FALSE(batcher->Reserve(*next).ok());
  batcher->Withdraw(*broken);
  EXPECT_TRUE(batcher->Reserve(*next).ok());
  EXPECT_TRUE(batcher->Add(next).ok());
  gate_.Set(true);
  ASSERT_TRUE(first->Wait() && outcome->Wait());
}

TEST_F(BatcherTest, WhatIsDecodedForLowerPrioritiesTakesNoRoomFromHigherOnes) {
  gate_.Set(false);
  BatchPolicy policy;
  policy.max_queue = 2;
  const auto batcher = Make(1, policy);
  const auto first = Add(*batcher, {1});
  ASSERT_TRUE(gate_.WaitUntilInside(1));
  auto low_outcome = std::make_shared<Outcome>();
  auto low = Request({30, 31}, low_outcome);
  low->priority = Priority::kLow;
  ASSERT_TRUE(batcher->Reserve(*low).ok());
  auto other = Request({32}, std::make_shared<Outcome>());
  other->priority = Priority::kLow;
  EXPECT_FALSE(batcher->Reserve(*other).ok());
  auto outcome = std::make_shared<Outcome>();
  auto normal = Request({20}, outcome);
  EXPECT_TRUE(batcher->Reserve(*normal).ok());
  EXPECT_TRUE(batcher->Add(low).ok());
  EXPECT_TRUE(batcher->Add(normal).ok());
  gate_.Set(true);
  ASSERT_TRUE(first->Wait() && low_outcome->Wait() && outcome->Wait());
  EXPECT_THAT(gate_.Order(), ElementsAre(1, 20, 30, 31));
}

TEST_F(BatcherTest, AnExecutorDecodesUntilItsBatchIsFullAndThenComputesIt) {
  gate_.Set(false);
  CpuSlots one(1);
  DecodeQueue decoders({.threads = 1, .slots = &one});
  Batcher::Options options;
  options.example_bytes = 1;
  options.outputs = 1;
  options.slots = &one;
  options.decoders = &decoders;
  options.policy.max_batch = 2;
  Batcher batcher(std::move(options), [this] { return std::make_unique<FakeEngine>(&gate_); });
  const auto first = Add(batcher, {1});
  ASSERT_TRUE(gate_.WaitUntilInside(1));
  // The only slot is the executor's, so the queue's own thread cannot decode.
  std::vector<std::shared_ptr<Outcome>> outcomes;
  std::vector<std::thread::id> threads(5);
  for (uint8_t i = 0; i < 5; ++i) {
    outcomes.push_back(std::make_shared<Outcome>());
    ASSERT_TRUE(decoders.TryAdd(
        [&, i] {
          threads[i] = std::this_thread::get_id();
          auto request = Request({i}, outcomes[i]);
          EXPECT_TRUE(batcher.Add(request).ok());
        },
        Priority::kNormal));
  }
  gate_.Set(true);
  ASSERT_TRUE(first->Wait());
  for (const auto& outcome : outcomes) ASSERT_TRUE(outcome->Wait());
  EXPECT_THAT(gate_.Batches(), ElementsAre(1, 2, 2, 1));
  EXPECT_THAT(gate_.Order(), ElementsAre(1, 0, 1, 2, 3, 4));
  EXPECT_THAT(threads, ::testing::Each(threads[0]));
}

TEST_F(BatcherTest, PicturesOfOtherVersionsAreDecodedBesideALongQueue) {
  gate_.Set(false);
  CpuSlots one(1);
  DecodeQueue decoders({.threads = 1, .slots = &one});
  Batcher::Options options;
  options.example_bytes = 1;
  options.outputs = 1;
  options.slots = &one;
  options.decoders = &decoders;
  options.policy.max_batch = 1;
  Batcher batcher(std::move(options), [this] { return std::make_unique<FakeEngine>(&gate_); });
  const auto first = Add(batcher, {1});
  ASSERT_TRUE(gate_.WaitUntilInside(1));
  const auto rest = Add(batcher, {2, 3, 4, 5});
  size_t computed_before = 0;
  ASSERT_TRUE(decoders.TryAdd([&] { computed_before = gate_.Order().size(); }, Priority::kNormal));
  gate_.Set(true);
  ASSERT_TRUE(first->Wait() && rest->Wait());
  EXPECT_EQ(computed_before, 1u);
}

TEST_F(BatcherTest, ADeadlineThatDecodingWouldMissIsRefusedAtArrival) {
  gate_.Set(false);
  BucketTimes times(32);
  times.Learn(1, absl::Milliseconds(10));
  const auto batcher = Make(1, {}, times);
  const auto first = Add(*batcher, {1});
  ASSERT_TRUE(gate_.WaitUntilInside(1));
  auto request = Request({2}, std::make_shared<Outcome>());
  request->deadline = clock_.Now() + absl::Milliseconds(20);
  EXPECT_TRUE(batcher->Reserve(*request).ok());
  batcher->Withdraw(*request);
  batcher->LearnDecode(absl::Milliseconds(15));
  const absl::Status status = batcher->Reserve(*request);
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(status.message(), HasSubstr("expected in 25ms"));
  gate_.Set(true);
  ASSERT_TRUE(first->Wait());
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
}  // namespace fovea
