#include "core/model/repository.h"

#include <cstring>
#include <thread>

#include "core/base/status.h"
#include "core/model/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/model/some_model.h"
#include "tests/testing/faulty_file_system.h"
#include "tests/testing/temp_dir.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Fault = testing::FaultyFileSystem::Fault;

absl::StatusOr<uint64_t> PublishModel(FileSystem* files, ModelRepository& repository,
                                      const Model& model, const std::string& name) {
  ASSIGN_OR_RETURN(const std::string staged, repository.NewStagingFolder());
  RETURN_IF_ERROR(WriteModel(files, staged, model));
  return repository.Publish(staged, name);
}

class Repository : public ::testing::Test {
 protected:
  uint64_t Publish(const std::string& name, uint64_t seed = 1) {
    const auto version =
        PublishModel(FileSystem::Real(), repository_, testing::SomeModel(seed), name);
    EXPECT_TRUE(version.ok()) << version.status();
    return version.value_or(0);
  }

  testing::TempDir dir_;
  std::string root_ = dir_.File("models");
  ModelRepository repository_{FileSystem::Real(), root_};
};

TEST_F(Repository, IsEmptyBeforeTheFirstModel) {
  EXPECT_THAT(*repository_.List(), IsEmpty());
  EXPECT_EQ(repository_.Versions("digits").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(repository_.Read("digits", std::nullopt).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(Repository, GivesIncreasingVersions) {
  EXPECT_EQ(Publish("digits"), 1u);
  EXPECT_EQ(Publish("digits", 2), 2u);
  EXPECT_EQ(Publish("letters"), 1u);
  EXPECT_THAT(*repository_.List(), ElementsAre("digits", "letters"));
  EXPECT_THAT(*repository_.Versions("digits"), ElementsAre(1, 2));
}

TEST_F(Repository, ReadsTheNewestOrAGivenVersion) {
  Publish("digits", 1);
  Publish("digits", 2);
  const auto newest = repository_.Read("digits", std::nullopt);
  ASSERT_TRUE(newest.ok()) << newest.status();
  EXPECT_EQ(newest->manifest.version(), 2u);
  EXPECT_EQ(newest->manifest.name(), "digits");
  const auto first = repository_.Read("digits", 1);
  ASSERT_TRUE(first.ok()) << first.status();
  const Model published = testing::SomeModel(1);
  const Tensor& expected = published.values.at("fc1.weight");
  EXPECT_EQ(std::memcmp(first->values.at("fc1.weight").data(), expected.data(), expected.bytes()),
            0);
  EXPECT_EQ(repository_.ReadManifest("digits", 1)->version(), 1u);
  EXPECT_GT(*repository_.Bytes("digits", 1), 1000);
}

TEST_F(Repository, ListsTheVersionsThatAreThereForOneThatIsNot) {
  Publish("digits");
  Publish("digits");
  const absl::Status status = repository_.Read("digits", 7).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("model \"digits\" has no version 7, only 1, 2"));
}

TEST_F(Repository, NeverUsesAVersionAgain) {
  Publish("digits");
  Publish("digits");
  ASSERT_TRUE(repository_.Delete("digits", 2).ok());
  EXPECT_EQ(Publish("digits"), 3u);
  ASSERT_TRUE(repository_.DeleteAll("digits").ok());
  EXPECT_THAT(*repository_.List(), IsEmpty());
  ModelRepository reopened(FileSystem::Real(), root_);
  EXPECT_EQ(*PublishModel(FileSystem::Real(), reopened, testing::SomeModel(), "digits"), 4u);
}

TEST_F(Repository, DeletesOnlyWhatExists) {
  Publish("digits");
  EXPECT_EQ(repository_.Delete("digits", 2).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(repository_.Delete("letters", 1).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(repository_.DeleteAll("letters").code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(repository_.Delete("digits", 1).ok());
  EXPECT_THAT(*FileSystem::Real()->List(JoinPath(root_, ".trash")), IsEmpty());
}

TEST_F(Repository, IgnoresWhatIsNotAVersion) {
  Publish("digits");
  for (const char* name : {"digits/007", "digits/0", "digits/latest", "UPPER/1", ".hidden/1"}) {
    ASSERT_TRUE(FileSystem::Real()->MakeDirs(JoinPath(root_, name)).ok());
  }
  ASSERT_TRUE(FileSystem::Real()->WriteAtomically(JoinPath(root_, "digits/9"), "a file").ok());
  EXPECT_THAT(*repository_.List(), ElementsAre("digits"));
  EXPECT_THAT(*repository_.Versions("digits"), ElementsAre(1));
}

TEST_F(Repository, RefusesNamesThatCouldLeaveTheRoot) {
  for (const char* name : {"../digits", ".staging", "", "a/b"}) {
    EXPECT_EQ(repository_.Versions(name).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(repository_.Publish(root_, name).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST_F(Repository, FindsTheVersionOfAJob) {
  Model model = testing::SomeModel();
  model.manifest.mutable_training()->set_job_id("job-7");
  ASSERT_TRUE(PublishModel(FileSystem::Real(), repository_, model, "digits").ok());
  Publish("digits");
  EXPECT_EQ(*repository_.FindJob("digits", "job-7"), 1u);
  EXPECT_EQ(repository_.FindJob("digits", "job-8").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(Repository, LeavesOutAVersionThatAnotherProcessTakes) {
  Publish("digits");
  // Another process published version 2 but its record of the number is not there yet.
  ASSERT_TRUE(FileSystem::Real()->MakeDirs(JoinPath(root_, "digits/2")).ok());
  ASSERT_TRUE(
      FileSystem::Real()->WriteAtomically(JoinPath(root_, "digits/2/model.onnx"), "x").ok());
  EXPECT_EQ(Publish("digits"), 3u);
}

TEST_F(Repository, GivesEachThreadAVersionOfItsOwn) {
  std::vector<uint64_t> versions(4);
  std::vector<std::thread> threads;
  for (uint64_t& version : versions) {
    threads.emplace_back([&] { version = Publish("digits"); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(versions, ::testing::UnorderedElementsAre(1, 2, 3, 4));
}

TEST_F(Repository, CleansUpWhatWasStagedAndNotPublished) {
  Publish("digits");
  const auto staged = repository_.NewStagingFolder();
  ASSERT_TRUE(WriteModel(FileSystem::Real(), *staged, testing::SomeModel()).ok());
  EXPECT_THAT(*repository_.List(), ElementsAre("digits"));
  ASSERT_TRUE(repository_.CleanUp().ok());
  EXPECT_FALSE(FileSystem::Real()->Exists(*staged));
  EXPECT_THAT(*repository_.Versions("digits"), ElementsAre(1));
}

// A root on a file system of its own.
class OtherFileSystem : public testing::FaultyFileSystem {
 public:
  explicit OtherFileSystem(std::string root) : root_(std::move(root)) {}
  absl::Status Rename(const std::string& from, const std::string& to) override {
    if (from.starts_with(root_) != to.starts_with(root_))
      return ErrnoToStatus(EXDEV, "rename", from);
    return FaultyFileSystem::Rename(from, to);
  }

 private:
  const std::string root_;
};

TEST_F(Repository, CopiesAModelThatWasStagedOnAnotherFileSystem) {
  OtherFileSystem files(root_);
  ModelRepository repository(&files, root_);
  const std::string staged = dir_.File("staged");
  ASSERT_TRUE(WriteModel(&files, staged, testing::SomeModel()).ok());
  const auto version = repository.Publish(staged, "digits");
  ASSERT_TRUE(version.ok()) << version.status();
  EXPECT_EQ(*version, 1u);
  EXPECT_TRUE(repository.Read("digits", 1).ok());
  EXPECT_THAT(*files.List(JoinPath(root_, ".staging")), IsEmpty());
  EXPECT_TRUE(files.Exists(staged));
}

// Publishes a second version and stops at the n-th change, for every n.
class RepositoryFault : public ::testing::TestWithParam<Fault> {};

TEST_P(RepositoryFault, AtAnyChangeLeavesOnlyWholeVersions) {
  int stopped = 0;
  for (int n = 1;; ++n) {
    testing::TempDir dir;
    testing::FaultyFileSystem files;
    ModelRepository repository(&files, dir.File("models"));
    ASSERT_TRUE(PublishModel(&files, repository, testing::SomeModel(1), "digits").ok());
    files.FailFrom(n, GetParam());
    const auto second = PublishModel(&files, repository, testing::SomeModel(2), "digits");
    const bool finished = files.changes() < n;
    files.Heal();

    ModelRepository after(&files, dir.File("models"));
    ASSERT_TRUE(after.CleanUp().ok());
    const auto versions = after.Versions("digits");
    ASSERT_TRUE(versions.ok()) << versions.status();
    EXPECT_EQ(versions->size(), second.ok() ? 2u : 1u) << n;
    for (uint64_t version : *versions) {
      EXPECT_TRUE(after.Read("digits", version).ok()) << after.Read("digits", version).status();
    }
    const auto third = PublishModel(&files, after, testing::SomeModel(3), "digits");
    ASSERT_TRUE(third.ok()) << third.status();
    EXPECT_GT(*third, versions->back());
    stopped += !second.ok();
    if (finished) break;
  }
  EXPECT_GE(stopped, 6);
}

TEST_P(RepositoryFault, AtAnyChangeOfADeletionLeavesTheVersionWholeOrGone) {
  for (int n = 1;; ++n) {
    testing::TempDir dir;
    testing::FaultyFileSystem files;
    ModelRepository repository(&files, dir.File("models"));
    ASSERT_TRUE(PublishModel(&files, repository, testing::SomeModel(1), "digits").ok());
    files.FailFrom(n, GetParam());
    const absl::Status deleted = repository.Delete("digits", 1);
    const bool finished = files.changes() < n;
    files.Heal();

    ModelRepository after(&files, dir.File("models"));
    ASSERT_TRUE(after.CleanUp().ok());
    EXPECT_EQ(after.Read("digits", 1).ok(), !deleted.ok()) << n;
    EXPECT_EQ(*PublishModel(&files, after, testing::SomeModel(3), "digits"), 2u);
    if (finished) break;
  }
}

TEST_P(RepositoryFault, IsReportedAsWhatItIs) {
  testing::TempDir dir;
  testing::FaultyFileSystem files;
  ModelRepository repository(&files, dir.File("models"));
  files.FailFrom(1, GetParam());
  const absl::Status status =
      PublishModel(&files, repository, testing::SomeModel(1), "digits").status();
  EXPECT_EQ(status.code(), GetParam() == Fault::kFullDisk ? absl::StatusCode::kResourceExhausted
                                                          : absl::StatusCode::kInternal)
      << status;
}

INSTANTIATE_TEST_SUITE_P(, RepositoryFault, ::testing::Values(Fault::kFullDisk, Fault::kCrash),
                         [](const auto& info) {
                           return info.param == Fault::kFullDisk ? "FullDisk" : "Crash";
                         });

}  // namespace
}  // namespace fovea
