// DatasetRegistry: the data sets of this server, by name: one SQLite file each in one folder.
//
// A handle (shared_ptr) keeps a data set from being deleted; so does WhileKept for as long as it
// runs. Files are opened at first use and stay open. Thread-safe; functions block on I/O.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "core/data/store.h"

namespace fovea {

class DatasetRegistry {
 public:
  // Makes `folder` when it is missing.
  static absl::StatusOr<std::unique_ptr<DatasetRegistry>> Create(std::string folder,
                                                                 DatasetStore::Options options);

  // InvalidArgument for a bad spec, AlreadyExists when the name is taken.
  absl::StatusOr<std::shared_ptr<DatasetStore>> Add(const DatasetSpec& spec);
  // NotFound names the data set.
  absl::StatusOr<std::shared_ptr<DatasetStore>> Get(const std::string& name);
  // In ascending order.
  absl::StatusOr<std::vector<std::string>> Names() const;
  std::string PathOf(const std::string& name) const;

  // Runs `body` while no Delete of any data set can.
  absl::Status WhileKept(absl::FunctionRef<absl::Status()> body);
  // Deletes a data set unless `refuse` answers an error. FailedPrecondition while somebody has a
  // handle to it.
  absl::Status Delete(const std::string& name, absl::FunctionRef<absl::Status()> refuse);

 private:
  DatasetRegistry(std::string folder, DatasetStore::Options options)
      : folder_(std::move(folder)), options_(options) {}

  const std::string folder_;
  const DatasetStore::Options options_;
  absl::Mutex deleting_ ABSL_ACQUIRED_BEFORE(mutex_);
  mutable absl::Mutex mutex_;
  std::map<std::string, std::shared_ptr<DatasetStore>> open_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fovea
