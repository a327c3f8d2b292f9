// Schedule and warm-up of a configuration.
#include <algorithm>

#include "core/train/config_sections.h"

namespace fovea {
namespace {

void FillStep(ConfigFill& fill) {
  v1::StepSchedule& step = *fill.config().mutable_step();
  const uint32_t epochs = fill.config().epochs();
  if (!step.has_every_epochs()) {
    step.set_every_epochs(epochs / 3 + (epochs % 3 != 0));
    fill.Chose("schedule.step.every_epochs", step.every_epochs(),
               "a third of the epochs, rounded up");
  }
  if (!step.has_gamma()) {
    step.set_gamma(0.1);
    fill.Chose("schedule.step.gamma", step.gamma(), "the default");
  }
}

}  // namespace

void FillSchedule(ConfigFill& fill) {
  v1::TrainingConfig& config = fill.config();
  if (config.schedule_case() == v1::TrainingConfig::SCHEDULE_NOT_SET) {
    config.mutable_cosine();
    fill.Chose("schedule", "cosine", "the default");
  }
  if (config.has_cosine() && !config.cosine().has_final_factor()) {
    config.mutable_cosine()->set_final_factor(0);
    fill.Chose("schedule.cosine.final_factor", 0, "the default");
  }
  if (config.has_step()) FillStep(fill);
  if (!config.has_warmup_epochs()) {
    config.set_warmup_epochs(std::min(1.0, config.epochs() / 10.0));
    fill.Chose("warmup_epochs", config.warmup_epochs(), "a tenth of the epochs, at most 1");
  }
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
    const double gamma = config.step().gamma();
    check.Range("schedule.step.gamma", gamma, gamma > 0 && gamma <= 1, "a number in (0, 1]");
  }
  const double warmup = config.warmup_epochs();
  check.Range("warmup_epochs", warmup, warmup >= 0 && warmup <= config.epochs(),
              absl::StrCat("a number in [0, ", config.epochs(), "], the epochs"));
}

}  // namespace fovea
