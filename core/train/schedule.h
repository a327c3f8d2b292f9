// The learning rate as a function of the step, by the formulas of schedules.proto. Pure, so that a
// resumed run needs only the number of its step; what reduce_on_plateau makes of the rate is a
// factor that the caller keeps (watch.h).
//
// During the warm-up, step < W = round(warmup_epochs · S) with S steps an epoch, the rate is
// learning_rate · (step + 1) / W, whatever the schedule (Goyal et al. 2017, section 2.2). The first
// step after it has the full rate, unless a schedule that counts from the start of training has
// fallen by then.
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

  // 0 ≤ step; from total_steps() on what the formula gives for the end of training.
  // plateau_factor: that of PlateauState, 1 for other schedules.
  double LearningRate(int64_t step, double plateau_factor = 1) const;

 private:
  // The share of config.learning_rate after the warm-up.
  double Factor(int64_t step) const;

  const v1::TrainingConfig config_;
  const int64_t steps_per_epoch_;
  const int64_t warmup_steps_;
  const int64_t total_steps_;
};

}  // namespace fovea
