// DataDir: the server's folder, locked, so that two servers never share one.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace fovea {

class DataDir {
 public:
  // Makes the folder when it is missing and locks it; the lock ends with the object or the process.
  // FailedPrecondition when another process holds it.
  static absl::StatusOr<std::unique_ptr<DataDir>> Lock(const std::string& path);
  ~DataDir();
  DataDir(const DataDir&) = delete;
  DataDir& operator=(const DataDir&) = delete;

  // Absolute, so that the trainer finds it too.
  const std::string& path() const { return path_; }
  std::string Below(const std::string& name) const;

 private:
  DataDir(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  const std::string path_;
  const int fd_;
};

}  // namespace fovea
