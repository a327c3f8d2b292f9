// FolderLock: one trainer a job. The lock dies with the process, however it ends.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/cancel.h"

namespace fovea {

class FolderLock {
 public:
  // Takes the flock on `folder`/lock, making both when they are missing; waits up to `patience`
  // for a trainer that is about to end. Unavailable when another process keeps it; Cancelled.
  static absl::StatusOr<std::unique_ptr<FolderLock>> Take(const std::string& folder,
                                                          absl::Duration patience,
                                                          const CancelToken* cancel);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  const int fd_;
};

}  // namespace fovea
