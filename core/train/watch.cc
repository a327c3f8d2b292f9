#include "core/train/watch.h"

#include <algorithm>

namespace fovea {

void Watch(std::optional<double> value, bool higher_is_better, double min_delta,
           v1::MeasureWatch& watch) {
  const bool improves =
      value.has_value() &&
      (!watch.has_best() ||
       (higher_is_better ? *value > watch.best() + min_delta : *value < watch.best() - min_delta));
  if (improves) {
    watch.set_best(*value);
    watch.set_epochs_without_improvement(0);
  } else {
    watch.set_epochs_without_improvement(watch.epochs_without_improvement() + 1);
  }
}

bool StopsEarly(const v1::TrainingConfig& config, const v1::MeasureWatch& watch) {
  return config.has_early_stopping() &&
         watch.epochs_without_improvement() >= config.early_stopping().patience();
}

void StepPlateau(const v1::ReduceOnPlateauSchedule& schedule, std::optional<double> value,
                 bool higher_is_better, v1::PlateauState& state) {
  v1::MeasureWatch& watch = *state.mutable_watch();
  Watch(value, higher_is_better, schedule.min_delta(), watch);
  if (state.cooldown() > 0) {
    state.set_cooldown(state.cooldown() - 1);
    watch.set_epochs_without_improvement(0);
  }
  if (watch.epochs_without_improvement() < schedule.patience()) return;
  state.set_factor(std::max(PlateauFactor(state) * schedule.factor(), schedule.min_factor()));
  state.set_cooldown(schedule.cooldown());
  watch.set_epochs_without_improvement(0);
}

double PlateauFactor(const v1::PlateauState& state) {
  return state.has_factor() ? state.factor() : 1;
}

}  // namespace fovea
