#include "trainer/job.h"

#include <filesystem>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/file_system.h"
#include "core/base/names.h"
#include "core/base/status.h"
#include "core/data/store.h"
#include "core/model/text_proto.h"

namespace fovea {
namespace {

constexpr char kJobId[] = "by-hand";

std::string JobFile(const std::string& folder) { return JoinPath(folder, "job.textproto"); }

template <typename Message>
absl::StatusOr<Message> ReadText(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, FileSystem::Real()->Read(path));
  Message message;
  const absl::Status status = FromTextProto(text, message);
  if (status.ok()) return message;
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", status.message()));
}

absl::StatusOr<v1::TrainerJob> NewJob(const TrainerOptions& options) {
  if (FileSystem::Real()->Exists(JobFile(options.output))) {
    return absl::FailedPreconditionError(
        absl::StrCat(options.output, " holds a run already, expected another folder or --resume"));
  }
  v1::TrainerJob job;
  if (!options.config.empty()) {
    ASSIGN_OR_RETURN(*job.mutable_config(), ReadText<v1::TrainingConfig>(options.config));
  }
  if (!options.start.empty()) {
    job.mutable_config()->mutable_fine_tune();
    job.set_start_folder(std::filesystem::absolute(options.start).string());
  } else if (job.config().has_fine_tune()) {
    return absl::InvalidArgumentError(absl::StrCat(
        options.config, ": found fine_tune, expected --start with the model's folder"));
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<DatasetStore> store,
                   DatasetStore::Open(options.dataset, DatasetStore::Mode::kReadOnly, {}));
  ASSIGN_OR_RETURN(const int64_t revision, store->Revision());
  job.set_job_id(kJobId);
  job.set_attempt(1);
  job.set_dataset(store->spec().name);
  job.set_dataset_path(std::filesystem::absolute(options.dataset).string());
  job.set_dataset_revision(static_cast<uint64_t>(revision));
  job.set_model(options.model.empty() ? job.dataset() : options.model);
  RETURN_IF_ERROR(ValidateName("model", job.model()));
  job.set_output_folder(options.output);
  return job;
}

absl::StatusOr<v1::TrainerJob> NextAttempt(const std::string& folder) {
  absl::StatusOr<v1::TrainerJob> job = ReadText<v1::TrainerJob>(JobFile(folder));
  if (absl::IsNotFound(job.status())) {
    return absl::NotFoundError(
        absl::StrCat(folder, " holds no run to resume: found no ", JobFile(folder)));
  }
  RETURN_IF_ERROR(job.status());
  job->set_attempt(job->attempt() + 1);
  job->set_resume(true);
  job->set_output_folder(folder);  // which may have been moved
  return job;
}

}  // namespace

absl::StatusOr<v1::TrainerJob> ReadJob(const TrainerOptions& options) {
  if (!options.job.empty()) return ReadText<v1::TrainerJob>(options.job);
  return options.resume ? NextAttempt(options.output) : NewJob(options);
}

absl::Status KeepJob(const v1::TrainerJob& job) {
  return FileSystem::Real()->WriteAtomically(JobFile(job.output_folder()), ToTextProto(job));
}

}  // namespace fovea
