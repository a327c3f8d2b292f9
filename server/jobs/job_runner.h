// JobRunner: runs the queue of jobs, one at a time, each attempt in a child process.
//
// One thread takes the next job, starts fovea-trainer, stores what it reports and settles the job
// when it ends: SUCCEEDED once the model is published and served, CANCELLED when that was asked,
// FAILED with the trainer's own error, or with its signal or exit code and last words when it died.
// A job that failed is not tried again by itself: Resume goes on from its checkpoint. Jobs that a
// crash or Stop left RUNNING go on, as a new attempt, before those that wait.
// Thread-safe. Destruction is Stop.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/file_system.h"
#include "core/model/repository.h"
#include "fovea/v1/jobs.pb.h"
#include "fovea/v1/trainer.pb.h"
#include "server/jobs/job_feed.h"
#include "server/jobs/job_store.h"
#include "server/jobs/trainer_process.h"
#include "server/telemetry/metrics.h"

namespace fovea {

class JobRunner {
 public:
  struct Options {
    std::string folder;      // <folder>/<job id>/ holds the job's checkpoints, staged model and log
    std::string trainer;     // path of fovea-trainer
    bool background = true;  // the trainer runs on what serving leaves
    absl::Duration grace = absl::Seconds(30);  // for a last checkpoint
    std::function<std::string(const std::string& dataset)> dataset_path;
    // Loads and serves the version; called from the runner's thread, before the job is SUCCEEDED.
    std::function<absl::Status(const std::string& model, uint64_t version)> on_published;
    const Clock* clock = Clock::Real();
  };
  struct Parts {  // all outlive the runner
    JobStore* store = nullptr;
    JobFeed* feed = nullptr;
    ModelRepository* models = nullptr;
    FileSystem* files = nullptr;
    Metrics* metrics = nullptr;
  };

  JobRunner(Options options, Parts parts);
  ~JobRunner();

  // Starts to run what is queued.
  void Start();
  // No further job; the running trainer is asked to save a checkpoint and end, its job stays
  // RUNNING in the store. Returns at once.
  void BeginStop();
  // BeginStop, then waits for the trainer's end: the grace period at most.
  void Stop();

  // Queues a job (JobStore::Create). One that fine-tunes keeps a copy of the version it begins
  // with; NotFound when that is gone.
  absl::StatusOr<JobStore::Created> Submit(v1::Job job);
  // As the Jobs service promises.
  absl::StatusOr<v1::Job> Cancel(const std::string& id);
  absl::StatusOr<v1::Job> Resume(const std::string& id);

 private:
  // One run of the trainer for one job.
  struct Attempt;

  void Run();
  std::optional<v1::Job> NextJob();
  absl::Status RunAttempt(const v1::Job& job);
  absl::StatusOr<std::unique_ptr<TrainerProcess>> StartTrainer(const v1::Job& job);
  // Reads until the trainer has ended; Cancelled when it was stopped.
  absl::Status Follow(Attempt& attempt, TrainerProcess& process);
  absl::Status Take(Attempt& attempt, const v1::TrainerMessage& message);
  absl::Status OnStarted(Attempt& attempt, const v1::TrainerStarted& started);
  absl::Status OnEvent(Attempt& attempt, const v1::JobEvent& event);
  void OnProgress(Attempt& attempt, const v1::JobEvent& event);

  // job_start_model.cc: the copy of the version that a job fine-tunes.
  std::string StagingFolder() const;
  std::string StartModelFolder(const v1::Job& job) const;  // "" without fine_tune
  absl::Status CopyStartModel(const v1::Job& job, const std::string& to);
  absl::StatusOr<JobStore::Created> CreateJob(v1::Job job);
  absl::Status KeepStartModel(const v1::Job& job);

  // The ends of an attempt; each stores what it says.
  absl::Status Settle(Attempt& attempt, const absl::Status& outcome);
  absl::Status Publish(Attempt& attempt);
  absl::Status Succeed(const v1::Job& job, uint64_t version);
  absl::Status Cancelled(const v1::Job& job);
  absl::Status Fail(const v1::Job& job, const absl::Status& why);

  absl::Status Append(const std::string& id, JobStore::Change change);
  // The event that ends the current attempt: in one step the job is no longer current, so that a
  // Cancel or Resume meets either the running attempt or the finished job.
  absl::Status AppendEnd(const std::string& id, JobStore::Change change);
  void RecordGauges();

  const Options options_;
  const Parts parts_;
  absl::Mutex start_models_;  // one copy at a time; taken before mutex_
  absl::Mutex mutex_;
  absl::CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool queue_changed_ ABSL_GUARDED_BY(mutex_) = true;
  std::string current_ ABSL_GUARDED_BY(mutex_);  // id of the job that an attempt is for
  bool cancel_current_ ABSL_GUARDED_BY(mutex_) = false;
  TrainerProcess* process_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::thread thread_;
};

}  // namespace fovea
