// Collects the images of predict requests into batches and runs them on one model version.
//
// The queue is bounded: Add() refuses with ResourceExhausted when it is full, and with
// DeadlineExceeded when the answer is not expected in time. Work that is cancelled or late when its
// turn comes is dropped, not computed. One request's images may be split over batches; its `done`
// runs once, on an executor thread, when the last of them is finished.
// Thread-safe. Destruction finishes accepted requests, then joins the threads.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "server/serving/arrival_rate.h"
#include "server/serving/batch_policy.h"
#include "server/serving/cpu_slots.h"
#include "server/serving/version_statistics.h"
#include "server/telemetry/metrics.h"

namespace fovea {

// The images of one request. Filled in by the caller, owned by the batcher until `done`.
struct BatchRequest {
  int count = 0;
  std::unique_ptr<uint8_t[]> pixels;  // [count, example_bytes]
  absl::Time deadline = absl::InfiniteFuture();
  std::shared_ptr<const CancelToken> cancel;  // null: never cancelled

  // The answer, for `done`.
  std::vector<float> output;  // [count, outputs]
  absl::Duration queue;       // the longest that an image waited
  absl::Duration compute;     // the longest batch
  absl::AnyInvocable<void(BatchRequest&, const absl::Status&)> done;
};

// What computes a batch: one thread's. A test gives a fake.
class BatchEngine {
 public:
  virtual ~BatchEngine() = default;
  // examples.size() images to as many rows of `output`.
  virtual absl::Status Run(absl::Span<const uint8_t* const> examples, float* output) = 0;
  virtual double last_flops() const = 0;
};

class Batcher {
 public:
  struct Options {
    std::string name;  // of the model, for messages
    BatchPolicy policy;
    BucketTimes times;  // as measured at warm-up
    int executors = 1;
    int width = 1;  // threads of one executor
    size_t example_bytes = 0;
    int outputs = 0;                          // floats of one example
    CpuSlots* slots = nullptr;                // outlives the batcher, as do the statistics
    VersionStatistics* statistics = nullptr;  // null: batches are not counted
    PredictMetrics metrics;
    ModelMetrics model_metrics;
    const Clock* clock = Clock::Real();
  };
  // Called on an executor's thread, at its first batch.
  using EngineFactory = std::function<absl::StatusOr<std::unique_ptr<BatchEngine>>()>;

  Batcher(Options options, EngineFactory factory);
  ~Batcher();
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;

  // Takes the request, or refuses and leaves it untouched: `done` then never runs.
  absl::Status Add(std::unique_ptr<BatchRequest>& request);

  // Images that wait.
  int queued() const;

 private:
  struct Pending;  // a request with what is left of it
  struct Part {    // some images of one request
    std::shared_ptr<Pending> pending;
    int begin = 0;
    int end = 0;
  };

  void RunExecutor();
  // Waits for work; false when there is none and the batcher ends.
  bool WaitForWork();
  // The next batch; empty when other executors took all. Late requests go to `dropped`.
  std::vector<Part> TakeBatch(std::vector<Part>* dropped);
  void DropLate(std::vector<Part>* dropped) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Compute(BatchEngine& engine, const std::vector<Part>& parts);
  void Finish(const std::vector<Part>& parts, const absl::Status& status, absl::Duration compute);
  QueueState StateLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Learn(absl::Duration time, int count);

  const Options options_;
  const EngineFactory factory_;
  mutable absl::Mutex mutex_;
  absl::CondVar changed_;
  std::deque<std::shared_ptr<Pending>> queue_ ABSL_GUARDED_BY(mutex_);
  int queued_ ABSL_GUARDED_BY(mutex_) = 0;  // images
  int idle_ ABSL_GUARDED_BY(mutex_);        // executors that have no batch
  absl::Time earliest_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();  // deadline in queue_
  ArrivalRate arrivals_ ABSL_GUARDED_BY(mutex_);
  BucketTimes times_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace fovea
