// What a complete configuration means for each part: the net, the training graph, the augmentation,
// the thresholds. Pure. `labels` are the data set's, in the order of their indices.
#pragma once

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "core/backend/backend.h"
#include "core/compile/training_graph.h"
#include "core/data/augment.h"
#include "core/data/image.h"
#include "core/data/mix.h"
#include "core/nets/net.h"
#include "fovea/v1/training.pb.h"

namespace fovea {

PixelShape PixelShapeOf(const v1::TrainingConfig& config);

// Pixels enter as (p / 255 − 0.5) / 0.25, whatever the data set: a model's preprocessing then
// depends on nothing but its input shape.
NetOptions NetOptionsOf(const v1::TrainingConfig& config, int labels);

// Loss by task, class weights by label, update by optimizer.
TrainingGraphOptions TrainingGraphOptionsOf(const v1::TrainingConfig& config,
                                            absl::Span<const std::string> labels);

// What Compile is told of the precision of a training step.
DType ComputeTypeOf(const v1::TrainingConfig& config);
// The net's graph in the type of its parameters: f64 for PRECISION_FP64, else unchanged.
Graph InParameterType(Graph graph, const v1::TrainingConfig& config);

AugmentOptions AugmentOptionsOf(const v1::TrainingConfig& config);
MixOptions MixOptionsOf(const v1::TrainingConfig& config);

// The last activation of the published model.
Head HeadOf(const v1::TrainingConfig& config);

// One threshold a label; empty for single-label.
std::vector<double> ThresholdsOf(const v1::TrainingConfig& config,
                                 absl::Span<const std::string> labels);

// "cpu" or "reference", for FindBackend.
const char* BackendName(v1::Backend backend);

}  // namespace fovea
