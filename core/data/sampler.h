// Which examples a training step sees: a pure function of (plan, seed, step, batch size).
//
// Each epoch is a fresh order of the plan's n examples (all of the data set, or what a plan against
// imbalance makes of it), cut into floor(n / batch) full batches; the remainder takes part in the
// next shuffle. Nothing is carried from step to step, so a resumed run needs only the number of its
// step.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "core/data/sampling.h"

namespace fovea {

// floor(n / batch_size); 0 when the examples do not fill one batch.
int64_t StepsPerEpoch(int64_t n, int64_t batch_size);

// Fills `order`, of length n, with a permutation of 0 … n-1: Fisher and Yates in the form of
// Durstenfeld (1964), drawn from (seed, epoch).
void ShuffleEpoch(uint64_t seed, int64_t epoch, absl::Span<int64_t> order);

// Answers steps one by one and keeps the shuffle of the last epoch asked for: steps of one epoch
// cost O(batch), a change of epoch O(n). The answers do not depend on what was asked before.
// One thread at a time.
class Sampler {
 public:
  // Every example once; n >= batch_size >= 1.
  Sampler(uint64_t seed, int64_t n, int64_t batch_size);
  // plan->EpochLength() >= batch_size >= 1.
  Sampler(uint64_t seed, std::shared_ptr<const SamplingPlan> plan, int64_t batch_size);

  int64_t steps_per_epoch() const { return steps_per_epoch_; }
  int64_t EpochOf(int64_t step) const { return step / steps_per_epoch_; }
  // The examples of `step`, in order; valid until the next call.
  absl::Span<const int64_t> Batch(int64_t step);

 private:
  uint64_t seed_;
  std::shared_ptr<const SamplingPlan> plan_;
  int64_t batch_size_;
  int64_t steps_per_epoch_;
  int64_t epoch_ = -1;
  std::vector<int64_t> order_;
};

}  // namespace fovea
