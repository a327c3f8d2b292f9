// ModelManager: which model versions are live, and handles to them.
//
// It follows the repository: the versions that a model's policy and aliases name are loaded at
// start, after each publication and after each change, beside those that serve. A handle is
// swapped when the new version is warm, and the old one unloads when its last request ends
// (model_versions.h). Another version is loaded when a request names it. Loading happens on the
// manager's own threads. Thread-safe; all handles die before the manager.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "core/base/thread_pool.h"
#include "core/model/repository.h"
#include "server/serving/model_versions.h"
#include "server/serving/served_version.h"
#include "server/serving/version_ref.h"
#include "server/telemetry/metrics.h"

namespace fovea {

class ModelManager {
 public:
  struct Options {
    ServedVersion::Options served;
    int max_on_demand = 2;  // versions of one model beside those that it keeps loaded
    int load_threads = 2;
    int max_waiting = 1024;  // loads and unloads that may be queued
    // Whether a model answers requests; called in order, under no lock of the caller.
    std::function<void(const std::string& model, bool serving)> on_health;
    Metrics* metrics = nullptr;
  };
  ModelManager(Options options, ModelRepository* repository);
  ~ModelManager();
  ModelManager(const ModelManager&) = delete;
  ModelManager& operator=(const ModelManager&) = delete;

  // Begins to load the versions of every model that are kept loaded; `done` runs when each has been
  // tried.
  void Start(const std::function<void()>& done);

  // Calls `ready` once with a handle: at once, on this thread, when the version is live, else on a
  // loading thread. Without a version: the newest live one of those that the policy keeps loaded.
  // NotFound names the model, the version or the alias; Unavailable when it could not be loaded or
  // the model was unloaded; ResourceExhausted when too many wait.
  using Ready = VersionEntry::Ready;
  void Acquire(const std::string& model, const VersionRef& version, Ready ready);
  // The handle that Acquire would give at once; null when there is none. Loads nothing.
  ModelHandle Live(const std::string& model, const VersionRef& version);
  // The names of the models with a live version, rising.
  std::vector<std::string> LiveModels() const;
  // The versions of a model that are live, rising.
  std::vector<uint64_t> LiveVersions(const std::string& model) const;
  // The same as Acquire for threads that may wait.
  absl::StatusOr<ModelHandle> AcquireBlocking(const std::string& model, const VersionRef& version);

  // Follows the repository to a version that was just published; waits until it serves, unless the
  // policy leaves it out or the model is unloaded. Unavailable when it could not be loaded.
  absl::Status Publish(const std::string& model, uint64_t version);
  // Takes a version, or all of them, out of service and deletes it from the repository. NotFound;
  // FailedPrecondition when an alias or the policy names the version.
  absl::Status Delete(const std::string& model, std::optional<uint64_t> version);
  // Changes how the model is served, as ModelRepository::ChangeServing does; `change` is called
  // twice. Aliases move to versions that are loaded and warm: Unavailable, and nothing has changed,
  // when one could not be loaded. Waits until what the policy adds has been tried.
  absl::StatusOr<v1::Serving> ChangeServing(const std::string& model,
                                            absl::FunctionRef<absl::Status(v1::Serving&)> change);

  // Takes the model out of service, until Load or a restart; requests under way finish. NotFound.
  absl::Status Unload(const std::string& model);
  // Brings it back, and tries again what could not be loaded; waits for that. NotFound; Unavailable
  // when a version could not be loaded.
  absl::Status Load(const std::string& model);

  // Looks at the repository once, for what others did to it: versions, policies and aliases. Begins
  // to load what is missing; waits for nothing but the file system.
  void Look();

  using State = VersionEntry::State;
  struct Status {
    State state = State::kStored;
    std::string message;  // of kFailed; "unloaded" when the model is
  };
  // The state of a version that is in the repository.
  Status StateOf(const std::string& model, uint64_t version) const;

 private:
  // Brings what is known of a model in line with the repository; answers ModelVersions::Missing.
  // NotFound; errors of the repository change nothing.
  absl::StatusOr<std::vector<uint64_t>> Follow(const std::string& model)
      ABSL_LOCKS_EXCLUDED(look_mutex_, mutex_);
  // Logs an error of a look, once until it changes or passes.
  void LogLook(const std::string& model, const absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(look_mutex_);
  // How a model is served; as it was known, when that cannot be read.
  v1::Serving ReadServing(const std::string& model) ABSL_EXCLUSIVE_LOCKS_REQUIRED(look_mutex_);
  // Loads all of them; `done` runs, with the first error, when each has been tried.
  using Done = std::function<void(const absl::Status&)>;
  void LoadAll(const std::string& model, const std::vector<uint64_t>& versions, const Done& done);
  // Follow and LoadAll, waiting.
  absl::Status FollowAndLoad(const std::string& model);
  // Handles to the versions that aliases get between `now` and `next`, loaded and warm.
  absl::StatusOr<std::vector<ModelHandle>> LoadTargets(const std::string& model,
                                                       const v1::Serving& now,
                                                       const v1::Serving& next);
  bool Knows(const std::string& model) const;
  std::set<uint64_t> KnownVersions(const std::string& model) const;

  // What a request that finds nothing live does, on a loading thread.
  void Find(const std::string& model, const VersionRef& ref, Ready ready);
  // Finds or begins a load, then `ready`; on a loading thread.
  void LoadFor(const std::string& model, uint64_t version, bool on_demand, Ready ready);
  // What is known without a load: a handle or an error. None when `ready` was queued for a load,
  // which is the caller's to begin if *begin.
  std::optional<absl::StatusOr<ModelHandle>> JoinLoad(const std::string& model, uint64_t version,
                                                      bool on_demand, Ready& ready, bool* begin);
  void LoadNow(const std::string& model, uint64_t version);
  absl::StatusOr<ModelHandle> ReadAndLoad(const std::string& model, uint64_t version);
  // Tells health and metrics what serves.
  void Report(const std::string& model);

  const Options options_;
  ModelRepository* const repository_;
  // Held from a look at the repository until what was seen is known here.
  absl::Mutex look_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);
  // The errors of looks that were logged, by model; "": of the list of models.
  std::map<std::string, std::string> look_errors_ ABSL_GUARDED_BY(look_mutex_);
  absl::Mutex health_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);  // keeps reports in order
  mutable absl::Mutex mutex_;
  std::map<std::string, ModelVersions> models_ ABSL_GUARDED_BY(mutex_);
  // Versions that exist, handed out or not: the pool outlives them.
  struct Alive {
    absl::Mutex mutex;
    int count = 0;  // guarded by mutex
  };
  const std::shared_ptr<Alive> alive_ = std::make_shared<Alive>();
  std::unique_ptr<ThreadPool> pool_;  // loads and unloads
};

}  // namespace fovea
