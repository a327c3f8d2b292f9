#include "server/jobs/job_store.h"

#include <string>

#include "core/base/file_system.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/jobs/job_state.h"
#include "tests/testing/temp_dir.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

v1::Job NewJob(const std::string& request_id = "", const std::string& dataset = "digits") {
  v1::Job job;
  job.set_request_id(request_id);
  job.set_model("digits");
  job.set_dataset(dataset);
  job.set_dataset_revision(3);
  return job;
}

class JobStoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<JobStore> Open(int64_t max_file_bytes = 0) {
    auto store = JobStore::Open(folder_.File("fovea.sqlite"),
                                {.max_file_bytes = max_file_bytes, .clock = &clock_});
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *std::move(store) : nullptr;
  }

  // Brings a job into a state, as the runner does.
  absl::Status Enter(JobStore& store, const std::string& id, v1::JobState state) {
    return store
        .Append(id,
                [&](v1::Job& job, v1::JobEvent& event) {
                  return EnterState(job, state, clock_.Now(), event);
                })
        .status();
  }
  absl::Status Note(JobStore& store, const std::string& id, const std::string& text) {
    return store
        .Append(id,
                [&](v1::Job&, v1::JobEvent& event) {
                  event.mutable_note()->set_text(text);
                  return absl::OkStatus();
                })
        .status();
  }
  static std::vector<std::string> Ids(const absl::StatusOr<std::vector<v1::Job>>& jobs) {
    std::vector<std::string> ids;
    EXPECT_TRUE(jobs.ok()) << jobs.status();
    for (const v1::Job& job : *jobs) ids.push_back(job.id());
    return ids;
  }

  testing::TempDir folder_;
  ManualClock clock_{absl::FromUnixSeconds(1'000'000)};
};

TEST_F(JobStoreTest, ANewJobIsPendingWithItsFirstEvent) {
  const auto store = Open();
  const auto created = store->Create(NewJob());
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_TRUE(created->is_new);
  const auto job = store->Get(created->job.id());
  ASSERT_TRUE(job.ok());
  EXPECT_EQ(job->state(), v1::JOB_STATE_PENDING);
  EXPECT_EQ(job->dataset_revision(), 3u);
  EXPECT_EQ(job->last_event(), 1u);
  EXPECT_EQ(job->create_time().seconds(), 1'000'000);
  const auto events = store->EventsAfter(job->id(), 0, 10);
  ASSERT_TRUE(events.ok());
  ASSERT_EQ(events->size(), 1u);
  EXPECT_EQ(events->front().number(), 1u);
  EXPECT_EQ(events->front().job_id(), job->id());
  EXPECT_EQ(events->front().state_change().state(), v1::JOB_STATE_PENDING);
}

TEST_F(JobStoreTest, EventsAreNumberedWithoutGapsAndReadFromAnyNumber) {
  const auto store = Open();
  const std::string id = store->Create(NewJob())->job.id();
  const std::string other = store->Create(NewJob())->job.id();
  for (const char* text : {"a", "b", "c"}) {
    ASSERT_TRUE(Note(*store, id, text).ok());
    ASSERT_TRUE(Note(*store, other, "other").ok());
  }
  const auto events = store->EventsAfter(id, 2, 1);
  ASSERT_TRUE(events.ok());
  ASSERT_EQ(events->size(), 1u);
  EXPECT_EQ((*events)[0].number(), 3u);
  EXPECT_EQ((*events)[0].note().text(), "b");
  EXPECT_THAT(*store->EventsAfter(id, 4, 10), IsEmpty());
}

TEST_F(JobStoreTest, JobsAndEventsOutliveTheProcess) {
  std::string id;
  {
    const auto store = Open();
    id = store->Create(NewJob("again"))->job.id();
    ASSERT_TRUE(Enter(*store, id, v1::JOB_STATE_RUNNING).ok());
    ASSERT_TRUE(Note(*store, id, "kept").ok());
  }
  const auto store = Open();
  EXPECT_THAT(Ids(store->Running()), ElementsAre(id));
  EXPECT_EQ(store->Get(id)->attempt(), 1u);
  EXPECT_EQ(store->EventsAfter(id, 2, 10)->front().note().text(), "kept");
  EXPECT_EQ((*store->FindRequest("again"))->id(), id);
}

TEST_F(JobStoreTest, ARequestIdMakesOneJob) {
  const auto store = Open();
  const auto first = store->Create(NewJob("once"));
  const auto again = store->Create(NewJob("once"));
  ASSERT_TRUE(first.ok() && again.ok());
  EXPECT_FALSE(again->is_new);
  EXPECT_EQ(again->job.id(), first->job.id());
  EXPECT_NE(store->Create(NewJob(""))->job.id(), store->Create(NewJob(""))->job.id());
  EXPECT_FALSE(store->FindRequest("other")->has_value());
  EXPECT_FALSE(store->FindRequest("")->has_value());
}

TEST_F(JobStoreTest, PendingJobsQueueInOrderAndAResumedOneAtTheEnd) {
  const auto store = Open();
  const std::string a = store->Create(NewJob())->job.id();
  const std::string b = store->Create(NewJob())->job.id();
  ASSERT_TRUE(Enter(*store, a, v1::JOB_STATE_CANCELLED).ok());
  EXPECT_THAT(Ids(store->Pending()), ElementsAre(b));
  ASSERT_TRUE(Enter(*store, a, v1::JOB_STATE_PENDING).ok());
  EXPECT_THAT(Ids(store->Pending()), ElementsAre(b, a));
}

TEST_F(JobStoreTest, ListsTheNewestFirstByPages) {
  const auto store = Open();
  const std::string a = store->Create(NewJob())->job.id();
  const std::string b = store->Create(NewJob())->job.id();
  const std::string c = store->Create(NewJob())->job.id();
  EXPECT_THAT(Ids(store->List("", 2)), ElementsAre(c, b));
  EXPECT_THAT(Ids(store->List(b, 2)), ElementsAre(a));
}

TEST_F(JobStoreTest, AnUnfinishedJobUsesItsDataset) {
  const auto store = Open();
  const std::string id = store->Create(NewJob("", "digits"))->job.id();
  EXPECT_EQ(*store->UserOf("digits"), id);
  EXPECT_EQ(*store->UserOf("letters"), std::nullopt);
  ASSERT_TRUE(Enter(*store, id, v1::JOB_STATE_RUNNING).ok());
  EXPECT_EQ(*store->UserOf("digits"), id);
  ASSERT_TRUE(Enter(*store, id, v1::JOB_STATE_FAILED).ok());
  EXPECT_EQ(*store->UserOf("digits"), std::nullopt);
}

TEST_F(JobStoreTest, AChangeThatFailsLeavesNothing) {
  const auto store = Open();
  const std::string id = store->Create(NewJob())->job.id();
  const auto refused = store->Append(id, [](v1::Job& job, v1::JobEvent&) {
    job.set_model("other");
    return absl::FailedPreconditionError("no");
  });
  EXPECT_EQ(refused.status().message(), "no");
  EXPECT_EQ(store->Get(id)->model(), "digits");
  EXPECT_EQ(store->Get(id)->last_event(), 1u);
}

TEST_F(JobStoreTest, UnknownJobsAreNotFound) {
  const auto store = Open();
  for (const char* id : {"job-7", "7", "job-", "job-07", "../x", ""}) {
    EXPECT_TRUE(absl::IsNotFound(store->Get(id).status())) << id;
  }
  EXPECT_THAT(store->Get("job-7").status().message(), HasSubstr("there is no job \"job-7\""));
}

TEST_F(JobStoreTest, AFullDiskIsResourceExhaustedAndLosesNothing) {
  const std::string id = Open()->Create(NewJob())->job.id();
  const auto store = Open(/*max_file_bytes=*/64 << 10);
  absl::Status status;
  uint64_t stored = 1;
  while (status.ok() && stored < 1000) {
    status = Note(*store, id, std::string(1000, 'x'));
    if (status.ok()) ++stored;
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_EQ(store->Get(id)->last_event(), stored);
  EXPECT_EQ(store->EventsAfter(id, 0, 2000)->size(), stored);
}

TEST_F(JobStoreTest, AFileThatIsNoDatabaseIsDataLoss) {
  ASSERT_TRUE(FileSystem::Real()
                  ->WriteAtomically(folder_.File("fovea.sqlite"), std::string(5000, 'x'))
                  .ok());
  const auto store = JobStore::Open(folder_.File("fovea.sqlite"), {});
  EXPECT_EQ(store.status().code(), absl::StatusCode::kDataLoss) << store.status();
}

TEST(JobState, OnlySomeStatesFollow) {
  const struct {
    v1::JobState from, to;
    bool may;
  } kCases[] = {
      {v1::JOB_STATE_PENDING, v1::JOB_STATE_RUNNING, true},
      {v1::JOB_STATE_PENDING, v1::JOB_STATE_CANCELLED, true},
      {v1::JOB_STATE_PENDING, v1::JOB_STATE_SUCCEEDED, false},
      {v1::JOB_STATE_RUNNING, v1::JOB_STATE_RUNNING, true},
      {v1::JOB_STATE_RUNNING, v1::JOB_STATE_SUCCEEDED, true},
      {v1::JOB_STATE_RUNNING, v1::JOB_STATE_PENDING, false},
      {v1::JOB_STATE_FAILED, v1::JOB_STATE_PENDING, true},
      {v1::JOB_STATE_FAILED, v1::JOB_STATE_CANCELLED, false},
      {v1::JOB_STATE_CANCELLED, v1::JOB_STATE_PENDING, true},
      {v1::JOB_STATE_SUCCEEDED, v1::JOB_STATE_PENDING, false},
  };
  for (const auto& each : kCases) {
    EXPECT_EQ(MayFollow(each.from, each.to), each.may)
        << JobStateName(each.from) << " to " << JobStateName(each.to);
  }
}

TEST(JobState, EnteringSetsWhatGoesWithTheState) {
  v1::Job job;
  job.set_id("job-1");
  job.set_state(v1::JOB_STATE_PENDING);
  v1::JobEvent event;
  ASSERT_TRUE(EnterState(job, v1::JOB_STATE_RUNNING, absl::FromUnixSeconds(5), event).ok());
  EXPECT_EQ(job.attempt(), 1u);
  EXPECT_EQ(job.start_time().seconds(), 5);
  job.mutable_error()->set_code(13);
  ASSERT_TRUE(EnterState(job, v1::JOB_STATE_FAILED, absl::FromUnixSeconds(9), event).ok());
  EXPECT_EQ(event.state_change().error().code(), 13u);
  EXPECT_EQ(job.end_time().seconds(), 9);
  v1::JobEvent resumed;
  ASSERT_TRUE(EnterState(job, v1::JOB_STATE_PENDING, absl::FromUnixSeconds(10), resumed).ok());
  EXPECT_FALSE(job.has_error() || job.has_end_time() || resumed.state_change().has_error());
  const absl::Status refused =
      EnterState(job, v1::JOB_STATE_SUCCEEDED, absl::FromUnixSeconds(11), event);
  EXPECT_EQ(refused.message(), "job job-1 is PENDING and cannot be SUCCEEDED");
}

}  // namespace
}  // namespace fovea
