// ModelManager: which model versions are live, and handles to them.
//
// The newest version of each model is loaded at start and after each publication, beside the one
// that serves: the handle is swapped when the new one is warm, and the old one unloads when its
// last request ends. Another version is loaded when a request names it. Loading happens on the
// manager's own threads. Thread-safe; all handles die before the manager.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "core/base/thread_pool.h"
#include "core/model/repository.h"
#include "server/serving/served_version.h"
#include "server/telemetry/metrics.h"

namespace fovea {

class ModelManager {
 public:
  struct Options {
    ServedVersion::Options served;
    int max_on_demand = 2;  // versions of one model beside its newest
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

  // Begins to load the newest version of every model; `done` runs when each has been tried.
  void Start(const std::function<void()>& done);

  // Calls `ready` once with a handle: at once, on this thread, when the version is live, else on a
  // loading thread. Without a version: the newest that is live. NotFound names the model or the
  // version; Unavailable when it could not be loaded; ResourceExhausted when too many wait.
  using Ready = absl::AnyInvocable<void(absl::StatusOr<ModelHandle>)>;
  void Acquire(const std::string& model, std::optional<uint64_t> version, Ready ready);
  // The handle that Acquire would give at once; null when there is none. Loads nothing.
  ModelHandle Live(const std::string& model, std::optional<uint64_t> version);
  // The names of the models with a live version, rising.
  std::vector<std::string> LiveModels() const;
  // The versions of a model that are live, rising.
  std::vector<uint64_t> LiveVersions(const std::string& model) const;
  // The same as Acquire for threads that may wait.
  absl::StatusOr<ModelHandle> AcquireBlocking(const std::string& model,
                                              std::optional<uint64_t> version);

  // Loads a version that was just published and makes it the newest; waits for that.
  absl::Status Publish(const std::string& model, uint64_t version);
  // Takes a version, or all of them, out of service and deletes it from the repository. NotFound.
  absl::Status Delete(const std::string& model, std::optional<uint64_t> version);

  enum class State { kStored, kLoading, kServing, kUnloading, kFailed };
  struct Status {
    State state = State::kStored;
    std::string message;  // of kFailed
  };
  // The state of a version that is in the repository.
  Status StateOf(const std::string& model, uint64_t version) const;

 private:
  struct Entry {
    State state = State::kLoading;
    ModelHandle handle;                       // of kServing
    std::weak_ptr<const ServedVersion> last;  // of kUnloading
    absl::Status error;                       // of kFailed
    absl::Time failed_at;
    bool on_demand = false;
    uint64_t last_use = 0;
    std::vector<Ready> waiting;  // of kLoading
  };
  using Versions = std::map<uint64_t, Entry>;

  // Finds or begins a load, then `ready`; on a loading thread.
  void LoadFor(const std::string& model, std::optional<uint64_t> version, bool on_demand,
               Ready ready);
  void Load(const std::string& model, uint64_t version);
  absl::StatusOr<ModelHandle> ReadAndLoad(const std::string& model, uint64_t version);
  // A live handle; null when there is none.
  ModelHandle FindLive(const std::string& model, std::optional<uint64_t> version)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void UnloadSpare(const std::string& model) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Unload(Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReportHealth(const std::string& model);

  const Options options_;
  ModelRepository* const repository_;
  absl::Mutex health_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);  // keeps reports in order
  mutable absl::Mutex mutex_;
  std::map<std::string, Versions> models_ ABSL_GUARDED_BY(mutex_);
  uint64_t uses_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<ThreadPool> pool_;  // loads and unloads
};

}  // namespace fovea
