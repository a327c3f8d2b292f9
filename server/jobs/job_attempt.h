// What JobRunner keeps during one run of the trainer. Private to job_runner.cc and job_settle.cc.
#pragma once

#include <cstdint>
#include <optional>

#include "fovea/v1/jobs.pb.h"
#include "fovea/v1/trainer.pb.h"
#include "server/jobs/job_runner.h"

namespace fovea {

struct JobRunner::Attempt {
  v1::Job job;            // as it was when the attempt began
  v1::Progress progress;  // the latest
  bool has_progress = false;
  std::optional<v1::TrainerResult> result;
  std::optional<v1::JobError> error;
};

}  // namespace fovea
