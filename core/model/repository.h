// ModelRepository: the versions of every model on disk.
//
//   <root>/<name>/<version>/      the files of format.h; other servers read the tree as it is
//   <root>/<name>/.last_version   the highest number ever given
//   <root>/<name>/serving.textproto   how the versions are served; absent: as by default
//   <root>/.staging/, .trash/     what is being written and what is being removed
//
// A version appears and disappears by one rename: readers see it whole or not at all, also after a
// crash. Version numbers increase and are never used again, not even those of deleted versions.
// Thread-safe. Several processes may publish into one root; of two that change how one model is
// served at the same moment, the later one wins.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "core/base/file_system.h"
#include "core/model/model.h"
#include "fovea/v1/serving.pb.h"

namespace fovea {

class ModelRepository {
 public:
  // `files` outlives the repository. Folders are made when they are needed.
  ModelRepository(FileSystem* files, std::string root);

  // Names of models that have a version, ascending.
  absl::StatusOr<std::vector<std::string>> List() const;
  // Versions, ascending. NotFound when there is none; InvalidArgument: not a valid name.
  absl::StatusOr<std::vector<uint64_t>> Versions(const std::string& name) const;
  // The given version or the newest one. NotFound lists those that are there.
  absl::StatusOr<uint64_t> Resolve(const std::string& name, std::optional<uint64_t> version) const;
  // The version whose manifest names this job: how a publication that a crash interrupted is
  // recognised. NotFound when there is none.
  absl::StatusOr<uint64_t> FindJob(const std::string& name, const std::string& job_id) const;

  // The folder of a version, whether it exists or not.
  std::string Folder(const std::string& name, uint64_t version) const;
  // Resolve, then format.h.
  absl::StatusOr<Model> Read(const std::string& name, std::optional<uint64_t> version) const;
  absl::StatusOr<v1::ModelManifest> ReadManifest(const std::string& name,
                                                 std::optional<uint64_t> version) const;
  // Size of the version's files.
  absl::StatusOr<int64_t> Bytes(const std::string& name, uint64_t version) const;

  // A new, empty folder to write a model into, on the root's file system. Its name is like no other
  // process's.
  absl::StatusOr<std::string> NewStagingFolder();
  // Gives the model in `staged` (WriteModel) its name and next version and moves it into place, or
  // a copy of it where `staged` is on another file system; answers the version, durable. On an
  // error nothing is published, `staged` is still there, and a number may have been skipped.
  absl::StatusOr<uint64_t> Publish(const std::string& staged, const std::string& name);

  // How the model's versions are served. NotFound when there is no such model; DataLoss.
  absl::StatusOr<v1::Serving> ReadServing(const std::string& name) const;
  // Changes that by one rename and answers what it then is, durable. Errors of `change` and, with
  // the name of what is wrong, of core/model/serving.h: then nothing has changed.
  absl::StatusOr<v1::Serving> ChangeServing(const std::string& name,
                                            absl::FunctionRef<absl::Status(v1::Serving&)> change);

  // NotFound when the version does not exist; FailedPrecondition when an alias or the policy names
  // it. Whoever uses the version holds it in memory.
  absl::Status Delete(const std::string& name, uint64_t version);
  // Every version, and how they are served.
  absl::Status DeleteAll(const std::string& name);

  // Removes what crashes left in .staging and .trash. When nothing is being published.
  absl::Status CleanUp();

 private:
  absl::StatusOr<std::vector<uint64_t>> VersionsOrNone(const std::string& name) const;
  absl::StatusOr<uint64_t> LastVersion(const std::string& name) const;
  absl::Status SetLastVersion(const std::string& name, uint64_t version);
  std::string StagingFolder() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Renames the folder, or a copy of it where it is on another file system.
  absl::Status MoveIn(const std::string& staged, const std::string& target)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string ServingPath(const std::string& name) const;
  absl::Status MoveToTrash(const std::string& name, uint64_t version)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  FileSystem* const files_;
  const std::string root_;
  const uint64_t prefix_;  // of staging folders
  absl::Mutex mutex_;      // one change at a time
  uint64_t staged_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace fovea
