// Collects the images of predict requests into batches and runs them on one model version.
//
// The queue is bounded: Add() refuses with ResourceExhausted when it is full, and with
// DeadlineExceeded when the answer is not expected in time. A request whose pictures are still to
// be decoded asks for its place before: Reserve() refuses as Add() does, at its arrival.
// Images of a higher priority are taken first, those of one priority in the order of their arrival;
// but every eighth batch begins with the image that waits longest, so that nothing waits forever. A
// request that finds the queue full displaces waiting ones of a lower priority, the newest of the
// lowest first, which then fail with ResourceExhausted. Work that is cancelled or late when its
// turn comes is dropped, not computed.
// One request's images may be split over batches; its `done` runs once, when the last of them is
// finished: on an executor thread, or, when it is displaced, on that of Add() or Reserve().
// An executor of one thread decodes pictures (any version's) before it takes a batch, and keeps its
// slot while there is work and nobody else waits for one: so a busy core changes threads seldom.
// Beside the executors one more thread runs what the policy wants wide, on all slots; never beside
// one of them. It is one thread of its own since every thread that runs on many cores keeps a pool
// of as many threads (libgomp's).
// Thread-safe. Destruction finishes accepted requests, then joins the threads.
#pragma once

#include <array>
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
#include "server/serving/decode_queue.h"
#include "server/serving/version_statistics.h"
#include "server/telemetry/metrics.h"

namespace fovea {

// The images of one request. Filled in by the caller, owned by the batcher until `done`.
struct BatchRequest {
  int count = 0;
  std::unique_ptr<uint8_t[]> pixels;  // [count, example_bytes]
  absl::Time deadline = absl::InfiniteFuture();
  Priority priority = Priority::kNormal;
  bool patient = false;                       // waits longer than the policy's max_wait
  std::shared_ptr<const CancelToken> cancel;  // null: never cancelled
  int reserved = 0;  // images that hold a place in the queue: the batcher's

  // The answer, for `done`.
  std::vector<float> output;   // [count, outputs]
  absl::Duration queue;        // until the last image was taken into a batch
  absl::Duration compute;      // from then on to the end of the last batch
  absl::Duration retry_delay;  // of a refusal: when another try may succeed; zero: not known
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
    // The latency mode, on all slots.
    int wide_batch = 0;  // the most images that run wide, a power of two; 0: there is no such mode
    BucketTimes wide_times;
    size_t example_bytes = 0;
    int outputs = 0;                          // floats of one example
    CpuSlots* slots = nullptr;                // outlives the batcher, as do those below
    DecodeQueue* decoders = nullptr;          // null: executors only compute; so do wide ones
    VersionStatistics* statistics = nullptr;  // null: batches are not counted, else up to max_batch
    PredictMetrics metrics;
    ModelMetrics model_metrics;
    const Clock* clock = Clock::Real();
  };
  // Called on an executor's thread, at its first batch.
  using EngineFactory = std::function<absl::StatusOr<std::unique_ptr<BatchEngine>>()>;

  // `wide_factory` makes the engine of the latency mode; it is called only where there is one.
  Batcher(Options options, EngineFactory factory, EngineFactory wide_factory = nullptr);
  ~Batcher();
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;

  // Keeps places for the request's images, which Add() then takes (as many of them as there still
  // are), or Withdraw() gives back; or refuses and changes nothing but retry_delay.
  absl::Status Reserve(BatchRequest& request);
  void Withdraw(BatchRequest& request);

  // Takes the request, always when it holds places; or refuses and leaves it, but for retry_delay:
  // `done` then never runs.
  absl::Status Add(std::unique_ptr<BatchRequest>& request);

  // Images that wait, decoded.
  int queued() const;
  // A picture took so long to decode, on one core.
  void LearnDecode(absl::Duration time);

 private:
  struct Pending;  // a request with what is left of it
  struct Part {    // some images of one request
    std::shared_ptr<Pending> pending;
    int begin = 0;
    int end = 0;
  };

  using Queue = std::deque<std::shared_ptr<Pending>>;

  absl::Status CheckAdmission(BatchRequest& request, bool decoded) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status FullError(const QueueState& state, const Newcomer& newcomer) const;
  Newcomer Describe(const BatchRequest& request, bool decoded) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Gives back the places of a request.
  void Release(BatchRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The queued requests that give way to `count` images of this priority, and how they end.
  std::vector<Part> Displace(Priority priority, int count) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FinishDisplaced(const std::vector<Part>& displaced);
  void Enqueue(std::unique_ptr<BatchRequest> request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  enum class Mode { kNarrow, kWide };  // of a thread: an executor, or the one that runs wide
  // What a batch became.
  struct Outcome {
    std::vector<Part> parts, dropped;  // dropped: late or cancelled
    absl::Status status;
  };

  void RunExecutor(Mode mode);
  // Runs an executor's batches, until there is nothing to do or others want its slots.
  void RunNarrow(std::unique_ptr<BatchEngine>& engine);
  bool Decodes() const { return options_.decoders != nullptr && options_.width == 1; }
  // Decodes a picture, and more until there are enough for full batches.
  void DecodeFirst();
  // Whether the executor goes on with the slot that it has.
  bool KeepsSlot();
  void End(Mode mode, const Outcome& outcome);
  // Takes a batch for slots that are held, and computes it; the engine is made when it is missing.
  Outcome RunBatch(Mode mode, std::unique_ptr<BatchEngine>& engine);
  // Waits for work of the mode; false when there is none and the batcher ends.
  bool WaitForWork(Mode mode);
  // Lets threads of the mode look at the queue, of executors as many as may find an image there.
  void Wake(Mode mode, int images) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The next batch; empty when others took all, or when it is not the mode's any more.
  std::vector<Part> TakeBatch(Mode mode, std::vector<Part>* dropped);
  void DropLate(std::vector<Part>* dropped) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The index of the queue whose first image waits longest, and of that of the highest priority;
  // some image waits.
  int OldestQueue() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int FirstQueue() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int Coming() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);  // of all priorities
  // Counts images in or out.
  void CountQueued(int count) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Compute(Mode mode, BatchEngine& engine, const std::vector<Part>& parts);
  void Finish(const std::vector<Part>& parts, const absl::Status& status);
  QueueState StateLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Learn(Mode mode, absl::Duration time, int count);

  const Options options_;
  const EngineFactory factory_, wide_factory_;
  mutable absl::Mutex mutex_;
  absl::CondVar changed_, wide_changed_;  // for the executors; for the thread that runs wide
  std::array<Queue, kPriorities> queues_ ABSL_GUARDED_BY(mutex_);
  int queued_ ABSL_GUARDED_BY(mutex_) = 0;  // images in queues_
  // Images that hold a place and are not queued yet.
  std::array<int, kPriorities> coming_ ABSL_GUARDED_BY(mutex_) = {};
  int batches_ ABSL_GUARDED_BY(mutex_) = 0;  // taken since one began with the longest wait
  int idle_ ABSL_GUARDED_BY(mutex_);         // executors that have no batch
  absl::Time earliest_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();  // deadline queued
  ArrivalRate arrivals_ ABSL_GUARDED_BY(mutex_);
  BucketTimes times_ ABSL_GUARDED_BY(mutex_);
  BucketTimes wide_times_ ABSL_GUARDED_BY(mutex_);
  absl::Duration decode_time_ ABSL_GUARDED_BY(mutex_);  // of a picture; zero: none was decoded
  bool wide_running_ ABSL_GUARDED_BY(mutex_) = false;
  int since_wide_ ABSL_GUARDED_BY(mutex_) = 0;  // batches of executors
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace fovea
