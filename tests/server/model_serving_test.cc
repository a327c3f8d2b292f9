// Which versions a policy and aliases keep loaded, and who answers while that changes.
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "tests/server/model_manager_fixture.h"

namespace fovea::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const VersionRef kStable(std::string("stable"));

class ModelServingTest : public ModelManagerTest {
 protected:
  // Through the manager, or by another process: the repository alone.
  template <typename Change>
  static absl::Status Apply(auto& target, Change change) {
    return target
        .ChangeServing("digits",
                       [&](v1::Serving& serving) {
                         change(serving);
                         return absl::OkStatus();
                       })
        .status();
  }
  static absl::Status SetAlias(auto& target, const std::string& alias, uint64_t version) {
    return Apply(target, [&](v1::Serving& s) { (*s.mutable_aliases())[alias] = version; });
  }
  uint64_t Answering(const VersionRef& ref) {
    const absl::StatusOr<ModelHandle> handle = manager_->AcquireBlocking("digits", ref);
    EXPECT_TRUE(handle.ok()) << handle.status();
    return handle.ok() ? (*handle)->version() : 0;
  }
  void Damage(uint64_t version) {
    const std::string file = JoinPath(repository_.Folder("digits", version), "model.onnx");
    ASSERT_TRUE(FileSystem::Real()->WriteAtomically(file, "no model").ok());
  }
};

TEST_F(ModelServingTest, ThePolicyTellsWhatIsLoadedAtStartAfterPublicationAndWhenItChanges) {
  for (int i = 0; i < 4; ++i) Publish();
  ASSERT_TRUE(Apply(repository_, [](auto& s) { s.mutable_policy()->set_latest(2); }).ok());
  StartAndWait();
  EXPECT_THAT(manager_->LiveVersions("digits"), ElementsAre(3, 4));
  ASSERT_TRUE(manager_->Publish("digits", Publish()).ok());
  EXPECT_THAT(manager_->LiveVersions("digits"), ElementsAre(4, 5));
  ASSERT_TRUE(Apply(*manager_, [](auto& s) { s.mutable_policy()->mutable_all(); }).ok());
  EXPECT_THAT(manager_->LiveVersions("digits"), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_EQ(Answering({}), 5u);
  ASSERT_TRUE(Apply(*manager_, [](auto& s) {
                s.mutable_policy()->mutable_versions()->add_versions(2);
                s.mutable_policy()->mutable_versions()->add_versions(3);
              }).ok());
  EXPECT_THAT(manager_->LiveVersions("digits"), ElementsAre(2, 3));
  EXPECT_EQ(Answering({}), 3u);
  EXPECT_THAT(metrics_.Render(), HasSubstr("fovea_model_versions_serving 2"));
  // A publication that the policy leaves out is stored; a request may still name it.
  ASSERT_TRUE(manager_->Publish("digits", Publish()).ok());
  EXPECT_EQ(Answering({}), 3u);
  EXPECT_EQ(Answering(6), 6u);
  EXPECT_EQ(Answering({}), 3u);
  ASSERT_TRUE(Apply(*manager_, [](auto& s) { s.clear_policy(); }).ok());
  EXPECT_EQ(Answering({}), 6u);
}

TEST_F(ModelServingTest, AnAliasAnswersFromItsVersionAndKeepsItLoaded) {
  for (int i = 0; i < 3; ++i) Publish();
  StartAndWait();
  ASSERT_TRUE(SetAlias(*manager_, "stable", 1).ok());
  EXPECT_THAT(manager_->LiveVersions("digits"), ElementsAre(1, 3));
  EXPECT_EQ(Answering(kStable), 1u);
  EXPECT_EQ(Answering({}), 3u);
  EXPECT_EQ(Answering(2), 2u);  // on demand: one may stay beside
  ASSERT_TRUE(manager_->Publish("digits", Publish()).ok());
  EXPECT_EQ(Answering(kStable), 1u);
  MakeManager();
  StartAndWait();
  EXPECT_THAT(manager_->LiveVersions("digits"), ElementsAre(1, 4));
  const absl::Status unknown =
      manager_->AcquireBlocking("digits", VersionRef(std::string("canary"))).status();
  EXPECT_TRUE(absl::IsNotFound(unknown));
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("has no alias \"canary\", only stable"));
  EXPECT_TRUE(absl::IsFailedPrecondition(manager_->Delete("digits", 1)));
  ASSERT_TRUE(Apply(*manager_, [](auto& s) { s.clear_aliases(); }).ok());
  EXPECT_THAT(manager_->LiveVersions("digits"), ElementsAre(4));
  EXPECT_TRUE(manager_->Delete("digits", 1).ok());
}

TEST_F(ModelServingTest, AMovingAliasFailsNoRequestAndLetsNoneWait) {
  for (int i = 0; i < 3; ++i) Publish();
  StartAndWait();
  ASSERT_TRUE(SetAlias(*manager_, "stable", 1).ok());
  std::atomic<bool> stop = false;
  std::atomic<int> missed = 0;
  std::thread client([&] {
    while (!stop) missed += manager_->Live("digits", kStable) == nullptr;
  });
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(SetAlias(*manager_, "stable", 1 + (i + 1) % 2).ok());
  stop = true;
  client.join();
  EXPECT_EQ(missed, 0);
  EXPECT_EQ(Answering(kStable), 1u);
}

TEST_F(ModelServingTest, AnAliasDoesNotMoveToAVersionThatCannotBeLoaded) {
  Publish();
  Damage(Publish());
  Publish();
  StartAndWait();
  ASSERT_TRUE(SetAlias(*manager_, "stable", 1).ok());
  EXPECT_TRUE(absl::IsUnavailable(SetAlias(*manager_, "stable", 2)));
  EXPECT_EQ(repository_.ReadServing("digits")->aliases().at("stable"), 1u);
  EXPECT_EQ(Answering(kStable), 1u);
  EXPECT_TRUE(absl::IsNotFound(SetAlias(*manager_, "stable", 9)));
  EXPECT_TRUE(absl::IsInvalidArgument(SetAlias(*manager_, "7", 1)));
}

TEST_F(ModelServingTest, AnUnloadedModelIsUnavailableUntilItIsLoaded) {
  Publish();
  StartAndWait();
  const ModelHandle held = *manager_->AcquireBlocking("digits", {});
  ASSERT_TRUE(manager_->Unload("digits").ok());
  EXPECT_FALSE(Healthy("digits"));
  EXPECT_EQ(manager_->StateOf("digits", 1).message, "unloaded");
  EXPECT_THAT(manager_->LiveVersions("digits"), ElementsAre());
  for (const VersionRef& ref : {VersionRef(), VersionRef(1)}) {
    const absl::Status status = manager_->AcquireBlocking("digits", ref).status();
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("model \"digits\" was unloaded"));
  }
  // It stays so whatever is published meanwhile.
  ASSERT_TRUE(manager_->Publish("digits", Publish()).ok());
  manager_->Look();
  EXPECT_THAT(manager_->LiveVersions("digits"), ElementsAre());
  ASSERT_TRUE(manager_->Load("digits").ok());
  EXPECT_TRUE(Healthy("digits"));
  EXPECT_EQ(Answering({}), 2u);
  EXPECT_TRUE(absl::IsNotFound(manager_->Unload("letters")));
  EXPECT_TRUE(absl::IsNotFound(manager_->Load("letters")));
}

TEST_F(ModelServingTest, ALoadTriesAgainAtOnceWhatFailed) {
  const uint64_t version = Publish();
  const std::string file = JoinPath(repository_.Folder("digits", version), "model.onnx");
  const std::string whole = *FileSystem::Real()->Read(file);
  Damage(version);
  StartAndWait();
  EXPECT_TRUE(absl::IsUnavailable(manager_->Load("digits")));
  ASSERT_TRUE(FileSystem::Real()->WriteAtomically(file, whole).ok());
  EXPECT_TRUE(manager_->Load("digits").ok());
  EXPECT_EQ(Answering({}), 1u);
}

TEST_F(ModelServingTest, ALookFindsWhatOthersPublishedDeletedAndRenamed) {
  StartAndWait();
  manager_->Look();
  Publish();
  manager_->Look();
  EXPECT_EQ(Answering({}), 1u);
  const uint64_t second = Publish();
  EXPECT_EQ(Answering({}), 1u);  // not seen yet
  ASSERT_TRUE(SetAlias(repository_, "stable", 1).ok());
  manager_->Look();
  EXPECT_EQ(Answering(second), 2u);
  EXPECT_EQ(Answering({}), 2u);
  EXPECT_EQ(manager_->Live("digits", kStable)->version(), 1u);
  ASSERT_TRUE(SetAlias(repository_, "stable", 2).ok());
  ASSERT_TRUE(repository_.Delete("digits", 1).ok());
  EXPECT_EQ(manager_->Live("digits", kStable)->version(), 1u);
  manager_->Look();
  EXPECT_EQ(manager_->Live("digits", kStable)->version(), 2u);
  EXPECT_THAT(manager_->LiveVersions("digits"), ElementsAre(2));
  ASSERT_TRUE(repository_.DeleteAll("digits").ok());
  manager_->Look();
  EXPECT_TRUE(absl::IsNotFound(manager_->AcquireBlocking("digits", {}).status()));
  EXPECT_FALSE(Healthy("digits"));
}

TEST_F(ModelServingTest, WhatCannotBeReadLeavesAllAsItWas) {
  Publish();
  Publish();
  StartAndWait();
  ASSERT_TRUE(SetAlias(*manager_, "stable", 1).ok());
  const std::string file = folder_.File("models/digits/serving.textproto");
  ASSERT_TRUE(FileSystem::Real()->WriteAtomically(file, "?").ok());
  manager_->Look();
  EXPECT_THAT(manager_->LiveVersions("digits"), ElementsAre(1, 2));
  EXPECT_EQ(Answering(kStable), 1u);
  EXPECT_TRUE(absl::IsDataLoss(SetAlias(*manager_, "stable", 2)));
}

}  // namespace
}  // namespace fovea::testing
