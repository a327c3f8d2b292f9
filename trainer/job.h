// Where a trainer's job comes from: the server's file, or the command line.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "fovea/v1/trainer.pb.h"
#include "trainer/options.h"

namespace fovea {

// The job that the options name. By hand it is kept as OUTPUT/job.textproto, from which --resume
// takes it again as the next attempt. Its config may be incomplete yet.
// FailedPrecondition: a new run into a folder that holds one. NotFound: nothing to resume.
// InvalidArgument, with line and column: a text that does not parse.
absl::StatusOr<v1::TrainerJob> ReadJob(const TrainerOptions& options);

// Writes a job made by hand, complete now, into its folder; under its lock.
absl::Status KeepJob(const v1::TrainerJob& job);

}  // namespace fovea
