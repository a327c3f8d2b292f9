// The learning rate as a function of the step: pure, so that a resumed run needs only the number of
// its step.
//
//   warm-up:   rate · (step + 1) / W                      step < W = round(warmup_epochs · S)
//   constant:  rate
//   cosine:    rate · (f + (1 − f) · (1 + cos πt) / 2),   t = (step − W) / (total − W)
//   step:      rate · gamma ^ ⌊epoch / every_epochs⌋,     epoch = ⌊step / S⌋, from the start
// with S steps an epoch and total = epochs · S. The first step after the warm-up has the full rate
// (unless a step schedule has fallen by then); no step has rate 0 but by final_factor 0 at t = 1,
// which is after the last step.
// Source of the cosine: Loshchilov and Hutter 2017, equation 5, without restarts; of the warm-up:
// Goyal et al. 2017, section 2.2.
#pragma once

#include <cstdint>

#include "fovea/v1/training.pb.h"

namespace fovea {

class Schedule {
 public:
  // `config` is complete; steps_per_epoch ≥ 1.
  Schedule(const v1::TrainingConfig& config, int64_t steps_per_epoch);

  int64_t total_steps() const { return total_steps_; }
  int64_t warmup_steps() const { return warmup_steps_; }

  // 0 ≤ step; from total_steps() on the rate of the last step's successor, t = 1.
  double LearningRate(int64_t step) const;

 private:
  enum class Kind { kConstant, kCosine, kStep };

  Kind kind_ = Kind::kConstant;
  double rate_ = 0;
  double final_factor_ = 0;
  double gamma_ = 1;
  int64_t every_epochs_ = 1;
  int64_t steps_per_epoch_ = 1;
  int64_t warmup_steps_ = 0;
  int64_t total_steps_ = 0;
};

}  // namespace fovea
