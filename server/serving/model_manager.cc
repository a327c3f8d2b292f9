#include "server/serving/model_manager.h"

#include <algorithm>
#include <atomic>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "core/base/log.h"
#include "core/base/status.h"
#include "core/model/serving.h"

namespace fovea {
namespace {

constexpr absl::Duration kLoadRetry = absl::Seconds(10);

void Answer(std::vector<VersionEntry::Ready> waiting, const absl::StatusOr<ModelHandle>& handle) {
  for (VersionEntry::Ready& ready : waiting) ready(handle);
}

absl::Status UnloadedError(const std::string& model) {
  return absl::UnavailableError(
      absl::StrCat("model \"", model, "\" was unloaded: out of service until it is loaded again"));
}

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
  {
    // An executor may still hold the last handle of a request that it has just answered.
    absl::MutexLock lock(&alive_->mutex);
    alive_->mutex.Await(absl::Condition(
        +[](int* count) { return *count == 0; }, &alive_->count));
  }
  pool_.reset();
}

void ModelManager::Start(const std::function<void()>& done) {
  const absl::StatusOr<std::vector<std::string>> names = repository_->List();
  if (!names.ok()) LogError("cannot list models", {{"status", names.status()}});
  if (!names.ok() || names->empty()) return done();
  auto left = std::make_shared<std::atomic<size_t>>(names->size());
  const auto tried = [=](const absl::Status&) {
    if (left->fetch_sub(1) == 1) done();
  };
  for (const std::string& name : *names) {
    pool_->Schedule([=, this] {
      const absl::StatusOr<std::vector<uint64_t>> missing = Follow(name);
      LoadAll(name, missing.ok() ? *missing : std::vector<uint64_t>(), tried);
    });
  }
}

void ModelManager::Acquire(const std::string& model, const VersionRef& version, Ready ready) {
  ModelHandle live = Live(model, version);
  if (live != nullptr) return ready(std::move(live));
  if (pool_->queued() >= options_.max_waiting) {
    return ready(absl::ResourceExhaustedError("too many requests wait for models to be loaded"));
  }
  pool_->Schedule(
      [=, this, ready = std::move(ready)]() mutable { Find(model, version, std::move(ready)); });
}

ModelHandle ModelManager::Live(const std::string& model, const VersionRef& version) {
  absl::MutexLock lock(&mutex_);
  const auto found = models_.find(model);
  return found == models_.end() ? nullptr : found->second.Find(version);
}

std::vector<std::string> ModelManager::LiveModels() const {
  std::vector<std::string> names;
  absl::MutexLock lock(&mutex_);
  for (const auto& [name, versions] : models_) {
    if (!versions.Live().empty()) names.push_back(name);
  }
  return names;
}

std::vector<uint64_t> ModelManager::LiveVersions(const std::string& model) const {
  absl::MutexLock lock(&mutex_);
  const auto found = models_.find(model);
  return found == models_.end() ? std::vector<uint64_t>() : found->second.Live();
}

absl::StatusOr<ModelHandle> ModelManager::AcquireBlocking(const std::string& model,
                                                          const VersionRef& version) {
  absl::StatusOr<ModelHandle> result;
  absl::Notification ready;
  Acquire(model, version, [&](absl::StatusOr<ModelHandle> handle) {
    result = std::move(handle);
    ready.Notify();
  });
  ready.WaitForNotification();
  return result;
}

absl::StatusOr<std::vector<uint64_t>> ModelManager::Follow(const std::string& model) {
  std::vector<Ready> orphans;
  std::vector<uint64_t> missing;
  {
    absl::MutexLock look(&look_mutex_);
    // Versions that become known during the look may be missing in what it sees.
    const std::set<uint64_t> known = KnownVersions(model);
    absl::StatusOr<std::vector<uint64_t>> stored = repository_->Versions(model);
    if (absl::IsNotFound(stored.status()) && Knows(model)) stored = std::vector<uint64_t>();
    if (!stored.ok()) return stored.status();
    v1::Serving serving = ReadServing(model);

    absl::MutexLock lock(&mutex_);
    ModelVersions& versions = models_.try_emplace(model, options_.max_on_demand).first->second;
    for (const uint64_t version : known) {
      if (std::binary_search(stored->begin(), stored->end(), version)) continue;
      for (Ready& ready : versions.Drop(version)) orphans.push_back(std::move(ready));
    }
    versions.Follow(*stored, std::move(serving));
    missing = versions.Missing();
    if (stored->empty() && versions.entries().empty()) models_.erase(model);
  }
  Answer(std::move(orphans),
         absl::NotFoundError(absl::StrCat("model \"", model, "\" was deleted meanwhile")));
  Report(model);
  return missing;
}

bool ModelManager::Knows(const std::string& model) const {
  absl::MutexLock lock(&mutex_);
  return models_.contains(model);
}

std::set<uint64_t> ModelManager::KnownVersions(const std::string& model) const {
  std::set<uint64_t> versions;
  absl::MutexLock lock(&mutex_);
  const auto found = models_.find(model);
  if (found == models_.end()) return versions;
  for (const auto& [version, entry] : found->second.entries()) versions.insert(version);
  return versions;
}

void ModelManager::LogLook(const std::string& model, const absl::Status& status) {
  if (status.ok()) {
    look_errors_.erase(model);
    return;
  }
  const std::string error = status.ToString();
  if (std::exchange(look_errors_[model], error) == error) return;
  LogError("cannot read the repository; goes on as before", {{"model", model}, {"status", status}});
}

v1::Serving ModelManager::ReadServing(const std::string& model) {
  absl::StatusOr<v1::Serving> serving = repository_->ReadServing(model);
  if (absl::IsNotFound(serving.status())) serving = v1::Serving();  // no versions: nothing to serve
  LogLook(model, serving.status());
  if (serving.ok()) return *std::move(serving);
  absl::MutexLock lock(&mutex_);
  const auto found = models_.find(model);
  return found == models_.end() ? v1::Serving() : found->second.serving();
}

void ModelManager::LoadAll(const std::string& model, const std::vector<uint64_t>& versions,
                           const Done& done) {
  if (versions.empty()) return done(absl::OkStatus());
  struct Outcome {
    absl::Mutex mutex;
    size_t left ABSL_GUARDED_BY(mutex);
    absl::Status status ABSL_GUARDED_BY(mutex);
  };
  auto outcome = std::make_shared<Outcome>();
  {
    absl::MutexLock lock(&outcome->mutex);
    outcome->left = versions.size();
  }
  const auto tried = [=](const absl::StatusOr<ModelHandle>& handle) {
    absl::Status status;
    {
      absl::MutexLock lock(&outcome->mutex);
      outcome->status.Update(handle.status());
      if (--outcome->left > 0) return;
      status = outcome->status;
    }
    done(status);
  };
  for (const uint64_t version : versions) {
    pool_->Schedule([=, this] { LoadFor(model, version, false, tried); });
  }
}

absl::Status ModelManager::FollowAndLoad(const std::string& model) {
  ASSIGN_OR_RETURN(const std::vector<uint64_t> missing, Follow(model));
  absl::Status status;
  absl::Notification done;
  LoadAll(model, missing, [&](const absl::Status& result) {
    status = result;
    done.Notify();
  });
  done.WaitForNotification();
  return status;
}

void ModelManager::Find(const std::string& model, const VersionRef& ref, Ready ready) {
  // A version is looked up by LoadFor; for all else the repository says which one it is.
  if (!ref.number.has_value() || !Knows(model)) {
    const absl::StatusOr<std::vector<uint64_t>> missing = Follow(model);
    if (!missing.ok()) return ready(missing.status());
  }
  const absl::StatusOr<uint64_t> version = [&]() -> absl::StatusOr<uint64_t> {
    absl::MutexLock lock(&mutex_);
    const auto found = models_.find(model);
    if (found != models_.end()) return found->second.Target(model, ref);
    return absl::NotFoundError(absl::StrCat("no model \"", model, "\""));
  }();
  if (!version.ok()) return ready(version.status());
  LoadFor(model, *version, ref.number.has_value(), std::move(ready));
}

void ModelManager::LoadFor(const std::string& model, uint64_t version, bool on_demand,
                           Ready ready) {
  const absl::Status stored = repository_->Resolve(model, version).status();
  if (!stored.ok()) return ready(stored);
  bool begin = false;
  std::optional<absl::StatusOr<ModelHandle>> known =
      JoinLoad(model, version, on_demand, ready, &begin);
  if (begin) LoadNow(model, version);
  if (!known.has_value()) return;
  Report(model);  // it may be one that was about to unload
  ready(*std::move(known));
}

std::optional<absl::StatusOr<ModelHandle>> ModelManager::JoinLoad(const std::string& model,
                                                                  uint64_t version, bool on_demand,
                                                                  Ready& ready, bool* begin) {
  absl::MutexLock lock(&mutex_);
  ModelVersions& versions = models_.try_emplace(model, options_.max_on_demand).first->second;
  if (versions.taken_out()) return UnloadedError(model);
  if (ModelHandle live = versions.Find(version); live != nullptr) return live;
  VersionEntry& entry = versions.At(version);
  // A failure may pass, but is not tried again by every request.
  if (entry.state == State::kFailed && absl::Now() < entry.failed_at + kLoadRetry) {
    return entry.error;
  }
  if (entry.state != State::kLoading) entry.on_demand = on_demand;
  if (ModelHandle last = entry.last.lock(); last != nullptr) {  // kept by a request until now
    versions.SetServing(version, last);
    return last;
  }
  entry.waiting.push_back(std::move(ready));
  *begin = entry.state != State::kLoading;
  entry.state = State::kLoading;
  return std::nullopt;
}

void ModelManager::LoadNow(const std::string& model, uint64_t version) {
  const absl::StatusOr<ModelHandle> handle = ReadAndLoad(model, version);
  std::vector<Ready> waiting;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = models_.find(model);
    const VersionEntry* known = found == models_.end() ? nullptr : found->second.Get(version);
    // Deleted or unloaded meanwhile, or loaded by another: who waited was answered.
    if (known == nullptr || known->state != State::kLoading) return;
    VersionEntry& entry = found->second.At(version);
    waiting.swap(entry.waiting);
    if (handle.ok()) {
      found->second.SetServing(version, *handle);
    } else {
      entry.state = State::kFailed;
      entry.error = handle.status();
      entry.failed_at = absl::Now();
    }
  }
  Report(model);
  Answer(std::move(waiting), handle);
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
  {
    absl::MutexLock lock(&alive_->mutex);
    ++alive_->count;
  }
  return ModelHandle(served->release(),
                     [pool = pool_.get(), alive = alive_](const ServedVersion* dead) {
                       pool->Schedule([dead, alive] {
                         delete dead;
                         absl::MutexLock lock(&alive->mutex);
                         --alive->count;
                       });
                     });
}

void ModelManager::Report(const std::string& model) {
  absl::MutexLock health_lock(&health_mutex_);
  bool serving = false;
  size_t versions_serving = 0;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [name, versions] : models_) {
      const size_t count = versions.Live().size();
      versions_serving += count;
      if (name == model) serving = count > 0;
    }
  }
  options_.metrics->models_serving.Set(static_cast<double>(versions_serving));
  if (options_.on_health) options_.on_health(model, serving);
}

absl::Status ModelManager::Publish(const std::string& model, uint64_t version) {
  FollowAndLoad(model).IgnoreError();  // of this version, told below
  const Status status = StateOf(model, version);
  return status.state == State::kFailed ? absl::UnavailableError(status.message) : absl::OkStatus();
}

absl::Status ModelManager::Delete(const std::string& model, std::optional<uint64_t> version) {
  // The files go first, so that no load can begin once the entry is gone.
  RETURN_IF_ERROR(version.has_value() ? repository_->Delete(model, *version)
                                      : repository_->DeleteAll(model));
  LogInfo("model deleted",
          {{"model", model}, {"version", version.has_value() ? absl::StrCat(*version) : "all"}});
  const absl::StatusOr<std::vector<uint64_t>> missing = Follow(model);
  // Those that remain take over.
  if (missing.ok()) LoadAll(model, *missing, [](const absl::Status&) {});
  return absl::OkStatus();
}

absl::StatusOr<v1::Serving> ModelManager::ChangeServing(
    const std::string& model, absl::FunctionRef<absl::Status(v1::Serving&)> change) {
  ASSIGN_OR_RETURN(const v1::Serving now, repository_->ReadServing(model));
  v1::Serving next = now;
  RETURN_IF_ERROR(change(next));
  // Held until the change keeps them loaded.
  ASSIGN_OR_RETURN(const std::vector<ModelHandle> targets, LoadTargets(model, now, next));
  ASSIGN_OR_RETURN(v1::Serving serving, repository_->ChangeServing(model, change));
  FollowAndLoad(model).IgnoreError();  // the versions' states tell
  LogInfo("model is served another way",
          {{"model", model}, {"serving", serving.ShortDebugString()}});
  return serving;
}

absl::StatusOr<std::vector<ModelHandle>> ModelManager::LoadTargets(const std::string& model,
                                                                   const v1::Serving& now,
                                                                   const v1::Serving& next) {
  ASSIGN_OR_RETURN(const std::vector<uint64_t> stored, repository_->Versions(model));
  RETURN_IF_ERROR(CheckAliases(next, stored));
  std::vector<ModelHandle> targets;
  for (const auto& [alias, version] : next.aliases()) {
    const auto before = now.aliases().find(alias);
    if (before != now.aliases().end() && before->second == version) continue;
    ASSIGN_OR_RETURN(ModelHandle handle, AcquireBlocking(model, version));
    targets.push_back(std::move(handle));
  }
  return targets;
}

absl::Status ModelManager::Unload(const std::string& model) {
  RETURN_IF_ERROR(Follow(model).status());
  std::vector<Ready> waiting;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = models_.find(model);
    if (found == models_.end())
      return absl::NotFoundError(absl::StrCat("no model \"", model, "\""));
    waiting = found->second.TakeOut();
  }
  LogInfo("model unloaded", {{"model", model}});
  Report(model);
  Answer(std::move(waiting), UnloadedError(model));
  return absl::OkStatus();
}

absl::Status ModelManager::Load(const std::string& model) {
  {
    absl::MutexLock lock(&mutex_);
    const auto found = models_.find(model);
    if (found != models_.end()) found->second.BringBack();
  }
  return FollowAndLoad(model);
}

void ModelManager::Look() {
  std::set<std::string> names;
  {
    absl::MutexLock look(&look_mutex_);
    const absl::StatusOr<std::vector<std::string>> stored = repository_->List();
    LogLook("", stored.status());
    if (!stored.ok()) return;
    names = {stored->begin(), stored->end()};
    absl::MutexLock lock(&mutex_);
    for (const auto& [name, versions] : models_) names.insert(name);
  }
  for (const std::string& name : names) {
    const absl::StatusOr<std::vector<uint64_t>> missing = Follow(name);
    if (missing.ok()) LoadAll(name, *missing, [](const absl::Status&) {});
  }
}

ModelManager::Status ModelManager::StateOf(const std::string& model, uint64_t version) const {
  absl::MutexLock lock(&mutex_);
  const auto found = models_.find(model);
  if (found == models_.end()) return {};
  Status status;
  if (const VersionEntry* entry = found->second.Get(version); entry != nullptr) {
    status.state = entry->state;
    if (status.state == State::kUnloading && entry->last.expired()) status.state = State::kStored;
    if (status.state == State::kFailed) status.message = std::string(entry->error.message());
  }
  if (found->second.taken_out()) status.message = "unloaded";
  return status;
}

}  // namespace fovea
