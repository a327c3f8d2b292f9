// BatchLoader: prefetches the batches of a run on background threads.
//
// The content of a batch is a pure function of (seed, step): it does not depend on the number of
// threads or on where the run began. Buffers are made once, at creation; none is allocated per
// batch. Next is for one thread. Destruction stops the threads and joins them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/base/clock.h"
#include "core/data/augment.h"
#include "core/data/dataset.h"
#include "core/data/mix.h"
#include "core/data/sampling.h"
#include "core/tensor/tensor.h"

namespace fovea {

// Valid until the next call of Next.
struct Batch {
  int64_t step = 0;
  int64_t epoch = 0;
  int count = 0;                       // real examples; those behind them are padding
  absl::Span<const int64_t> examples;  // [N]: indices into the data set, -1 for padding
  TensorView pixels;                   // uint8 [N, H, W, C]; 0 for padding
  TensorView targets;                  // float [N, labels]; NaN: unknown; 0 for padding
  TensorView weights;                  // float [N]: 1, 0 for padding
};

class BatchLoader {
 public:
  enum class Order {
    kShuffled,    // training: Sampler's batches, full ones only, one epoch after another
    kSequential,  // evaluation: examples in order, once; the last batch is padded
  };

  struct Options {
    const Dataset* dataset = nullptr;  // outlives the loader
    Order order = Order::kShuffled;
    int batch_size = 1;
    uint64_t seed = 0;
    int64_t first_step = 0;
    int64_t end_step = -1;   // the first step not wanted; -1: no end (kSequential: all examples)
    AugmentOptions augment;  // kShuffled only
    // By example, in [0, 1]: multiplies the probabilities of its augmentation. Empty: all 1.
    std::vector<float> augment_strength;
    MixOptions mix;  // kShuffled only; targets become soft
    // kShuffled only: what an epoch consists of. Null: every example once.
    std::shared_ptr<const SamplingPlan> sampling;
    int threads = 1;
    int depth = 2;  // finished batches held ready
    const Clock* clock = Clock::Real();
  };

  // FailedPrecondition when an epoch of a shuffled data set fills no batch; InvalidArgument for
  // batch_size, depth or threads below 1, for augmentation or mixing of a sequential order, and for
  // another number of strengths than examples.
  static absl::StatusOr<std::unique_ptr<BatchLoader>> Create(const Options& options);
  ~BatchLoader();
  BatchLoader(const BatchLoader&) = delete;
  BatchLoader& operator=(const BatchLoader&) = delete;

  // The next batch, waiting for it if need be; null behind the last one. An error of the data set
  // is answered at its step, and again at every later call.
  absl::StatusOr<const Batch*> Next();

  // 0 for a sequential order.
  int64_t steps_per_epoch() const { return steps_per_epoch_; }
  // Time that Next has spent waiting, in all: what decoding costs the run.
  absl::Duration waited() const { return waited_; }

 private:
  struct Slot;
  struct Scratch;

  explicit BatchLoader(const Options& options);
  void Run();
  absl::Status Fill(int64_t step, absl::Span<const int64_t> examples, Slot* slot,
                    Scratch* scratch) const;
  absl::Status ReadAugmented(int64_t step, absl::Span<const int64_t> examples, size_t i,
                             uint8_t* pixels, float* target, Scratch* scratch) const;

  const Options options_;
  int64_t steps_per_epoch_ = 0;
  int64_t end_step_ = 0;
  std::vector<std::unique_ptr<Slot>> slots_;  // step s uses slot s % slots
  int64_t next_step_ = 0;                     // what Next answers
  absl::Duration waited_;

  absl::Mutex mutex_;
  absl::CondVar changed_;
  int64_t next_to_fill_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t released_ ABSL_GUARDED_BY(mutex_) = 0;  // steps below have given back their slot
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace fovea
