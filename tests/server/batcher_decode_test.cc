// Requests whose pictures are still to be decoded: their places, and who decodes them.
#include <thread>

#include "tests/server/batcher_fixture.h"

namespace fovea::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

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
  const auto batcher = MakeDecoding(one, decoders, 2);
  const auto first = Add(*batcher, {1});
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
          EXPECT_TRUE(batcher->Add(request).ok());
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
  const auto batcher = MakeDecoding(one, decoders, 1);
  const auto first = Add(*batcher, {1});
  ASSERT_TRUE(gate_.WaitUntilInside(1));
  const auto rest = Add(*batcher, {2, 3, 4, 5});
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

}  // namespace
}  // namespace fovea::testing
