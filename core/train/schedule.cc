#include "core/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace fovea {

Schedule::Schedule(const v1::TrainingConfig& config, int64_t steps_per_epoch)
    : rate_(config.learning_rate()),
      steps_per_epoch_(steps_per_epoch),
      warmup_steps_(std::llround(config.warmup_epochs() * static_cast<double>(steps_per_epoch))),
      total_steps_(int64_t{config.epochs()} * steps_per_epoch) {
  if (config.has_cosine()) {
    kind_ = Kind::kCosine;
    final_factor_ = config.cosine().final_factor();
  } else if (config.has_step()) {
    kind_ = Kind::kStep;
    gamma_ = config.step().gamma();
    every_epochs_ = std::max<int64_t>(config.step().every_epochs(), 1);
  }
}

double Schedule::LearningRate(int64_t step) const {
  if (step < warmup_steps_) {
    return rate_ * static_cast<double>(step + 1) / static_cast<double>(warmup_steps_);
  }
  switch (kind_) {
    case Kind::kConstant:
      return rate_;
    case Kind::kCosine: {
      const auto done = static_cast<double>(step - warmup_steps_);
      const auto all = static_cast<double>(std::max<int64_t>(total_steps_ - warmup_steps_, 1));
      const double t = std::min(done / all, 1.0);
      return rate_ *
             (final_factor_ + (1 - final_factor_) * (1 + std::cos(std::numbers::pi * t)) / 2);
    }
    case Kind::kStep: {
      const int64_t drops = step / steps_per_epoch_ / every_epochs_;
      return rate_ * std::pow(gamma_, static_cast<double>(drops));
    }
  }
  return rate_;
}

}  // namespace fovea
