#include "trainer/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/file_system.h"
#include "core/base/status.h"

namespace fovea {
namespace {

constexpr absl::Duration kRetry = absl::Milliseconds(100);

}  // namespace

absl::StatusOr<std::unique_ptr<FolderLock>> FolderLock::Take(const std::string& folder,
                                                             absl::Duration patience,
                                                             const CancelToken* cancel) {
  RETURN_IF_ERROR(FileSystem::Real()->MakeDirs(folder));
  const std::string path = JoinPath(folder, "lock");
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return ErrnoToStatus(errno, "open", path);
  std::unique_ptr<FolderLock> lock(new FolderLock(fd));
  const absl::Time deadline = absl::Now() + patience;
  while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return ErrnoToStatus(errno, "lock", path);
    if (absl::Now() >= deadline) {
      return absl::UnavailableError(
          absl::StrCat("another trainer holds ", path, ", expected it to be free"));
    }
    if (cancel == nullptr) {
      absl::SleepFor(kRetry);
    } else if (cancel->WaitFor(kRetry)) {
      return absl::CancelledError(absl::StrCat("cancelled while waiting for ", path));
    }
  }
  return lock;
}

FolderLock::~FolderLock() { close(fd_); }

}  // namespace fovea
