// Writes the model of a finished run into a staged folder, whole, ready to be published by rename.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/base/clock.h"
#include "core/base/file_system.h"
#include "core/graph/quantization.h"
#include "core/nets/net.h"
#include "core/runtime/weights.h"
#include "core/train/evaluate.h"
#include "fovea/v1/manifest.pb.h"
#include "fovea/v1/trainer.pb.h"

namespace fovea {

struct FinishedRun {
  const v1::TrainerJob* job = nullptr;
  v1::Execution execution;
  int64_t epoch = 0;  // whose weights these are
  Decisions decisions;
  std::optional<TargetScale> target_scale;  // regression: to go into the last layer
  v1::ServedPrecision precision = v1::SERVED_PRECISION_FP32;
  Quantization quantization;  // with SERVED_PRECISION_INT8
  v1::Report report;
  std::vector<std::vector<uint8_t>> golden_pixels;  // what the model says of them is kept with it
};

// Everything a manifest says but name's version, which publishing gives.
v1::ModelManifest ManifestOf(const FinishedRun& run, const Graph& graph,
                             absl::Span<const std::string> labels, absl::Time now);

// Rounds the weights to what the configuration's storage keeps of them, so that what is measured is
// what is published.
absl::Status RoundToStorage(const v1::TrainingConfig& config, Weights& weights);

// The manifest is written last: a folder that has one is whole. Durable on return.
absl::Status StageModel(FileSystem* files, const std::string& folder, const FinishedRun& run,
                        absl::Span<const std::string> labels, const Weights& weights,
                        const Backend& backend, const Clock* clock);

// Whether `folder` holds the whole model of this job already.
bool IsStaged(FileSystem* files, const std::string& folder, const v1::TrainerJob& job);

}  // namespace fovea
