#include "server/jobs/job_state.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "google/protobuf/util/time_util.h"

namespace fovea {
namespace {

google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  return google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(time));
}

}  // namespace

std::string JobStateName(v1::JobState state) {
  return std::string(absl::StripPrefix(v1::JobState_Name(state), "JOB_STATE_"));
}

bool IsFinished(v1::JobState state) {
  return state == v1::JOB_STATE_SUCCEEDED || state == v1::JOB_STATE_FAILED ||
         state == v1::JOB_STATE_CANCELLED;
}

bool MayFollow(v1::JobState from, v1::JobState to) {
  switch (from) {
    case v1::JOB_STATE_PENDING:
      return to == v1::JOB_STATE_RUNNING || to == v1::JOB_STATE_CANCELLED ||
             to == v1::JOB_STATE_FAILED;
    case v1::JOB_STATE_RUNNING:
      return to == v1::JOB_STATE_RUNNING || IsFinished(to);
    case v1::JOB_STATE_FAILED:
    case v1::JOB_STATE_CANCELLED:
      return to == v1::JOB_STATE_PENDING;
    default:
      return false;
  }
}

absl::Status EnterState(v1::Job& job, v1::JobState to, absl::Time now, v1::JobEvent& event) {
  if (!MayFollow(job.state(), to)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "job ", job.id(), " is ", JobStateName(job.state()), " and cannot be ", JobStateName(to)));
  }
  job.set_state(to);
  if (to == v1::JOB_STATE_RUNNING) {
    job.set_attempt(job.attempt() + 1);
    job.clear_progress();
    if (!job.has_start_time()) *job.mutable_start_time() = ToTimestamp(now);
  }
  if (to != v1::JOB_STATE_FAILED) job.clear_error();
  if (IsFinished(to)) {
    *job.mutable_end_time() = ToTimestamp(now);
  } else {
    job.clear_end_time();
  }
  event.mutable_state_change()->set_state(to);
  if (job.has_error()) *event.mutable_state_change()->mutable_error() = job.error();
  return absl::OkStatus();
}

}  // namespace fovea
