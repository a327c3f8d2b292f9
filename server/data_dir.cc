#include "server/data_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "core/base/file_system.h"
#include "core/base/status.h"

namespace fovea {

absl::StatusOr<std::unique_ptr<DataDir>> DataDir::Lock(const std::string& path) {
  std::error_code error;
  const std::string absolute = std::filesystem::absolute(path, error).lexically_normal().string();
  if (error) return ErrnoToStatus(error.value(), "find", path);
  RETURN_IF_ERROR(FileSystem::Real()->MakeDirs(absolute));
  const std::string file = JoinPath(absolute, ".lock");
  const int fd = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return ErrnoToStatus(errno, "open", file);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int found = errno;
    close(fd);
    if (found != EWOULDBLOCK) return ErrnoToStatus(found, "lock", file);
    return absl::FailedPreconditionError(
        absl::StrCat("data folder ", absolute, " is in use by another fovea-server"));
  }
  return std::unique_ptr<DataDir>(new DataDir(absolute, fd));
}

DataDir::~DataDir() { close(fd_); }

std::string DataDir::Below(const std::string& name) const { return JoinPath(path_, name); }

}  // namespace fovea
