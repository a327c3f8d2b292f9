// The version that a fine-tuning job begins with: the part of JobRunner that keeps a copy of it in
// the job's folder, so that the version may be deleted while the job waits.
//
// The copy is made before the job is stored, under a name of its own, and moved to the job once
// that has an id. A crash in between leaves a copy, which the next one replaces, and a job that
// nobody was told of; StartTrainer makes the copy then.
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/model/format.h"
#include "server/jobs/job_runner.h"

namespace fovea {
namespace {

constexpr char kStaging[] = ".staging";
constexpr char kStartModel[] = "start";

}  // namespace

std::string JobRunner::StagingFolder() const { return JoinPath(options_.folder, kStaging); }

std::string JobRunner::StartModelFolder(const v1::Job& job) const {
  if (!job.config().has_fine_tune()) return "";
  return JoinPath(JoinPath(options_.folder, job.id()), kStartModel);
}

absl::Status JobRunner::CopyStartModel(const v1::Job& job, const std::string& to) {
  const v1::FineTune& tune = job.config().fine_tune();
  // Names the versions that are there when this one is not.
  ASSIGN_OR_RETURN(const uint64_t version, parts_.models->Resolve(tune.model(), tune.version()));
  return CopyModel(parts_.files, parts_.models->Folder(tune.model(), version), to);
}

absl::StatusOr<JobStore::Created> JobRunner::CreateJob(v1::Job job) {
  if (!job.config().has_fine_tune()) return parts_.store->Create(std::move(job));
  absl::MutexLock lock(&start_models_);
  const std::string staged = StagingFolder();
  RETURN_IF_ERROR(parts_.files->RemoveAll(staged));
  RETURN_IF_ERROR(CopyStartModel(job, staged));
  ASSIGN_OR_RETURN(JobStore::Created created, parts_.store->Create(std::move(job)));
  if (!created.is_new) {
    RETURN_IF_ERROR(parts_.files->RemoveAll(staged));
    return created;
  }
  RETURN_IF_ERROR(parts_.files->MakeDirs(JoinPath(options_.folder, created.job.id())));
  RETURN_IF_ERROR(parts_.files->Rename(staged, StartModelFolder(created.job)));
  return created;
}

absl::Status JobRunner::KeepStartModel(const v1::Job& job) {
  const std::string folder = StartModelFolder(job);
  if (folder.empty()) return absl::OkStatus();
  absl::MutexLock lock(&start_models_);
  if (parts_.files->Exists(folder)) return absl::OkStatus();
  return CopyStartModel(job, folder);
}

}  // namespace fovea
