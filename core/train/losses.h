// What a complete configuration means for the loss of the training graph. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "core/graph/attrs.h"
#include "fovea/v1/training.pb.h"

namespace fovea {

// The loss in the form that fits the last activation.
Loss LossOf(const v1::TrainingConfig& config);

// The class weights that are given or, after completion, computed; empty: every weight is 1.
std::map<std::string, double> WeightsByLabel(const v1::TrainingConfig& config);

// The same in the order of the labels; those that are not named weigh 1. Empty without weights.
std::vector<float> ClassWeightsOf(const v1::TrainingConfig& config,
                                  absl::Span<const std::string> labels);

}  // namespace fovea
