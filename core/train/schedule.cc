#include "core/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace fovea {
namespace {

// From 1 at t = 0 to `final_factor` at t = 1 along half a cosine.
double HalfCosine(double t, double final_factor) {
  return final_factor + (1 - final_factor) * (1 + std::cos(std::numbers::pi * t)) / 2;
}

double Exponential(const v1::ExponentialSchedule& schedule, int64_t step) {
  const double exponent = static_cast<double>(step) / schedule.decay_steps();
  return std::pow(schedule.decay_rate(), schedule.staircase() ? std::floor(exponent) : exponent);
}

double MultiStep(const v1::MultiStepSchedule& schedule, int64_t epoch) {
  const auto falls =
      std::count_if(schedule.epochs().begin(), schedule.epochs().end(),
                    [epoch](uint32_t at) { return static_cast<int64_t>(at) <= epoch; });
  return std::pow(schedule.gamma(), static_cast<double>(falls));
}

// k: steps since the first period began.
double CosineRestarts(const v1::CosineRestartsSchedule& schedule, int64_t k,
                      int64_t steps_per_epoch) {
  const double steps = schedule.first_period_epochs() * static_cast<double>(steps_per_epoch);
  int64_t period = std::max<int64_t>(std::llround(steps), 1);
  if (schedule.multiplier() == 1) {
    k %= period;
  } else {
    for (; k >= period; period *= schedule.multiplier()) k -= period;
  }
  return HalfCosine(static_cast<double>(k) / static_cast<double>(period), schedule.final_factor());
}

double Polynomial(const v1::PolynomialSchedule& schedule, double t) {
  const double end = schedule.end_factor();
  return end + (1 - end) * std::pow(1 - t, schedule.power());
}

// k of n steps.
double OneCycle(const v1::OneCycleSchedule& schedule, double k, double n) {
  const double first = 1 / schedule.start_divisor(), last = first / schedule.final_divisor();
  const auto between = [&](double from, double to, double t) {
    return schedule.linear() ? from + (to - from) * t : to + (from - to) * HalfCosine(t, 0);
  };
  const double peak = std::max(schedule.peak_position() * n - 1, 0.0);
  if (k < peak) return between(first, 1, k / peak);
  const double fall = n - 1 - peak;
  return between(1, last, fall > 0 ? std::min((k - peak) / fall, 1.0) : 0.0);
}

}  // namespace

Schedule::Schedule(const v1::TrainingConfig& config, int64_t steps_per_epoch)
    : config_(config),
      steps_per_epoch_(steps_per_epoch),
      warmup_steps_(std::llround(config.warmup_epochs() * static_cast<double>(steps_per_epoch))),
      total_steps_(int64_t{config.epochs()} * steps_per_epoch) {}

double Schedule::LearningRate(int64_t step, double plateau_factor) const {
  const double rate = config_.learning_rate() * plateau_factor;
  if (step < warmup_steps_) {
    return rate * static_cast<double>(step + 1) / static_cast<double>(warmup_steps_);
  }
  return rate * Factor(step);
}

double Schedule::Factor(int64_t step) const {
  const int64_t epoch = step / steps_per_epoch_;
  const int64_t k = step - warmup_steps_;
  const auto n = static_cast<double>(std::max<int64_t>(total_steps_ - warmup_steps_, 1));
  const double t = std::min(static_cast<double>(k) / n, 1.0);
  switch (config_.schedule_case()) {
    case v1::TrainingConfig::kCosine:
      return HalfCosine(t, config_.cosine().final_factor());
    case v1::TrainingConfig::kStep: {
      const int64_t every = std::max<int64_t>(config_.step().every_epochs(), 1);
      const int64_t drops = epoch / every;
      return std::pow(config_.step().gamma(), static_cast<double>(drops));
    }
    case v1::TrainingConfig::kExponential:
      return Exponential(config_.exponential(), step);
    case v1::TrainingConfig::kMultiStep:
      return MultiStep(config_.multi_step(), epoch);
    case v1::TrainingConfig::kCosineRestarts:
      return CosineRestarts(config_.cosine_restarts(), k, steps_per_epoch_);
    case v1::TrainingConfig::kPolynomial:
      return Polynomial(config_.polynomial(), t);
    case v1::TrainingConfig::kOneCycle:
      return OneCycle(config_.one_cycle(), static_cast<double>(k), n);
    case v1::TrainingConfig::kConstant:
    case v1::TrainingConfig::kReduceOnPlateau:
    case v1::TrainingConfig::SCHEDULE_NOT_SET:
      return 1;
  }
  return 1;
}

}  // namespace fovea
