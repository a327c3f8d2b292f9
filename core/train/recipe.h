// What a complete configuration means for each part: the net, the training graph, the augmentation,
// the thresholds. Pure. `labels` are the data set's, in the order of their indices.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/backend/backend.h"
#include "core/compile/training_graph.h"
#include "core/data/augment.h"
#include "core/data/dataset.h"
#include "core/data/image.h"
#include "core/data/mix.h"
#include "core/data/sampling.h"
#include "core/nets/net.h"
#include "fovea/v1/training.pb.h"

namespace fovea {

bool IsRegression(v1::Task task);
// Whether labels apply from thresholds on: multi-label and binary.
bool HasThresholds(v1::Task task);
// Outputs of the net, which is the length of a target: one a label, or one in all for binary.
int OutputsOf(v1::Task task, int labels);

// Batches and images that make one update, which is a step of the schedule.
int AccumulatedBatches(const v1::TrainingConfig& config);
int64_t ExamplesPerStep(const v1::TrainingConfig& config);

PixelShape PixelShapeOf(const v1::TrainingConfig& config);

// Pixels enter as (p / 255 − 0.5) / 0.25, whatever the data set: a model's preprocessing then
// depends on nothing but its input shape.
NetOptions NetOptionsOf(const v1::TrainingConfig& config, int outputs);

// Loss and class weights of losses.h, update by optimizer and regularisation. Binary class weights
// are example weights, see BinaryWeightsOf.
TrainingGraphOptions TrainingGraphOptionsOf(const v1::TrainingConfig& config,
                                            absl::Span<const std::string> labels);

// What Compile is told of the precision of a training step.
DType ComputeTypeOf(const v1::TrainingConfig& config);
// The net's graph in the type of its parameters: f64 for PRECISION_FP64, else unchanged.
Graph InParameterType(Graph graph, const v1::TrainingConfig& config);
// Binary: the weights of negative and positive examples; empty where all weigh 1.
std::vector<float> BinaryWeightsOf(const v1::TrainingConfig& config,
                                   absl::Span<const std::string> labels);

AugmentOptions AugmentOptionsOf(const v1::TrainingConfig& config);
MixOptions MixOptionsOf(const v1::TrainingConfig& config);

// The last activation of the published model.
Head HeadOf(const v1::TrainingConfig& config);

// The net with its last activation: "probabilities", for regression "values", and where open-set
// rejection goes by the energy a second output, "logits".
absl::StatusOr<Graph> InferenceGraphOf(const Net& net, const v1::TrainingConfig& config);

// What an epoch of `train` consists of.
absl::StatusOr<SamplingPlan> SamplingPlanOf(const v1::TrainingConfig& config, const Dataset& train);

// How much of the augmentation each example of `train` gets; empty where all get all of it.
absl::StatusOr<std::vector<float>> AugmentStrengthsOf(const v1::TrainingConfig& config,
                                                      const Dataset& train);

// One threshold a label, for binary that of the positive one; 0.5 where they are to be tuned. Empty
// for other tasks.
std::vector<double> ThresholdsOf(const v1::TrainingConfig& config,
                                 absl::Span<const std::string> labels);

// "cpu" or "reference", for FindBackend.
const char* BackendName(v1::Backend backend);

}  // namespace fovea
