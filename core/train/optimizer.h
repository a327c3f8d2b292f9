// From a complete configuration to the update of the training graph.
//
// To add an optimizer: its update op (core/graph/update_attrs.h), its message and a case here.
#pragma once

#include <cstdint>

#include "core/graph/update_attrs.h"
#include "fovea/v1/training.pb.h"

namespace fovea {

// `config` is complete. The learning rate is no part of the rule: each step brings its own.
Update UpdateOf(const v1::TrainingConfig& config);

// How much of the new weights enters their moving average: shadow ← shadow + weight · (w − shadow)
// after the update before which there were n ≥ 0. With d(n) = min(decay, (1 + n) / (10 + n)) it is
// 1 − d(n). With zero_debias it is (1 − d(n)) / (1 − d(0) ⋯ d(n)), which makes of the shadow what
// one that started at 0 and was divided by the product's complement would be: the first weight is
// 1, so that the shadow's start does not matter. A pure function, so that a resume needs only n.
double AverageWeight(const v1::WeightAverage& average, int64_t n);

}  // namespace fovea
