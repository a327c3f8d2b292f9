// What the Open Inference Protocol tells of a model: metadata, config, statistics.
//
// Private to server/services.
#pragma once

#include <cstdint>
#include <vector>

#include "inference/inference.pb.h"
#include "server/services/tensors.h"
#include "server/serving/version_statistics.h"

namespace fovea {

// `versions`: those that are served.
void FillMetadata(const TensorModel& model, const std::vector<uint64_t>& versions,
                  inference::ModelMetadataResponse* metadata);

// `max_images`: of one request.
void FillConfig(const TensorModel& model, int max_images, inference::ModelConfig* config);

// All but name and version.
void FillStatistics(const VersionStatistics& statistics, inference::ModelStatistics* filled);

// What the server calls itself, and its models' platform and backend.
inline constexpr char kServerName[] = "fovea";

}  // namespace fovea
