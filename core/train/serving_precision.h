// What the published version computes in when it is served: the precisions that config.serving asks
// for are tried on the validation split, and the fastest one that costs little enough is taken.
#pragma once

#include <vector>

#include "core/train/measure.h"
#include "fovea/v1/precision.pb.h"
#include "fovea/v1/training.pb.h"

namespace fovea {

// Those to try, SERVED_PRECISION_FP32 first.
std::vector<v1::ServedPrecision> PrecisionsToTry(const v1::TrainingConfig& config);

// How much worse a measure is than in FP32, in the unit of ServingPrecision.max_loss; negative:
// better.
double PrecisionLoss(const v1::TrainingConfig& config, double fp32, double value);

// Fills in the loss of each report, and why it is refused where it is too large; `reports` begins
// with that of FP32. Answers the index of the one to serve: the fastest that is not refused. Pure.
int ChoosePrecision(const v1::TrainingConfig& config, std::vector<v1::PrecisionReport>& reports);

}  // namespace fovea
