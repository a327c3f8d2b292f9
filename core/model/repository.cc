#include "core/model/repository.h"

#include <algorithm>
#include <random>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "core/base/names.h"
#include "core/base/status.h"
#include "core/model/format.h"
#include "core/model/serving.h"
#include "core/model/text_proto.h"

namespace fovea {

namespace {

uint64_t RandomPrefix() {
  std::random_device random;
  return (uint64_t{random()} << 32) | random();
}

constexpr char kStaging[] = ".staging";
constexpr char kTrash[] = ".trash";
constexpr char kLastVersion[] = ".last_version";
constexpr char kServing[] = "serving.textproto";
constexpr int kPublishAttempts = 100;

// The number of a folder that is one: decimal, from 1, without leading zeros.
std::optional<uint64_t> VersionOf(const std::string& folder) {
  uint64_t version;
  if (!absl::SimpleAtoi(folder, &version) || version == 0) return std::nullopt;
  if (absl::StrCat(version) != folder) return std::nullopt;
  return version;
}

}  // namespace

ModelRepository::ModelRepository(FileSystem* files, std::string root)
    : files_(files), root_(std::move(root)), prefix_(RandomPrefix()) {}

std::string ModelRepository::Folder(const std::string& name, uint64_t version) const {
  return JoinPath(JoinPath(root_, name), absl::StrCat(version));
}

absl::StatusOr<std::vector<uint64_t>> ModelRepository::VersionsOrNone(
    const std::string& name) const {
  std::vector<uint64_t> versions;
  const std::string folder = JoinPath(root_, name);
  auto names = files_->List(folder);
  if (absl::IsNotFound(names.status())) return versions;
  if (!names.ok()) return names.status();
  for (const std::string& child : *names) {
    const auto version = VersionOf(child);
    if (version && files_->IsDirectory(JoinPath(folder, child))) versions.push_back(*version);
  }
  std::sort(versions.begin(), versions.end());
  return versions;
}

absl::StatusOr<std::vector<std::string>> ModelRepository::List() const {
  std::vector<std::string> models;
  auto names = files_->List(root_);
  if (absl::IsNotFound(names.status())) return models;
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    if (!ValidateName("model", name).ok() || !files_->IsDirectory(JoinPath(root_, name))) continue;
    ASSIGN_OR_RETURN(const std::vector<uint64_t> versions, VersionsOrNone(name));
    if (!versions.empty()) models.push_back(name);
  }
  return models;
}

absl::StatusOr<std::vector<uint64_t>> ModelRepository::Versions(const std::string& name) const {
  RETURN_IF_ERROR(ValidateName("model", name));
  ASSIGN_OR_RETURN(std::vector<uint64_t> versions, VersionsOrNone(name));
  if (versions.empty()) return absl::NotFoundError(absl::StrCat("no model \"", name, "\""));
  return versions;
}

absl::StatusOr<uint64_t> ModelRepository::Resolve(const std::string& name,
                                                  std::optional<uint64_t> version) const {
  ASSIGN_OR_RETURN(const std::vector<uint64_t> versions, Versions(name));
  if (!version) return versions.back();
  if (std::find(versions.begin(), versions.end(), *version) != versions.end()) return *version;
  return absl::NotFoundError(absl::StrCat("model \"", name, "\" has no version ", *version,
                                          ", only ", absl::StrJoin(versions, ", ")));
}

absl::StatusOr<uint64_t> ModelRepository::FindJob(const std::string& name,
                                                  const std::string& job_id) const {
  ASSIGN_OR_RETURN(std::vector<uint64_t> versions, Versions(name));
  for (; !versions.empty(); versions.pop_back()) {
    const auto manifest = fovea::ReadManifest(files_, Folder(name, versions.back()));
    if (manifest.ok() && manifest->training().job_id() == job_id) return versions.back();
  }
  return absl::NotFoundError(
      absl::StrCat("model \"", name, "\" has no version from job \"", job_id, "\""));
}

absl::StatusOr<Model> ModelRepository::Read(const std::string& name,
                                            std::optional<uint64_t> version) const {
  ASSIGN_OR_RETURN(const uint64_t found, Resolve(name, version));
  return ReadModel(files_, Folder(name, found));
}

absl::StatusOr<v1::ModelManifest> ModelRepository::ReadManifest(
    const std::string& name, std::optional<uint64_t> version) const {
  ASSIGN_OR_RETURN(const uint64_t found, Resolve(name, version));
  return fovea::ReadManifest(files_, Folder(name, found));
}

absl::StatusOr<int64_t> ModelRepository::Bytes(const std::string& name, uint64_t version) const {
  ASSIGN_OR_RETURN(const uint64_t found, Resolve(name, version));
  const std::string folder = Folder(name, found);
  ASSIGN_OR_RETURN(const std::vector<std::string> children, files_->List(folder));
  int64_t bytes = 0;
  for (const std::string& child : children) {
    const std::string path = JoinPath(folder, child);
    if (files_->IsDirectory(path)) continue;
    ASSIGN_OR_RETURN(const int64_t size, files_->Size(path));
    bytes += size;
  }
  return bytes;
}

absl::StatusOr<uint64_t> ModelRepository::LastVersion(const std::string& name) const {
  ASSIGN_OR_RETURN(const std::vector<uint64_t> versions, VersionsOrNone(name));
  const uint64_t highest = versions.empty() ? 0 : versions.back();
  const std::string path = JoinPath(JoinPath(root_, name), kLastVersion);
  const auto text = files_->Read(path);
  if (absl::IsNotFound(text.status())) return highest;
  if (!text.ok()) return text.status();
  uint64_t recorded;
  if (!absl::SimpleAtoi(*text, &recorded)) {
    return absl::DataLossError(absl::StrCat(path, ": not a version number"));
  }
  return std::max(highest, recorded);
}

absl::Status ModelRepository::SetLastVersion(const std::string& name, uint64_t version) {
  return files_->WriteAtomically(JoinPath(JoinPath(root_, name), kLastVersion),
                                 absl::StrCat(version, "\n"));
}

absl::StatusOr<std::string> ModelRepository::NewStagingFolder() {
  absl::MutexLock lock(&mutex_);
  const std::string folder = StagingFolder();
  RETURN_IF_ERROR(files_->MakeDirs(folder));
  return folder;
}

std::string ModelRepository::StagingFolder() {
  return JoinPath(JoinPath(root_, kStaging), absl::StrCat(absl::Hex(prefix_), "-", ++staged_));
}

absl::Status ModelRepository::MoveIn(const std::string& staged, const std::string& target) {
  const absl::Status renamed = files_->Rename(staged, target);
  if (!absl::IsFailedPrecondition(renamed) || files_->Exists(target)) return renamed;
  const std::string copy = StagingFolder();
  absl::Status status = CopyModel(files_, staged, copy);
  if (status.ok()) status = files_->Rename(copy, target);
  if (!status.ok()) files_->RemoveAll(copy).IgnoreError();
  return status;
}

absl::StatusOr<uint64_t> ModelRepository::Publish(const std::string& staged,
                                                  const std::string& name) {
  RETURN_IF_ERROR(ValidateName("model", name));
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(v1::ModelManifest manifest, fovea::ReadManifest(files_, staged));
  RETURN_IF_ERROR(files_->MakeDirs(JoinPath(root_, name)));
  ASSIGN_OR_RETURN(uint64_t version, LastVersion(name));
  for (int attempt = 0; attempt < kPublishAttempts; ++attempt) {
    ++version;
    RETURN_IF_ERROR(SetLastVersion(name, version));
    manifest.set_name(name);
    manifest.set_version(version);
    RETURN_IF_ERROR(WriteManifest(files_, staged, manifest));
    const absl::Status moved = MoveIn(staged, Folder(name, version));
    if (moved.ok()) return version;
    // Another process was faster: it has this version now.
    if (!absl::IsFailedPrecondition(moved) || !files_->Exists(Folder(name, version))) return moved;
  }
  return absl::AbortedError(
      absl::StrCat("model \"", name, "\": other publishers took ", kPublishAttempts, " versions"));
}

std::string ModelRepository::ServingPath(const std::string& name) const {
  return JoinPath(JoinPath(root_, name), kServing);
}

absl::StatusOr<v1::Serving> ModelRepository::ReadServing(const std::string& name) const {
  RETURN_IF_ERROR(Versions(name).status());
  v1::Serving serving;
  const absl::StatusOr<std::string> text = files_->Read(ServingPath(name));
  if (absl::IsNotFound(text.status())) return serving;
  if (!text.ok()) return text.status();
  const absl::Status parsed = FromTextProto(*text, serving);
  if (parsed.ok()) return serving;
  return absl::DataLossError(absl::StrCat(ServingPath(name), ": ", parsed.message()));
}

absl::StatusOr<v1::Serving> ModelRepository::ChangeServing(
    const std::string& name, absl::FunctionRef<absl::Status(v1::Serving&)> change) {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(const std::vector<uint64_t> versions, Versions(name));
  ASSIGN_OR_RETURN(v1::Serving serving, ReadServing(name));
  RETURN_IF_ERROR(change(serving));
  RETURN_IF_ERROR(CheckPolicy(serving.policy(), versions));
  RETURN_IF_ERROR(CheckAliases(serving, versions));
  RETURN_IF_ERROR(files_->WriteAtomically(ServingPath(name), ToTextProto(serving)));
  return serving;
}

absl::Status ModelRepository::MoveToTrash(const std::string& name, uint64_t version) {
  // First the number: once the folder is gone nothing else tells that it was used.
  ASSIGN_OR_RETURN(const uint64_t last, LastVersion(name));
  RETURN_IF_ERROR(SetLastVersion(name, last));
  const std::string trash = JoinPath(root_, kTrash);
  const std::string target = JoinPath(trash, absl::StrCat(name, "-", version));
  RETURN_IF_ERROR(files_->MakeDirs(trash));
  RETURN_IF_ERROR(files_->RemoveAll(target));
  RETURN_IF_ERROR(files_->Rename(Folder(name, version), target));
  // The version is gone; what cannot be removed now, CleanUp removes.
  files_->RemoveAll(target).IgnoreError();
  return absl::OkStatus();
}

absl::Status ModelRepository::Delete(const std::string& name, uint64_t version) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(Resolve(name, version).status());
  ASSIGN_OR_RETURN(const v1::Serving serving, ReadServing(name));
  const absl::Status named = CheckNotNamed(serving, version);
  if (!named.ok()) {
    return absl::Status(named.code(), absl::StrCat("model \"", name, "\" ", named.message()));
  }
  RETURN_IF_ERROR(MoveToTrash(name, version));
  // The version is gone, whatever becomes of the rest: a policy without versions.
  const absl::StatusOr<std::vector<uint64_t>> rest = VersionsOrNone(name);
  if (rest.ok() && rest->empty()) files_->RemoveAll(ServingPath(name)).IgnoreError();
  return absl::OkStatus();
}

absl::Status ModelRepository::DeleteAll(const std::string& name) {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(const std::vector<uint64_t> versions, Versions(name));
  RETURN_IF_ERROR(files_->RemoveAll(ServingPath(name)));
  for (uint64_t version : versions) RETURN_IF_ERROR(MoveToTrash(name, version));
  return absl::OkStatus();
}

absl::Status ModelRepository::CleanUp() {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(files_->RemoveAll(JoinPath(root_, kStaging)));
  return files_->RemoveAll(JoinPath(root_, kTrash));
}

}  // namespace fovea
