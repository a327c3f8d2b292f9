// A ModelManager over a repository of its own, in which every version of "digits" is SomeModel.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "core/model/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/serving/model_manager.h"
#include "tests/core/model/some_model.h"
#include "tests/testing/temp_dir.h"

namespace fovea::testing {

class ModelManagerTest : public ::testing::Test {
 protected:
  using State = ModelManager::State;
  static constexpr absl::Duration kPatience = absl::Seconds(60);

  void SetUp() override { MakeManager(); }
  void TearDown() override { manager_.reset(); }

  // Changed by a test before it calls MakeManager again.
  ModelManager::Options options_ = [this] {
    ModelManager::Options options;
    options.served.backend = *FindBackend("reference");
    options.served.policy.max_batch = 4;
    options.served.slots = &slots_;
    options.served.metrics = &metrics_;
    options.served.plans = &plans_;
    options.metrics = &metrics_;
    options.max_on_demand = 1;
    options.on_health = [this](const std::string& model, bool serving) {
      absl::MutexLock lock(&mutex_);
      health_[model] = serving;
    };
    return options;
  }();

  void MakeManager() {
    manager_.reset();
    manager_ = std::make_unique<ModelManager>(options_, &repository_);
  }

  // Into the repository alone; answers the version.
  uint64_t Publish(uint64_t seed = 1) {
    const std::string staged = *repository_.NewStagingFolder();
    EXPECT_TRUE(WriteModel(FileSystem::Real(), staged, SomeModel(seed)).ok());
    const auto version = repository_.Publish(staged, "digits");
    EXPECT_TRUE(version.ok()) << version.status();
    return *version;
  }
  void StartAndWait() {
    absl::Notification done;
    manager_->Start([&] { done.Notify(); });
    ASSERT_TRUE(done.WaitForNotificationWithTimeout(kPatience));
  }
  bool Healthy(const std::string& model) {
    absl::MutexLock lock(&mutex_);
    return health_[model];
  }

  TempDir folder_;
  Metrics metrics_;
  CpuSlots slots_{2};
  const PlanCache plan_cache_{FileSystem::Real(), folder_.File("plans")};
  PlanChooser plans_{PlanChooser::Options{.cache = &plan_cache_}};
  ModelRepository repository_{FileSystem::Real(), folder_.File("models")};
  absl::Mutex mutex_;
  std::map<std::string, bool> health_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<ModelManager> manager_;
};

}  // namespace fovea::testing
