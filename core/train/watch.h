// What a run makes of its validation measure, epoch by epoch: early stopping and reduce_on_plateau.
// Pure functions over states that the checkpoint keeps, so that a resumed run decides as one that
// was never interrupted.
#pragma once

#include <optional>

#include "core/train/measure.h"
#include "fovea/v1/manifest.pb.h"
#include "fovea/v1/training.pb.h"

namespace fovea {

// An epoch ended with `value` (absent: not defined, no improvement). It improves when it is better
// than the best before by more than min_delta; the first that is defined always does.
void Watch(std::optional<double> value, bool higher_is_better, double min_delta,
           v1::MeasureWatch& watch);

// After each epoch: true when config.early_stopping (complete) ends the run. Never without it.
bool StopsEarly(const v1::TrainingConfig& config, const v1::MeasureWatch& watch);

// After each epoch: counts it, and lowers state.factor when its time has come
// (ReduceOnPlateauSchedule, complete).
void StepPlateau(const v1::ReduceOnPlateauSchedule& schedule, std::optional<double> value,
                 bool higher_is_better, v1::PlateauState& state);

// What the learning rate is multiplied with; 1 before the first reduction.
double PlateauFactor(const v1::PlateauState& state);

}  // namespace fovea
