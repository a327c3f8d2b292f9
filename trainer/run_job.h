// From a job to its result: opens the data set and the backend, and runs the Trainer.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/cancel.h"
#include "core/train/events.h"
#include "fovea/v1/trainer.pb.h"

namespace fovea {

// Completes the job's configuration against the data set at the job's revision and appends what was
// chosen to its choices; a complete one stays as it is. Errors of core/train/config.h.
absl::Status CompleteJob(v1::TrainerJob& job);

// `job` is complete. Reports its progress at most once an interval.
absl::StatusOr<v1::TrainerResult> RunJob(const v1::TrainerJob& job, absl::Duration interval,
                                         EventSink* events, const CancelToken* cancel);

}  // namespace fovea
