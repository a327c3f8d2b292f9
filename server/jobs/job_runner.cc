#include "server/jobs/job_runner.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/log.h"
#include "core/base/status.h"
#include "core/model/text_proto.h"
#include "server/jobs/job_attempt.h"
#include "server/jobs/job_state.h"

namespace fovea {
namespace {

// After the store refused to take a job's end (a full disk), the next try.
constexpr absl::Duration kStoreRetry = absl::Seconds(5);

// Regression has none; its R² is what comes nearest to it.
double AccuracyOf(const v1::Measures& measures) {
  if (measures.has_regression()) return measures.regression().r2();
  if (measures.has_binary()) return measures.binary().accuracy();
  return measures.has_multi_label() ? 1 - measures.multi_label().hamming_loss()
                                    : measures.single_label().accuracy();
}

v1::TrainerJob TrainerJobOf(const v1::Job& job, std::string dataset_path, std::string folder,
                            std::string start_folder) {
  v1::TrainerJob result;
  result.set_job_id(job.id());
  result.set_attempt(job.attempt() + 1);
  result.set_model(job.model());
  result.set_dataset(job.dataset());
  result.set_dataset_path(std::move(dataset_path));
  result.set_dataset_revision(job.dataset_revision());
  *result.mutable_config() = job.config();
  *result.mutable_choices() = job.choices();
  result.set_output_folder(std::move(folder));
  result.set_start_folder(std::move(start_folder));
  result.set_resume(job.attempt() > 0);
  if (job.has_execution()) *result.mutable_execution() = job.execution();
  return result;
}

}  // namespace

JobRunner::JobRunner(Options options, Parts parts) : options_(std::move(options)), parts_(parts) {}

JobRunner::~JobRunner() { Stop(); }

void JobRunner::Start() {
  thread_ = std::thread([this] { Run(); });
}

void JobRunner::BeginStop() {
  absl::MutexLock lock(&mutex_);
  stopping_ = true;
  changed_.SignalAll();
  if (process_ != nullptr) process_->Stop();
}

void JobRunner::Stop() {
  BeginStop();
  if (thread_.joinable()) thread_.join();
}

absl::StatusOr<JobStore::Created> JobRunner::Submit(v1::Job job) {
  ASSIGN_OR_RETURN(JobStore::Created created, CreateJob(std::move(job)));
  RecordGauges();
  absl::MutexLock lock(&mutex_);
  queue_changed_ = true;
  changed_.SignalAll();
  return created;
}

absl::StatusOr<v1::Job> JobRunner::Cancel(const std::string& id) {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(const v1::Job job, parts_.store->Get(id));
  if (job.state() == v1::JOB_STATE_CANCELLED) return job;
  if (id == current_) {  // whose end is not stored yet
    cancel_current_ = true;
    if (process_ != nullptr) process_->Stop();
    return job;
  }
  RETURN_IF_ERROR(Append(id, [&](v1::Job& stored, v1::JobEvent& event) {
    event.set_step(stored.progress().step());
    return EnterState(stored, v1::JOB_STATE_CANCELLED, options_.clock->Now(), event);
  }));
  parts_.metrics->jobs.cancelled.Add();
  RecordGauges();
  return parts_.store->Get(id);
}

absl::StatusOr<v1::Job> JobRunner::Resume(const std::string& id) {
  ASSIGN_OR_RETURN(const v1::Job job, parts_.store->Get(id));
  if (!IsFinished(job.state())) return job;
  if (!parts_.files->Exists(options_.dataset_path(job.dataset()))) {
    return absl::FailedPreconditionError(absl::StrCat("job ", id, " learns from data set \"",
                                                      job.dataset(), "\", which was deleted"));
  }
  RETURN_IF_ERROR(Append(id, [&](v1::Job& stored, v1::JobEvent& event) {
    event.set_step(stored.progress().step());
    return EnterState(stored, v1::JOB_STATE_PENDING, options_.clock->Now(), event);
  }));
  RecordGauges();
  absl::MutexLock lock(&mutex_);
  queue_changed_ = true;
  changed_.SignalAll();
  return parts_.store->Get(id);
}

void JobRunner::Run() {
  while (std::optional<v1::Job> job = NextJob()) {
    absl::Status status = RunAttempt(*job);
    parts_.feed->ClearProgress(job->id());
    parts_.metrics->training.images_per_second.Set(0);
    parts_.metrics->training.share_of_peak.Set(0);
    RecordGauges();
    absl::MutexLock lock(&mutex_);
    current_.clear();
    cancel_current_ = false;
    queue_changed_ = true;
    if (status.ok()) continue;
    LogError("job could not be settled; trying again", {{"job", job->id()}, {"status", status}});
    changed_.WaitWithTimeout(&mutex_, kStoreRetry);
  }
}

// The next job to run, waiting for one; absent when stopping.
std::optional<v1::Job> JobRunner::NextJob() {
  absl::MutexLock lock(&mutex_);
  while (!stopping_) {
    if (!queue_changed_) {
      changed_.Wait(&mutex_);
      continue;
    }
    queue_changed_ = false;
    absl::StatusOr<std::vector<v1::Job>> jobs = parts_.store->Running();
    if (jobs.ok() && jobs->empty()) jobs = parts_.store->Pending();
    if (!jobs.ok()) {
      LogError("cannot read the queue of jobs", {{"status", jobs.status()}});
      queue_changed_ = true;
      changed_.WaitWithTimeout(&mutex_, kStoreRetry);
    } else if (!jobs->empty()) {
      current_ = jobs->front().id();
      return std::move(jobs->front());
    }
  }
  return std::nullopt;
}

absl::Status JobRunner::RunAttempt(const v1::Job& job) {
  Attempt attempt;
  attempt.job = job;
  // A crash may have come between the publication and the job's last event.
  if (const auto version = parts_.models->FindJob(job.model(), job.id()); version.ok()) {
    return Succeed(job, *version);
  }
  LogInfo("job starts", {{"job", job.id()}, {"model", job.model()}, {"dataset", job.dataset()}});
  absl::StatusOr<std::unique_ptr<TrainerProcess>> process = StartTrainer(job);
  absl::Status outcome = process.status();
  if (process.ok()) {
    {
      absl::MutexLock lock(&mutex_);
      process_ = process->get();
      if (stopping_ || cancel_current_) process_->Stop();
    }
    outcome = Follow(attempt, **process);
    absl::MutexLock lock(&mutex_);
    process_ = nullptr;
  }
  return Settle(attempt, outcome);
}

absl::StatusOr<std::unique_ptr<TrainerProcess>> JobRunner::StartTrainer(const v1::Job& job) {
  const std::string folder = JoinPath(options_.folder, job.id());
  RETURN_IF_ERROR(parts_.files->MakeDirs(folder));
  RETURN_IF_ERROR(KeepStartModel(job));
  const std::string job_file = JoinPath(folder, "job.textproto");
  const v1::TrainerJob trainer_job =
      TrainerJobOf(job, options_.dataset_path(job.dataset()), folder, StartModelFolder(job));
  RETURN_IF_ERROR(parts_.files->WriteAtomically(job_file, ToTextProto(trainer_job)));
  return TrainerProcess::Start({options_.trainer, job_file, JoinPath(folder, "trainer.log"),
                                options_.background, options_.grace});
}

absl::Status JobRunner::Follow(Attempt& attempt, TrainerProcess& process) {
  absl::Status status;
  while (status.ok()) {
    absl::StatusOr<std::optional<v1::TrainerMessage>> message = process.Read();
    if (!message.ok()) {
      status = message.status();
    } else if (!message->has_value()) {
      break;
    } else {
      status = Take(attempt, **message);
    }
  }
  if (!status.ok() && !absl::IsDataLoss(status)) process.Kill();  // what it does is lost anyway
  const absl::Status end = process.Wait();
  // What the trainer itself said counts more than how it ended, and that more than a torn message.
  if (attempt.result.has_value() || attempt.error.has_value()) return absl::OkStatus();
  if (!status.ok() && !absl::IsDataLoss(status)) return status;
  if (!end.ok()) return end;
  return status.ok() ? absl::InternalError("the trainer ended without a result, expected one")
                     : status;
}

absl::Status JobRunner::Take(Attempt& attempt, const v1::TrainerMessage& message) {
  switch (message.message_case()) {
    case v1::TrainerMessage::kStarted:
      return OnStarted(attempt, message.started());
    case v1::TrainerMessage::kEvent:
      return OnEvent(attempt, message.event());
    case v1::TrainerMessage::kResult:
      attempt.result = message.result();
      return absl::OkStatus();
    case v1::TrainerMessage::kError:
      attempt.error = message.error();
      return absl::OkStatus();
    case v1::TrainerMessage::MESSAGE_NOT_SET:
      break;
  }
  return absl::DataLossError("found an empty trainer message");
}

// Only now the job is RUNNING: the step it goes on from, which the event carries, is known.
absl::Status JobRunner::OnStarted(Attempt& attempt, const v1::TrainerStarted& started) {
  const absl::Status status =
      Append(attempt.job.id(), [&](v1::Job& job, v1::JobEvent& event) -> absl::Status {
        RETURN_IF_ERROR(EnterState(job, v1::JOB_STATE_RUNNING, options_.clock->Now(), event));
        if (!job.has_execution()) *job.mutable_execution() = started.execution();
        event.set_step(started.step());
        attempt.job = job;
        return absl::OkStatus();
      });
  RecordGauges();
  return status;
}

absl::Status JobRunner::OnEvent(Attempt& attempt, const v1::JobEvent& event) {
  if (event.has_progress()) {
    OnProgress(attempt, event);
    return absl::OkStatus();
  }
  if (event.has_epoch()) {
    const TrainingMetrics& metrics = parts_.metrics->training;
    metrics.epoch.Set(event.epoch().epoch());
    metrics.data_wait.Set(event.epoch().data_wait_share());
    if (event.epoch().has_validation()) {
      metrics.validation_accuracy.Set(AccuracyOf(event.epoch().validation()));
      metrics.validation_loss.Set(event.epoch().validation().log_loss());
    }
  }
  return Append(attempt.job.id(), [&](v1::Job& job, v1::JobEvent& stored) {
    stored = event;
    stored.set_attempt(job.attempt());
    if (attempt.has_progress) *job.mutable_progress() = attempt.progress;
    return absl::OkStatus();
  });
}

void JobRunner::OnProgress(Attempt& attempt, const v1::JobEvent& event) {
  const v1::Progress& now = event.progress();
  const v1::Progress& before = attempt.progress;
  const TrainingMetrics& metrics = parts_.metrics->training;
  if (now.attempt_images() >= before.attempt_images()) {
    metrics.images.Add(static_cast<double>(now.attempt_images() - before.attempt_images()));
  }
  if (now.attempt_flops() >= before.attempt_flops()) {
    metrics.flops.Add(static_cast<double>(now.attempt_flops() - before.attempt_flops()));
  }
  metrics.loss.Set(now.loss());
  if (now.has_accuracy()) metrics.accuracy.Set(now.accuracy());
  metrics.learning_rate.Set(now.learning_rate());
  metrics.images_per_second.Set(now.images_per_second());
  metrics.epoch.Set(now.epoch());
  if (now.has_share_of_peak()) metrics.share_of_peak.Set(now.share_of_peak());
  attempt.progress = now;
  attempt.has_progress = true;
  v1::JobEvent live = event;
  live.set_job_id(attempt.job.id());
  live.set_attempt(attempt.job.attempt());
  parts_.feed->SetProgress(attempt.job.id(), std::move(live));
}

absl::Status JobRunner::Append(const std::string& id, JobStore::Change change) {
  RETURN_IF_ERROR(parts_.store->Append(id, change).status());
  parts_.feed->Changed(id);
  return absl::OkStatus();
}

absl::Status JobRunner::AppendEnd(const std::string& id, JobStore::Change change) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(Append(id, change));
  current_.clear();
  cancel_current_ = false;
  return absl::OkStatus();
}

void JobRunner::RecordGauges() {
  const auto pending = parts_.store->Pending();
  const auto running = parts_.store->Running();
  if (pending.ok()) parts_.metrics->jobs.pending.Set(static_cast<double>(pending->size()));
  if (running.ok()) parts_.metrics->jobs.running.Set(static_cast<double>(running->size()));
}

}  // namespace fovea
