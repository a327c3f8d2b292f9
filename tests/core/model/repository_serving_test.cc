// How the versions of a model are served, as the repository keeps it.
#include <string>
#include <utility>
#include <vector>

#include "core/base/status.h"
#include "core/model/format.h"
#include "core/model/repository.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/model/some_model.h"
#include "tests/testing/faulty_file_system.h"
#include "tests/testing/temp_dir.h"

namespace fovea {
namespace {

using ::testing::HasSubstr;
using Change = void (*)(v1::Serving&);
using Code = absl::StatusCode;

class RepositoryServing : public ::testing::Test {
 protected:
  void Publish() {
    const absl::StatusOr<std::string> staged = repository_.NewStagingFolder();
    ASSERT_TRUE(staged.ok() && WriteModel(&files_, *staged, testing::SomeModel()).ok());
    ASSERT_TRUE(repository_.Publish(*staged, "digits").ok());
  }
  absl::Status Apply(Change change) {
    return repository_
        .ChangeServing("digits",
                       [&](v1::Serving& serving) {
                         change(serving);
                         return absl::OkStatus();
                       })
        .status();
  }
  static void SetStable(v1::Serving& serving) { (*serving.mutable_aliases())["stable"] = 1; }

  testing::TempDir dir_;
  testing::FaultyFileSystem files_;
  ModelRepository repository_{&files_, dir_.File("models")};
};

TEST_F(RepositoryServing, IsTheDefaultUntilItIsChangedAndThenStays) {
  EXPECT_EQ(repository_.ReadServing("digits").status().code(), Code::kNotFound);
  EXPECT_EQ(Apply(SetStable).code(), Code::kNotFound);
  Publish();
  EXPECT_EQ(repository_.ReadServing("digits")->ByteSizeLong(), 0u);
  ASSERT_TRUE(Apply(SetStable).ok());
  ASSERT_TRUE(Apply([](v1::Serving& serving) { serving.mutable_policy()->set_latest(2); }).ok());
  const ModelRepository reopened(&files_, dir_.File("models"));
  const v1::Serving serving = *reopened.ReadServing("digits");
  EXPECT_EQ(serving.policy().latest(), 2u);
  EXPECT_EQ(serving.aliases().at("stable"), 1u);
}

TEST_F(RepositoryServing, RefusesWhatMakesNoSenseAndSaysWhy) {
  Publish();
  Publish();
  struct Case {
    Change change;
    Code code;
    const char* message;
  };
  const std::vector<Case> cases = {
      {[](auto& s) { s.mutable_policy()->set_latest(0); }, Code::kInvalidArgument,
       "found latest 0"},
      {[](auto& s) { s.mutable_policy()->mutable_versions(); }, Code::kInvalidArgument,
       "policy: found an empty list"},
      {[](auto& s) { s.mutable_policy()->mutable_versions()->add_versions(7); }, Code::kNotFound,
       "found version 7, expected one of 1, 2"},
      {[](auto& s) { (*s.mutable_aliases())["stable"] = 3; }, Code::kNotFound,
       "alias \"stable\": found version 3, expected one of 1, 2"},
      {[](auto& s) { (*s.mutable_aliases())["12"] = 1; }, Code::kInvalidArgument,
       "found alias \"12\", expected more than digits"},
      {[](auto& s) { (*s.mutable_aliases())["Stable"] = 1; }, Code::kInvalidArgument, "alias"},
      {[](auto& s) { (*s.mutable_aliases())[""] = 1; }, Code::kInvalidArgument, "alias"},
  };
  for (const Case& each : cases) {
    const absl::Status status = Apply(each.change);
    EXPECT_EQ(status.code(), each.code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(each.message));
  }
  EXPECT_EQ(repository_.ReadServing("digits")->ByteSizeLong(), 0u);
}

TEST_F(RepositoryServing, AVersionWithANameIsNotDeletedButTheWholeModelIs) {
  for (int i = 0; i < 3; ++i) Publish();
  ASSERT_TRUE(Apply([](v1::Serving& serving) {
                SetStable(serving);
                serving.mutable_policy()->mutable_versions()->add_versions(2);
              }).ok());
  const absl::Status with_alias = repository_.Delete("digits", 1);
  EXPECT_EQ(with_alias.code(), Code::kFailedPrecondition);
  EXPECT_THAT(std::string(with_alias.message()),
              HasSubstr("model \"digits\" version 1 has the alias \"stable\""));
  EXPECT_EQ(repository_.Delete("digits", 2).code(), Code::kFailedPrecondition);
  EXPECT_TRUE(repository_.Delete("digits", 3).ok());
  ASSERT_TRUE(repository_.DeleteAll("digits").ok());
  Publish();
  EXPECT_EQ(repository_.ReadServing("digits")->ByteSizeLong(), 0u);
}

TEST_F(RepositoryServing, TheLastVersionTakesThePolicyWithIt) {
  Publish();
  ASSERT_TRUE(Apply([](v1::Serving& serving) { serving.mutable_policy()->mutable_all(); }).ok());
  ASSERT_TRUE(repository_.Delete("digits", 1).ok());
  Publish();
  EXPECT_FALSE(repository_.ReadServing("digits")->has_policy());
}

TEST_F(RepositoryServing, AFaultChangesNothing) {
  Publish();
  Publish();
  ASSERT_TRUE(Apply(SetStable).ok());
  const Change move = [](v1::Serving& serving) { (*serving.mutable_aliases())["stable"] = 2; };
  for (const auto fault :
       {testing::FaultyFileSystem::Fault::kFullDisk, testing::FaultyFileSystem::Fault::kCrash}) {
    files_.FailFrom(1, fault);
    EXPECT_FALSE(Apply(move).ok());
    files_.Heal();
    EXPECT_EQ(repository_.ReadServing("digits")->aliases().at("stable"), 1u);
  }
  EXPECT_TRUE(Apply(move).ok());
}

TEST_F(RepositoryServing, ADamagedFileIsDataLossAndNamed) {
  Publish();
  ASSERT_TRUE(files_.WriteAtomically(dir_.File("models/digits/serving.textproto"), "?").ok());
  const absl::Status status = repository_.ReadServing("digits").status();
  EXPECT_EQ(status.code(), Code::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("digits/serving.textproto: line 1"));
}

}  // namespace
}  // namespace fovea
