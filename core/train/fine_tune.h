// LoadStart: the values of a version in the repository as the beginning of a training.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "core/base/file_system.h"
#include "core/nets/net.h"
#include "core/runtime/weights.h"
#include "fovea/v1/trainer.pb.h"

namespace fovea {

// Overwrites the initial values of `weights` by those of the model in job.start_folder, by name;
// the last dense layer's only with config.fine_tune.reuse_head. Answers a sentence for the job's
// log. NotFound: no such folder. DataLoss: it is damaged. FailedPrecondition: a value is missing or
// has another shape; the message names it.
absl::StatusOr<std::string> LoadStart(FileSystem* files, const v1::TrainerJob& job, const Net& net,
                                      Weights& weights);

}  // namespace fovea
