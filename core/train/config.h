// From the configuration a client sends to the complete one a job records: every default becomes a
// Choice with its reason, and everything that is wrong is found before a job is accepted.
//
// Pure, and idempotent: a complete configuration comes back unchanged, without choices.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/data/dataset_types.h"
#include "fovea/v1/manifest.pb.h"
#include "fovea/v1/training.pb.h"

namespace fovea {

// The public name of a data set's task.
v1::Task ToProto(Task task);

// One wrong field, for google.rpc.BadRequest.
struct FieldViolation {
  std::string field;        // path with the names of oneofs: "config.optimizer.sgd.momentum"
  std::string description;  // "found 1.5, expected a number in [0, 1)"
};

struct CompleteConfig {
  v1::TrainingConfig config;        // every field is set
  std::vector<v1::Choice> choices;  // what was left open, in the order of the fields
};

// What the machine leaves for training, for configurations that do not say.
struct TrainingBudget {
  // NOLINTNEXTLINE(google-explicit-constructor): most callers care for threads only
  TrainingBudget(int threads, int64_t memory_for_cache = int64_t{1} << 30)
      : width(threads), cache_bytes(memory_for_cache) {}

  int width;            // threads of a step; at least 1
  int64_t cache_bytes;  // for decoded pictures
};

// Completes `config` for the data set that `data` describes. start: the manifest of the version
// that config.fine_tune names; null without fine_tune, and for a resume, whose configuration was
// held against it before.
//
// FailedPrecondition: the data set cannot be trained on (no images, too few labels, an empty
// training split, or neither a validation nor a test image to measure the model on).
// InvalidArgument: the configuration is wrong. The message lists every violation; `violations`, if
// not null, receives them one by one.
absl::StatusOr<CompleteConfig> Complete(const v1::TrainingConfig& config,
                                        const DatasetStatistics& data, const TrainingBudget& budget,
                                        std::vector<FieldViolation>* violations = nullptr,
                                        const v1::ModelManifest* start = nullptr);

// The two halves of Complete, each pure.
CompleteConfig FillDefaults(v1::TrainingConfig config, const DatasetStatistics& data,
                            const TrainingBudget& budget, const v1::ModelManifest* start = nullptr);
// What is wrong with a complete configuration.
std::vector<FieldViolation> FindViolations(const v1::TrainingConfig& config,
                                           const DatasetStatistics& data,
                                           const v1::ModelManifest* start = nullptr);

}  // namespace fovea
