// Schedule and warm-up of a configuration.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "absl/strings/str_join.h"
#include "core/data/sampler.h"
#include "core/train/config_sections.h"

namespace fovea {
namespace {

// The reason of a number that follows from nothing.
constexpr char kDefault[] = "the default";

uint32_t RoundedUp(uint64_t numerator, uint64_t denominator) {
  return static_cast<uint32_t>((numerator + denominator - 1) / denominator);
}

int64_t TotalSteps(ConfigFill& fill) {
  const int64_t examples = fill.data().images[static_cast<int>(Split::kTrain)];
  const int64_t batch = std::max<int64_t>(fill.config().batch_size(), 1);
  return int64_t{fill.config().epochs()} * StepsPerEpoch(examples, batch);
}

// ---- Defaults, a function a schedule.

void FillCosine(ConfigFill& fill) {
  if (fill.config().cosine().has_final_factor()) return;
  fill.config().mutable_cosine()->set_final_factor(0);
  fill.Chose("schedule.cosine.final_factor", 0, kDefault);
}

void FillStep(ConfigFill& fill) {
  v1::StepSchedule& step = *fill.config().mutable_step();
  if (!step.has_every_epochs()) {
    step.set_every_epochs(RoundedUp(fill.config().epochs(), 3));
    fill.Chose("schedule.step.every_epochs", step.every_epochs(),
               "a third of the epochs, rounded up");
  }
  if (!step.has_gamma()) {
    step.set_gamma(0.1);
    fill.Chose("schedule.step.gamma", step.gamma(), kDefault);
  }
}

void FillExponential(ConfigFill& fill) {
  v1::ExponentialSchedule& exponential = *fill.config().mutable_exponential();
  if (!exponential.has_decay_rate()) {
    exponential.set_decay_rate(0.96);
    fill.Chose("schedule.exponential.decay_rate", exponential.decay_rate(), kDefault);
  }
  if (exponential.has_decay_steps()) return;
  const double steps =
      static_cast<double>(TotalSteps(fill)) * std::log(exponential.decay_rate()) / std::log(0.01);
  // A rate that is out of its range is told by Check; here it only must not overflow.
  const bool usable = steps >= 1 && steps < std::numeric_limits<uint32_t>::max();
  exponential.set_decay_steps(usable ? static_cast<uint32_t>(std::llround(steps)) : 1);
  fill.Chose("schedule.exponential.decay_steps", exponential.decay_steps(),
             "the rate ends at a hundredth of learning_rate");
}

void FillMultiStep(ConfigFill& fill) {
  v1::MultiStepSchedule& multi = *fill.config().mutable_multi_step();
  const uint32_t epochs = fill.config().epochs();
  if (multi.epochs().empty() && epochs > 1) {
    multi.add_epochs(RoundedUp(epochs, 2));
    const uint32_t second = RoundedUp(3 * uint64_t{epochs}, 4);
    if (second > multi.epochs(0) && second < epochs) multi.add_epochs(second);
    fill.Chose("schedule.multi_step.epochs", absl::StrJoin(multi.epochs(), ", "),
               "half and three quarters of the epochs, rounded up");
  }
  if (!multi.has_gamma()) {
    multi.set_gamma(0.1);
    fill.Chose("schedule.multi_step.gamma", multi.gamma(), kDefault);
  }
}

// After the warm-up, from whose end periods count.
void FillCosineRestarts(ConfigFill& fill) {
  v1::CosineRestartsSchedule& restarts = *fill.config().mutable_cosine_restarts();
  if (!restarts.has_multiplier()) {
    restarts.set_multiplier(2);
    fill.Chose("schedule.cosine_restarts.multiplier", restarts.multiplier(), kDefault);
  }
  if (!restarts.has_first_period_epochs()) {
    const double m = restarts.multiplier();
    const double left = fill.config().epochs() - fill.config().warmup_epochs();
    restarts.set_first_period_epochs(left > 0 ? left / (1 + m + m * m) : 1);
    fill.Chose("schedule.cosine_restarts.first_period_epochs", restarts.first_period_epochs(),
               "three periods end with the training");
  }
  if (!restarts.has_final_factor()) {
    restarts.set_final_factor(0);
    fill.Chose("schedule.cosine_restarts.final_factor", 0, kDefault);
  }
}

void FillPolynomial(ConfigFill& fill) {
  v1::PolynomialSchedule& polynomial = *fill.config().mutable_polynomial();
  if (!polynomial.has_power()) {
    polynomial.set_power(1);
    fill.Chose("schedule.polynomial.power", 1, "the default: linear");
  }
  if (!polynomial.has_end_factor()) {
    polynomial.set_end_factor(0);
    fill.Chose("schedule.polynomial.end_factor", 0, kDefault);
  }
}

void FillOneCycle(ConfigFill& fill) {
  v1::OneCycleSchedule& cycle = *fill.config().mutable_one_cycle();
  if (!cycle.has_peak_position()) {
    cycle.set_peak_position(0.3);
    fill.Chose("schedule.one_cycle.peak_position", cycle.peak_position(), kDefault);
  }
  if (!cycle.has_start_divisor()) {
    cycle.set_start_divisor(25);
    fill.Chose("schedule.one_cycle.start_divisor", cycle.start_divisor(), kDefault);
  }
  if (!cycle.has_final_divisor()) {
    cycle.set_final_divisor(10000);
    fill.Chose("schedule.one_cycle.final_divisor", cycle.final_divisor(), kDefault);
  }
}

void FillPlateau(ConfigFill& fill) {
  v1::ReduceOnPlateauSchedule& plateau = *fill.config().mutable_reduce_on_plateau();
  if (!plateau.has_factor()) {
    plateau.set_factor(0.1);
    fill.Chose("schedule.reduce_on_plateau.factor", plateau.factor(), kDefault);
  }
  if (!plateau.has_patience()) {
    plateau.set_patience(std::max(fill.config().epochs() / 10, 1u));
    fill.Chose("schedule.reduce_on_plateau.patience", plateau.patience(),
               "a tenth of the epochs, at least 1");
  }
  if (!plateau.has_min_delta()) {
    plateau.set_min_delta(0.0001);
    fill.Chose("schedule.reduce_on_plateau.min_delta", plateau.min_delta(), kDefault);
  }
  if (!plateau.has_cooldown()) {
    plateau.set_cooldown(0);
    fill.Chose("schedule.reduce_on_plateau.cooldown", 0, kDefault);
  }
  if (!plateau.has_min_factor()) {
    plateau.set_min_factor(0);
    fill.Chose("schedule.reduce_on_plateau.min_factor", 0, kDefault);
  }
}

void FillWarmup(ConfigFill& fill) {
  v1::TrainingConfig& config = fill.config();
  if (config.has_warmup_epochs()) return;
  const bool rises = config.has_one_cycle();
  config.set_warmup_epochs(rises ? 0 : std::min(1.0, config.epochs() / 10.0));
  fill.Chose("warmup_epochs", config.warmup_epochs(),
             rises ? "the cycle rises by itself" : "a tenth of the epochs, at most 1");
}

// ---- Ranges.

void CheckGamma(ConfigCheck& check, absl::string_view field, double gamma) {
  check.Range(field, gamma, gamma > 0 && gamma <= 1, "a number in (0, 1]");
}

void CheckMultiStep(ConfigCheck& check) {
  const v1::MultiStepSchedule& multi = check.config().multi_step();
  uint32_t before = 0;
  for (int i = 0; i < multi.epochs_size(); ++i) {
    const uint32_t epoch = multi.epochs(i);
    if (epoch <= before || epoch >= check.config().epochs()) {
      check.Wrong(
          absl::StrCat("schedule.multi_step.epochs[", i, "]"), epoch,
          absl::StrCat("above ", before, " and below ", check.config().epochs(), ", the epochs"));
    }
    before = std::max(before, epoch);
  }
  CheckGamma(check, "schedule.multi_step.gamma", multi.gamma());
}

void CheckCosineRestarts(ConfigCheck& check) {
  const v1::CosineRestartsSchedule& restarts = check.config().cosine_restarts();
  check.Positive("schedule.cosine_restarts.first_period_epochs", restarts.first_period_epochs());
  check.Count("schedule.cosine_restarts.multiplier", restarts.multiplier(), 1, 1000);
  check.Share("schedule.cosine_restarts.final_factor", restarts.final_factor());
}

void CheckOneCycle(ConfigCheck& check) {
  const v1::OneCycleSchedule& cycle = check.config().one_cycle();
  const auto divisor = [&](absl::string_view field, double found) {
    check.Range(field, found, found >= 1 && found <= std::numeric_limits<float>::max(),
                "a finite number of at least 1");
  };
  check.Share("schedule.one_cycle.peak_position", cycle.peak_position());
  divisor("schedule.one_cycle.start_divisor", cycle.start_divisor());
  divisor("schedule.one_cycle.final_divisor", cycle.final_divisor());
}

void CheckPlateau(ConfigCheck& check) {
  const v1::ReduceOnPlateauSchedule& plateau = check.config().reduce_on_plateau();
  check.Range("schedule.reduce_on_plateau.factor", plateau.factor(),
              plateau.factor() > 0 && plateau.factor() < 1, "a number in (0, 1)");
  check.Count("schedule.reduce_on_plateau.patience", plateau.patience(), 1,
              std::numeric_limits<uint32_t>::max());
  check.Range("schedule.reduce_on_plateau.min_delta", plateau.min_delta(),
              plateau.min_delta() >= 0 && std::isfinite(plateau.min_delta()),
              "a finite number of at least 0");
  check.Share("schedule.reduce_on_plateau.min_factor", plateau.min_factor());
  CheckHasValidation(check, "schedule.reduce_on_plateau");
}

}  // namespace

void FillSchedule(ConfigFill& fill) {
  v1::TrainingConfig& config = fill.config();
  if (config.schedule_case() == v1::TrainingConfig::SCHEDULE_NOT_SET) {
    config.mutable_cosine();
    fill.Chose("schedule", "cosine", "the default");
  }
  FillWarmup(fill);
  if (config.has_cosine()) FillCosine(fill);
  if (config.has_step()) FillStep(fill);
  if (config.has_exponential()) FillExponential(fill);
  if (config.has_multi_step()) FillMultiStep(fill);
  if (config.has_cosine_restarts()) FillCosineRestarts(fill);
  if (config.has_polynomial()) FillPolynomial(fill);
  if (config.has_one_cycle()) FillOneCycle(fill);
  if (config.has_reduce_on_plateau()) FillPlateau(fill);
}

void CheckSchedule(ConfigCheck& check) {
  const v1::TrainingConfig& config = check.config();
  if (config.has_cosine()) {
    check.Share("schedule.cosine.final_factor", config.cosine().final_factor());
  }
  if (config.has_step()) {
    if (config.step().every_epochs() < 1) {
      check.Wrong("schedule.step.every_epochs", config.step().every_epochs(), "at least 1");
    }
    CheckGamma(check, "schedule.step.gamma", config.step().gamma());
  }
  if (config.has_exponential()) {
    CheckGamma(check, "schedule.exponential.decay_rate", config.exponential().decay_rate());
    check.Count("schedule.exponential.decay_steps", config.exponential().decay_steps(), 1,
                std::numeric_limits<uint32_t>::max());
  }
  if (config.has_multi_step()) CheckMultiStep(check);
  if (config.has_cosine_restarts()) CheckCosineRestarts(check);
  if (config.has_polynomial()) {
    check.Positive("schedule.polynomial.power", config.polynomial().power());
    check.Share("schedule.polynomial.end_factor", config.polynomial().end_factor());
  }
  if (config.has_one_cycle()) CheckOneCycle(check);
  if (config.has_reduce_on_plateau()) CheckPlateau(check);
  const double warmup = config.warmup_epochs();
  check.Range("warmup_epochs", warmup, warmup >= 0 && warmup <= config.epochs(),
              absl::StrCat("a number in [0, ", config.epochs(), "], the epochs"));
}

}  // namespace fovea
