// A Batcher around engines that a test holds at a gate.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/serving/batcher.h"

namespace fovea::testing {

inline constexpr absl::Duration kPatience = absl::Seconds(30);

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

  // One executor that decodes, on the only slot of `slots`.
  std::unique_ptr<Batcher> MakeDecoding(CpuSlots& slots, DecodeQueue& decoders, int max_batch) {
    Batcher::Options options;
    options.example_bytes = 1;
    options.outputs = 1;
    options.slots = &slots;
    options.decoders = &decoders;
    options.policy.max_batch = max_batch;
    return std::make_unique<Batcher>(std::move(options),
                                     [this] { return std::make_unique<FakeEngine>(&gate_); });
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

}  // namespace fovea::testing
