#include "server/jobs/job_runner.h"

#include <signal.h>

#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/model/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/jobs/job_state.h"
#include "tests/testing/faulty_file_system.h"
#include "tests/testing/temp_dir.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr absl::Duration kPatience = absl::Seconds(60);

class JobRunnerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto store = JobStore::Open(folder_.File("fovea.sqlite"), {});
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    ASSERT_TRUE(FileSystem::Real()->WriteAtomically(folder_.File("digits.sqlite"), "x").ok());
    MakeRunner(FAKE_TRAINER);
  }

  void MakeRunner(const std::string& trainer) {
    runner_.reset();
    JobRunner::Options options;
    options.folder = folder_.File("jobs");
    options.trainer = trainer;
    options.background = false;
    options.dataset_path = [this](const std::string& name) {
      return folder_.File(absl::StrCat(name, ".sqlite"));
    };
    options.on_published = [this](const std::string& model, uint64_t version) {
      published_.push_back(absl::StrCat(model, "/", version));
      return load_status_;
    };
    runner_ = std::make_unique<JobRunner>(
        std::move(options), JobRunner::Parts{store_.get(), &feed_, &models_, &files_, &metrics_});
  }

  std::string Submit(const std::string& model) {
    v1::Job job;
    job.set_model(model);
    job.set_dataset("digits");
    const auto created = runner_->Submit(job);
    EXPECT_TRUE(created.ok()) << created.status();
    return created->job.id();
  }

  // Waits until the job is as `wanted` says; answers it.
  v1::Job WaitFor(const std::string& id, const std::function<bool(const v1::Job&)>& wanted) {
    absl::Mutex mutex;
    bool woken = true;
    const auto subscription = feed_.Subscribe(id, [&] {
      absl::MutexLock lock(&mutex);
      woken = true;
    });
    const absl::Time deadline = absl::Now() + kPatience;
    while (absl::Now() < deadline) {
      {
        absl::MutexLock lock(&mutex);
        if (!mutex.AwaitWithDeadline(absl::Condition(&woken), deadline)) break;
        woken = false;
      }
      if (const auto job = store_->Get(id); job.ok() && wanted(*job)) return *job;
    }
    ADD_FAILURE() << "job is still " << store_->Get(id)->ShortDebugString();
    return {};
  }
  v1::Job WaitForState(const std::string& id, v1::JobState state) {
    return WaitFor(id, [state](const v1::Job& job) { return job.state() == state; });
  }
  v1::Job WaitForEnd(const std::string& id) {
    return WaitFor(id, [](const v1::Job& job) { return IsFinished(job.state()); });
  }

  // What happened, a word an event.
  std::vector<std::string> Story(const std::string& id) {
    std::vector<std::string> words;
    const auto events = store_->EventsAfter(id, 0, 1000);
    EXPECT_TRUE(events.ok());
    for (const v1::JobEvent& event : *events) {
      EXPECT_EQ(event.number(), words.size() + 1);
      words.push_back(
          event.has_state_change()
              ? JobStateName(event.state_change().state())
              : std::string(event.GetDescriptor()->FindFieldByNumber(event.event_case())->name()));
    }
    return words;
  }

  testing::TempDir folder_;
  Metrics metrics_;
  JobFeed feed_;
  testing::FaultyFileSystem files_;
  ModelRepository models_{&files_, folder_.File("models")};
  std::unique_ptr<JobStore> store_;
  std::vector<std::string> published_;
  absl::Status load_status_;
  std::unique_ptr<JobRunner> runner_;
};

TEST_F(JobRunnerTest, AJobRunsToAPublishedModel) {
  runner_->Start();
  const std::string id = Submit("good");
  const v1::Job job = WaitForEnd(id);
  EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.error().message();
  EXPECT_EQ(job.published_version(), 1u);
  EXPECT_EQ(job.execution().width(), 2u);
  EXPECT_EQ(job.attempt(), 1u);
  EXPECT_THAT(Story(id), ElementsAre("PENDING", "RUNNING", "epoch", "published", "SUCCEEDED"));
  EXPECT_THAT(published_, ElementsAre("good/1"));
  EXPECT_EQ(store_->EventsAfter(id, 3, 1)->front().published().measures().examples(), 9u);
  EXPECT_THAT(metrics_.Render(), HasSubstr("fovea_images_trained_total 320"));
  runner_->Stop();
  EXPECT_FALSE(FileSystem::Real()->Exists(folder_.File(absl::StrCat("jobs/", id))));
}

TEST_F(JobRunnerTest, JobsRunOneAfterAnother) {
  const std::string first = Submit("good"), second = Submit("good");
  runner_->Start();
  EXPECT_EQ(WaitForEnd(second).published_version(), 2u);
  EXPECT_EQ(WaitForEnd(first).published_version(), 1u);
}

TEST_F(JobRunnerTest, TheTrainersOwnErrorIsTheJobs) {
  runner_->Start();
  const v1::Job job = WaitForEnd(Submit("bad"));
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(job.error().code(), static_cast<uint32_t>(absl::StatusCode::kFailedPrecondition));
  EXPECT_EQ(job.error().message(), "found one class, expected two");
}

TEST_F(JobRunnerTest, AnExitCodeIsToldWithTheLastWords) {
  runner_->Start();
  const v1::Job job = WaitForEnd(Submit("exit"));
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_THAT(job.error().message(), HasSubstr("exit code 7"));
  EXPECT_THAT(job.error().message(), HasSubstr("the disk is on fire"));
}

TEST_F(JobRunnerTest, AKilledTrainerFailsTheJobAndAResumeGoesOn) {
  runner_->Start();
  const std::string id = Submit("killed");
  const v1::Job failed = WaitForEnd(id);
  EXPECT_EQ(failed.state(), v1::JOB_STATE_FAILED);
  EXPECT_THAT(failed.error().message(), HasSubstr("killed by signal 9"));
  const auto resumed = runner_->Resume(id);
  ASSERT_TRUE(resumed.ok()) << resumed.status();
  const v1::Job job = WaitForState(id, v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(job.attempt(), 2u);
  EXPECT_THAT(Story(id), ElementsAre("PENDING", "RUNNING", "epoch", "FAILED", "PENDING", "RUNNING",
                                     "epoch", "published", "SUCCEEDED"));
  const v1::JobEvent running = store_->EventsAfter(id, 5, 1)->front();
  EXPECT_EQ(running.attempt(), 2u);
  EXPECT_EQ(running.step(), 10u);
}

TEST_F(JobRunnerTest, ATornMessageFailsTheJob) {
  runner_->Start();
  const v1::Job job = WaitForEnd(Submit("torn"));
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_THAT(job.error().message(), HasSubstr("incomplete"));
}

TEST_F(JobRunnerTest, AMissingTrainerFailsTheJob) {
  MakeRunner(folder_.File("no-such-trainer"));
  runner_->Start();
  const v1::Job job = WaitForEnd(Submit("good"));
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_THAT(job.error().message(), HasSubstr("no-such-trainer"));
}

TEST_F(JobRunnerTest, ARunningJobIsCancelledWithACheckpoint) {
  runner_->Start();
  const std::string id = Submit("patient");
  WaitForState(id, v1::JOB_STATE_RUNNING);
  ASSERT_TRUE(runner_->Cancel(id).ok());
  EXPECT_EQ(WaitForEnd(id).state(), v1::JOB_STATE_CANCELLED);
  EXPECT_THAT(Story(id), ElementsAre("PENDING", "RUNNING", "checkpoint", "CANCELLED"));
  ASSERT_TRUE(runner_->Cancel(id).ok());  // changes nothing
  ASSERT_TRUE(runner_->Resume(id).ok());
  EXPECT_EQ(WaitForState(id, v1::JOB_STATE_SUCCEEDED).attempt(), 2u);
  EXPECT_TRUE(absl::IsFailedPrecondition(runner_->Cancel(id).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(runner_->Resume(id).status()));
}

TEST_F(JobRunnerTest, APendingJobIsCancelledAtOnce) {
  const std::string id = Submit("good");
  const auto cancelled = runner_->Cancel(id);
  ASSERT_TRUE(cancelled.ok());
  EXPECT_EQ(cancelled->state(), v1::JOB_STATE_CANCELLED);
}

TEST_F(JobRunnerTest, AJobWhoseDatasetIsGoneCannotResume) {
  const std::string id = Submit("good");
  ASSERT_TRUE(runner_->Cancel(id).ok());
  ASSERT_TRUE(FileSystem::Real()->RemoveAll(folder_.File("digits.sqlite")).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(runner_->Resume(id).status()));
}

TEST_F(JobRunnerTest, AJobThatWasRunningAtTheStopGoesOnAfterTheNextStart) {
  runner_->Start();
  const std::string id = Submit("patient");
  WaitForState(id, v1::JOB_STATE_RUNNING);
  runner_->Stop();
  EXPECT_EQ(store_->Get(id)->state(), v1::JOB_STATE_RUNNING);
  MakeRunner(FAKE_TRAINER);
  runner_->Start();
  EXPECT_EQ(WaitForEnd(id).attempt(), 2u);
  EXPECT_THAT(Story(id), ElementsAre("PENDING", "RUNNING", "checkpoint", "RUNNING", "epoch",
                                     "published", "SUCCEEDED"));
}

TEST_F(JobRunnerTest, APublicationThatACrashInterruptedIsNotRepeated) {
  const std::string id = Submit("good");
  // As the crash left it: RUNNING, and the model in the repository.
  ASSERT_TRUE(store_
                  ->Append(id,
                           [](v1::Job& job, v1::JobEvent& event) {
                             return EnterState(job, v1::JOB_STATE_RUNNING, absl::Now(), event);
                           })
                  .ok());
  const std::string staged = *models_.NewStagingFolder();
  v1::ModelManifest manifest;
  manifest.set_format_version(1);
  manifest.set_name("good");
  manifest.mutable_training()->set_job_id(id);
  ASSERT_TRUE(WriteManifest(FileSystem::Real(), staged, manifest).ok());
  ASSERT_TRUE(models_.Publish(staged, "good").ok());
  runner_->Start();
  const v1::Job job = WaitForEnd(id);
  EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(job.published_version(), 1u);
  EXPECT_EQ(models_.Versions("good")->size(), 1u);
}

TEST_F(JobRunnerTest, AModelThatCannotBeLoadedIsPublishedWithANote) {
  load_status_ = absl::UnavailableError("no memory");
  runner_->Start();
  const std::string id = Submit("good");
  EXPECT_EQ(WaitForEnd(id).state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_THAT(Story(id),
              ElementsAre("PENDING", "RUNNING", "epoch", "note", "published", "SUCCEEDED"));
}

TEST_F(JobRunnerTest, ProgressIsLiveAndNotStored) {
  runner_->Start();
  const std::string id = Submit("good");
  WaitForEnd(id);
  EXPECT_EQ(store_->Get(id)->progress().attempt_images(), 320u);
  runner_->Stop();
  EXPECT_FALSE(feed_.Progress(id).has_value());
}

TEST_F(JobRunnerTest, AFullDiskAtAnyChangeFailsTheJobAndAResumePublishes) {
  runner_->Start();
  files_.FailFrom(std::numeric_limits<int>::max(), testing::FaultyFileSystem::Fault::kFullDisk);
  ASSERT_EQ(WaitForEnd(Submit("good")).state(), v1::JOB_STATE_SUCCEEDED);
  // The last change removes the job's folder, which a full disk allows.
  const int changes = files_.changes() - 1;
  ASSERT_GT(changes, 3);
  for (int n = 1; n < changes; ++n) {
    files_.FailFrom(n, testing::FaultyFileSystem::Fault::kFullDisk);
    const std::string id = Submit("good");
    const v1::Job job = WaitForEnd(id);
    if (job.state() == v1::JOB_STATE_SUCCEEDED) continue;  // the n-th change was a rename
    EXPECT_EQ(job.error().code(), static_cast<uint32_t>(absl::StatusCode::kResourceExhausted))
        << job.error().message();
    files_.Heal();
    ASSERT_TRUE(runner_->Resume(id).ok());
    EXPECT_GT(WaitForState(id, v1::JOB_STATE_SUCCEEDED).published_version(), 0u);
  }
}

}  // namespace
}  // namespace fovea
