#include "server/serving/model_manager.h"

#include <algorithm>
#include <atomic>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "core/base/log.h"
#include "core/base/status.h"
#include "server/serving/version_policy.h"

namespace fovea {
namespace {
constexpr absl::Duration kLoadRetry = absl::Seconds(10);
}  // namespace

ModelManager::ModelManager(Options options, ModelRepository* repository)
    : options_(std::move(options)),
      repository_(repository),
      pool_(std::make_unique<ThreadPool>(
          ThreadPool::Options{.threads = options_.load_threads, .name = "models"})) {}

ModelManager::~ModelManager() {
  pool_->Wait();  // loads under way
  {
    absl::MutexLock lock(&mutex_);
    models_.clear();  // schedules the unloads
  }
  pool_.reset();
}

void ModelManager::Start(const std::function<void()>& done) {
  const absl::StatusOr<std::vector<std::string>> names = repository_->List();
  if (!names.ok()) LogError("cannot list models", {{"status", names.status()}});
  if (!names.ok() || names->empty()) return done();
  auto left = std::make_shared<std::atomic<size_t>>(names->size());
  for (const std::string& name : *names) {
    pool_->Schedule([=, this] {
      LoadFor(name, std::nullopt, false, [=](const absl::StatusOr<ModelHandle>&) {
        if (left->fetch_sub(1) == 1) done();
      });
    });
  }
}

void ModelManager::Acquire(const std::string& model, std::optional<uint64_t> version, Ready ready) {
  ModelHandle live = Live(model, version);
  if (live != nullptr) return ready(std::move(live));
  if (pool_->queued() >= options_.max_waiting) {
    return ready(absl::ResourceExhaustedError("too many requests wait for models to be loaded"));
  }
  pool_->Schedule([=, this, ready = std::move(ready)]() mutable {
    LoadFor(model, version, version.has_value(), std::move(ready));
  });
}

ModelHandle ModelManager::Live(const std::string& model, std::optional<uint64_t> version) {
  absl::MutexLock lock(&mutex_);
  return FindLive(model, version);
}

std::vector<std::string> ModelManager::LiveModels() const {
  std::vector<std::string> names;
  absl::MutexLock lock(&mutex_);
  for (const auto& [name, versions] : models_) {
    const bool live = std::any_of(versions.begin(), versions.end(), [](const auto& each) {
      return each.second.state == State::kServing;
    });
    if (live) names.push_back(name);
  }
  return names;
}

std::vector<uint64_t> ModelManager::LiveVersions(const std::string& model) const {
  std::vector<uint64_t> versions;
  absl::MutexLock lock(&mutex_);
  const auto found = models_.find(model);
  if (found == models_.end()) return versions;
  for (const auto& [version, entry] : found->second) {
    if (entry.state == State::kServing) versions.push_back(version);
  }
  return versions;
}

absl::StatusOr<ModelHandle> ModelManager::AcquireBlocking(const std::string& model,
                                                          std::optional<uint64_t> version) {
  absl::StatusOr<ModelHandle> result;
  absl::Notification ready;
  Acquire(model, version, [&](absl::StatusOr<ModelHandle> handle) {
    result = std::move(handle);
    ready.Notify();
  });
  ready.WaitForNotification();
  return result;
}

void ModelManager::LoadFor(const std::string& model, std::optional<uint64_t> version,
                           bool on_demand, Ready ready) {
  const absl::StatusOr<uint64_t> resolved = repository_->Resolve(model, version);
  if (!resolved.ok()) return ready(resolved.status());
  {
    absl::ReleasableMutexLock lock(&mutex_);
    const auto [found, is_new] = models_[model].try_emplace(*resolved);
    Entry& entry = found->second;
    if (!is_new && entry.state == State::kServing) {
      entry.last_use = ++uses_;
      ModelHandle handle = entry.handle;
      lock.Release();
      return ready(std::move(handle));
    }
    if (!is_new && entry.state == State::kLoading) {
      entry.waiting.push_back(std::move(ready));
      return;
    }
    // A failure may pass, but is not tried again by every request.
    if (!is_new && entry.state == State::kFailed && absl::Now() < entry.failed_at + kLoadRetry) {
      const absl::Status error = entry.error;
      lock.Release();
      return ready(error);
    }
    entry.state = State::kLoading;
    entry.on_demand = on_demand;
    entry.waiting.push_back(std::move(ready));
  }
  Load(model, *resolved);
}

void ModelManager::Load(const std::string& model, uint64_t version) {
  absl::StatusOr<ModelHandle> handle = ReadAndLoad(model, version);
  std::vector<Ready> waiting;
  {
    absl::MutexLock lock(&mutex_);
    Versions& versions = models_[model];
    const auto found = versions.find(version);
    if (found == versions.end()) {  // deleted meanwhile; its waiters were answered
      return;
    }
    Entry& entry = found->second;
    waiting.swap(entry.waiting);
    entry.last_use = ++uses_;
    if (handle.ok()) {
      entry.state = State::kServing;
      entry.handle = *handle;
      options_.metrics->models_serving.Add(1);
      UnloadSpare(model);
    } else {
      entry.state = State::kFailed;
      entry.error = handle.status();
      entry.failed_at = absl::Now();
    }
  }
  ReportHealth(model);
  for (Ready& ready : waiting) ready(handle);
}

absl::StatusOr<ModelHandle> ModelManager::ReadAndLoad(const std::string& model, uint64_t version) {
  const absl::Time begin = absl::Now();
  absl::StatusOr<std::unique_ptr<ServedVersion>> served = [&] {
    absl::StatusOr<Model> read = repository_->Read(model, version);
    if (!read.ok()) return absl::StatusOr<std::unique_ptr<ServedVersion>>(read.status());
    read->manifest.set_name(model);  // the folder's name counts, should somebody have moved it
    read->manifest.set_version(version);
    return ServedVersion::Load(*std::move(read), options_.served);
  }();
  const double seconds = absl::ToDoubleSeconds(absl::Now() - begin);
  if (!served.ok()) {
    LogError("model could not be loaded",
             {{"model", model}, {"version", version}, {"status", served.status()}});
    return absl::UnavailableError(
        absl::StrCat("model \"", model, "\" version ", version,
                     " could not be loaded: ", served.status().message()));
  }
  options_.metrics->model_load.Observe(seconds);
  LogInfo("model loaded", {{"model", model}, {"version", version}, {"seconds", seconds}});
  // The last handle may die on one of the version's own executors, which cannot join itself.
  return ModelHandle(served->release(), [pool = pool_.get()](const ServedVersion* dead) {
    pool->Schedule([dead] { delete dead; });
  });
}

ModelHandle ModelManager::FindLive(const std::string& model, std::optional<uint64_t> version) {
  const auto found = models_.find(model);
  if (found == models_.end()) return nullptr;
  Versions& versions = found->second;
  for (auto each = versions.rbegin(); each != versions.rend(); ++each) {  // the newest first
    if (version.has_value() && each->first != *version) continue;
    if (each->second.state != State::kServing) continue;
    each->second.last_use = ++uses_;
    return each->second.handle;
  }
  return nullptr;
}

void ModelManager::UnloadSpare(const std::string& model) {
  Versions& versions = models_[model];
  std::vector<LoadedVersion> loaded;
  for (const auto& [version, entry] : versions) {
    if (entry.state != State::kServing) continue;
    loaded.push_back({version, entry.on_demand, entry.last_use});
  }
  for (const uint64_t version : VersionsToUnload(std::move(loaded), options_.max_on_demand)) {
    Unload(versions[version]);
  }
}

void ModelManager::Unload(Entry& entry) {
  if (entry.state != State::kServing) return;
  entry.state = State::kUnloading;
  entry.last = entry.handle;
  entry.handle.reset();  // what remains are the handles of requests
  options_.metrics->models_serving.Add(-1);
}

void ModelManager::ReportHealth(const std::string& model) {
  absl::MutexLock health_lock(&health_mutex_);
  bool serving = false;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [version, entry] : models_[model]) {
      serving = serving || entry.state == State::kServing;
    }
  }
  if (options_.on_health) options_.on_health(model, serving);
}

absl::Status ModelManager::Publish(const std::string& model, uint64_t version) {
  absl::Notification done;
  absl::Status status;
  pool_->Schedule([&] {
    LoadFor(model, version, false, [&](const absl::StatusOr<ModelHandle>& handle) {
      status = handle.status();
      done.Notify();
    });
  });
  done.WaitForNotification();
  return status;
}

absl::Status ModelManager::Delete(const std::string& model, std::optional<uint64_t> version) {
  std::vector<uint64_t> doomed;
  if (version.has_value()) {
    ASSIGN_OR_RETURN(const uint64_t resolved, repository_->Resolve(model, version));
    doomed.push_back(resolved);
  } else {
    ASSIGN_OR_RETURN(doomed, repository_->Versions(model));
  }
  std::vector<Ready> waiting;
  {
    // The files go first, so that no load can begin once the entry is gone.
    for (const uint64_t each : doomed) RETURN_IF_ERROR(repository_->Delete(model, each));
    absl::MutexLock lock(&mutex_);
    Versions& versions = models_[model];
    for (const uint64_t each : doomed) {
      const auto found = versions.find(each);
      if (found == versions.end()) continue;
      Unload(found->second);
      for (Ready& ready : found->second.waiting) waiting.push_back(std::move(ready));
      versions.erase(found);
    }
  }
  for (Ready& ready : waiting) {
    ready(absl::NotFoundError(absl::StrCat("model \"", model, "\" was deleted meanwhile")));
  }
  LogInfo("model deleted", {{"model", model}, {"versions", doomed.size()}});
  // The newest of those that remain takes over.
  if (repository_->Resolve(model, std::nullopt).ok()) {
    pool_->Schedule([=, this] {
      LoadFor(model, std::nullopt, false, [](const absl::StatusOr<ModelHandle>&) {});
    });
  }
  ReportHealth(model);
  return absl::OkStatus();
}

ModelManager::Status ModelManager::StateOf(const std::string& model, uint64_t version) const {
  absl::MutexLock lock(&mutex_);
  const auto found = models_.find(model);
  if (found == models_.end()) return {};
  const auto entry = found->second.find(version);
  if (entry == found->second.end()) return {};
  Status status{entry->second.state, std::string(entry->second.error.message())};
  if (status.state == State::kUnloading && entry->second.last.expired()) {
    status.state = State::kStored;
  }
  return status;
}

}  // namespace fovea
