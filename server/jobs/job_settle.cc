// How an attempt ends: the part of JobRunner that decides what a job becomes.
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/log.h"
#include "core/base/status.h"
#include "server/jobs/job_attempt.h"
#include "server/jobs/job_runner.h"
#include "server/jobs/job_state.h"

namespace fovea {

absl::Status JobRunner::Settle(Attempt& attempt, const absl::Status& outcome) {
  bool cancelled = false, stopping = false;
  {
    absl::MutexLock lock(&mutex_);
    cancelled = cancel_current_;
    stopping = stopping_;
  }
  if (attempt.result.has_value()) {
    const absl::Status published = Publish(attempt);
    return published.ok() ? published : Fail(attempt.job, published);
  }
  if (cancelled) return Cancelled(attempt.job);
  if (stopping) {
    LogInfo("job stops with the server and goes on after a restart", {{"job", attempt.job.id()}});
    return absl::OkStatus();
  }
  if (attempt.error.has_value()) {
    return Fail(attempt.job, absl::Status(static_cast<absl::StatusCode>(attempt.error->code()),
                                          attempt.error->message()));
  }
  return Fail(attempt.job, outcome);
}

absl::Status JobRunner::Publish(Attempt& attempt) {
  const v1::Job& job = attempt.job;
  ASSIGN_OR_RETURN(const uint64_t version,
                   parts_.models->Publish(attempt.result->staged_folder(), job.model()));
  return Succeed(job, version);
}

absl::Status JobRunner::Succeed(const v1::Job& job, uint64_t version) {
  ASSIGN_OR_RETURN(const v1::ModelManifest manifest,
                   parts_.models->ReadManifest(job.model(), version));
  const absl::Status served = options_.on_published(job.model(), version);
  if (!served.ok()) {
    RETURN_IF_ERROR(Append(job.id(), [&](v1::Job& stored, v1::JobEvent& event) {
      event.set_step(stored.progress().step());
      event.mutable_note()->set_text(
          absl::StrCat("The model was published but could not be loaded: ", served.message()));
      return absl::OkStatus();
    }));
  }
  RETURN_IF_ERROR(Append(job.id(), [&](v1::Job& stored, v1::JobEvent& event) {
    event.set_step(stored.progress().step());
    event.mutable_published()->set_model(job.model());
    event.mutable_published()->set_version(version);
    *event.mutable_published()->mutable_measures() = manifest.report().measures();
    stored.set_published_version(version);
    return absl::OkStatus();
  }));
  RETURN_IF_ERROR(AppendEnd(job.id(), [&](v1::Job& stored, v1::JobEvent& event) {
    event.set_step(stored.progress().step());
    return EnterState(stored, v1::JOB_STATE_SUCCEEDED, options_.clock->Now(), event);
  }));
  parts_.metrics->jobs.succeeded.Add();
  LogInfo("job succeeded", {{"job", job.id()}, {"model", job.model()}, {"version", version}});
  const absl::Status removed = parts_.files->RemoveAll(JoinPath(options_.folder, job.id()));
  if (!removed.ok()) LogWarning("job folder stays", {{"job", job.id()}, {"status", removed}});
  return absl::OkStatus();
}

absl::Status JobRunner::Cancelled(const v1::Job& job) {
  RETURN_IF_ERROR(AppendEnd(job.id(), [&](v1::Job& stored, v1::JobEvent& event) {
    event.set_step(stored.progress().step());
    return EnterState(stored, v1::JOB_STATE_CANCELLED, options_.clock->Now(), event);
  }));
  parts_.metrics->jobs.cancelled.Add();
  LogInfo("job cancelled", {{"job", job.id()}});
  return absl::OkStatus();
}

absl::Status JobRunner::Fail(const v1::Job& job, const absl::Status& why) {
  RETURN_IF_ERROR(AppendEnd(job.id(), [&](v1::Job& stored, v1::JobEvent& event) -> absl::Status {
    event.set_step(stored.progress().step());
    stored.mutable_error()->set_code(static_cast<uint32_t>(why.code()));
    stored.mutable_error()->set_message(std::string(why.message()));
    return EnterState(stored, v1::JOB_STATE_FAILED, options_.clock->Now(), event);
  }));
  parts_.metrics->jobs.failed.Add();
  LogWarning("job failed", {{"job", job.id()}, {"status", why}});
  return absl::OkStatus();
}

}  // namespace fovea
