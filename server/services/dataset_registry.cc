#include "server/services/dataset_registry.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/base/file_system.h"
#include "core/base/names.h"
#include "core/base/status.h"

namespace fovea {
namespace {
constexpr absl::string_view kSuffix = ".sqlite";
}  // namespace

absl::StatusOr<std::unique_ptr<DatasetRegistry>> DatasetRegistry::Create(
    std::string folder, DatasetStore::Options options) {
  RETURN_IF_ERROR(FileSystem::Real()->MakeDirs(folder));
  return std::unique_ptr<DatasetRegistry>(new DatasetRegistry(std::move(folder), options));
}

std::string DatasetRegistry::PathOf(const std::string& name) const {
  return JoinPath(folder_, absl::StrCat(name, kSuffix));
}

absl::StatusOr<std::shared_ptr<DatasetStore>> DatasetRegistry::Add(const DatasetSpec& spec) {
  RETURN_IF_ERROR(ValidateDatasetSpec(spec));
  absl::MutexLock lock(&mutex_);
  if (open_.contains(spec.name) || FileSystem::Real()->Exists(PathOf(spec.name))) {
    return absl::AlreadyExistsError(absl::StrCat("data set \"", spec.name, "\" exists already"));
  }
  ASSIGN_OR_RETURN(std::shared_ptr<DatasetStore> store,
                   DatasetStore::Create(PathOf(spec.name), spec, options_));
  open_[spec.name] = store;
  return store;
}

absl::StatusOr<std::shared_ptr<DatasetStore>> DatasetRegistry::Get(const std::string& name) {
  RETURN_IF_ERROR(ValidateName("data set", name));
  absl::MutexLock lock(&mutex_);
  if (const auto found = open_.find(name); found != open_.end()) return found->second;
  if (!FileSystem::Real()->Exists(PathOf(name))) {
    return absl::NotFoundError(absl::StrCat("there is no data set \"", name, "\""));
  }
  ASSIGN_OR_RETURN(std::shared_ptr<DatasetStore> store,
                   DatasetStore::Open(PathOf(name), DatasetStore::Mode::kReadWrite, options_));
  open_[name] = store;
  return store;
}

absl::StatusOr<std::vector<std::string>> DatasetRegistry::Names() const {
  ASSIGN_OR_RETURN(const std::vector<std::string> files, FileSystem::Real()->List(folder_));
  std::vector<std::string> names;
  for (absl::string_view file : files) {
    if (absl::ConsumeSuffix(&file, kSuffix) && ValidateName("data set", file).ok()) {
      names.emplace_back(file);
    }
  }
  return names;
}

absl::Status DatasetRegistry::WhileKept(absl::FunctionRef<absl::Status()> body) {
  absl::ReaderMutexLock lock(&deleting_);
  return body();
}

absl::Status DatasetRegistry::Delete(const std::string& name,
                                     absl::FunctionRef<absl::Status()> refuse) {
  absl::MutexLock deleting(&deleting_);
  RETURN_IF_ERROR(Get(name).status());
  RETURN_IF_ERROR(refuse());
  absl::MutexLock lock(&mutex_);
  const auto found = open_.find(name);
  if (found != open_.end() && found->second.use_count() > 1) {
    return absl::FailedPreconditionError(
        absl::StrCat("data set \"", name, "\" is in use by another request, expected none"));
  }
  open_.erase(name);
  return RemoveDatasetFile(PathOf(name));
}

}  // namespace fovea
