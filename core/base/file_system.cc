#include "core/base/file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"

namespace fovea {
namespace {

// Closes a file descriptor; -1 means none.
class ScopedFd {
 public:
  explicit ScopedFd(int fd) : fd_(fd) {}
  ~ScopedFd() {
    if (fd_ >= 0) close(fd_);
  }
  ScopedFd(const ScopedFd&) = delete;
  ScopedFd& operator=(const ScopedFd&) = delete;
  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

absl::Status WriteAll(int fd, absl::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoToStatus(errno, "write", path);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status SyncFolder(const std::string& path) {
  ScopedFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0) return ErrnoToStatus(errno, "open", path);
  if (fsync(fd.get()) != 0) return ErrnoToStatus(errno, "fsync", path);
  return absl::OkStatus();
}

absl::Status WriteNewFile(const std::string& path, absl::Span<const absl::string_view> parts) {
  ScopedFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (fd.get() < 0) return ErrnoToStatus(errno, "create", path);
  for (absl::string_view part : parts) RETURN_IF_ERROR(WriteAll(fd.get(), part, path));
  if (fsync(fd.get()) != 0) return ErrnoToStatus(errno, "fsync", path);
  // Network file systems report a full disk here.
  if (close(fd.Release()) != 0) return ErrnoToStatus(errno, "close", path);
  return absl::OkStatus();
}

std::string TemporaryBeside(const std::string& path) {
  static std::atomic<uint64_t> counter = 0;
  const std::string name = path.substr(path.rfind('/') + 1);
  return JoinPath(ParentPath(path), absl::StrCat(".", name, ".", getpid(), "-", counter++, ".tmp"));
}

absl::Status RenameAndSync(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) {
    const int error = errno;
    return ErrnoToStatus(error, "rename", absl::StrCat(from, "\" to \"", to));
  }
  RETURN_IF_ERROR(SyncFolder(ParentPath(to)));
  if (ParentPath(from) != ParentPath(to)) RETURN_IF_ERROR(SyncFolder(ParentPath(from)));
  return absl::OkStatus();
}

class RealFileSystem : public FileSystem {
 public:
  absl::StatusOr<std::string> Read(const std::string& path) override {
    ScopedFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (fd.get() < 0) return ErrnoToStatus(errno, "open", path);
    struct stat info;
    if (fstat(fd.get(), &info) != 0) return ErrnoToStatus(errno, "stat", path);
    std::string bytes;
    bytes.reserve(static_cast<size_t>(std::max<off_t>(info.st_size, 0)) + 1);
    // Files of /proc and /sys say 0 bytes: read until the end, not for st_size.
    char buffer[65536];
    while (true) {
      const ssize_t got = read(fd.get(), buffer, sizeof(buffer));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return ErrnoToStatus(errno, "read", path);
      if (got == 0) return bytes;
      bytes.append(buffer, static_cast<size_t>(got));
    }
  }

  absl::Status WriteAtomically(const std::string& path,
                               absl::Span<const absl::string_view> parts) override {
    const std::string temporary = TemporaryBeside(path);
    absl::Status status = WriteNewFile(temporary, parts);
    if (status.ok()) status = RenameAndSync(temporary, path);
    if (!status.ok()) unlink(temporary.c_str());
    return status;
  }

  absl::Status MakeDirs(const std::string& path) override {
    if (path.empty() || IsDirectory(path)) return absl::OkStatus();
    const std::string parent = ParentPath(path);
    if (parent != path) RETURN_IF_ERROR(MakeDirs(parent));
    if (mkdir(path.c_str(), 0755) != 0) {
      const int error = errno;
      if (error == EEXIST && IsDirectory(path)) return absl::OkStatus();
      return ErrnoToStatus(error, "make folder", path);
    }
    return SyncFolder(parent);
  }

  absl::Status Rename(const std::string& from, const std::string& to) override {
    return RenameAndSync(from, to);
  }

  absl::Status RemoveAll(const std::string& path) override {
    std::error_code error;
    std::filesystem::remove_all(path, error);
    if (error) return ErrnoToStatus(error.value(), "remove", path);
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<std::string>> List(const std::string& path) override {
    DIR* folder = opendir(path.c_str());
    if (folder == nullptr) return ErrnoToStatus(errno, "list", path);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = readdir(folder)) {
      const absl::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
      errno = 0;
    }
    const int error = errno;
    closedir(folder);
    if (error != 0) return ErrnoToStatus(error, "list", path);
    std::sort(names.begin(), names.end());
    return names;
  }

  bool Exists(const std::string& path) override {
    struct stat info;
    return lstat(path.c_str(), &info) == 0;
  }

  bool IsDirectory(const std::string& path) override {
    struct stat info;
    return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
  }

  absl::StatusOr<int64_t> Size(const std::string& path) override {
    struct stat info;
    if (stat(path.c_str(), &info) != 0) return ErrnoToStatus(errno, "stat", path);
    if (!S_ISREG(info.st_mode)) {
      return absl::FailedPreconditionError(absl::StrCat("\"", path, "\" is not a regular file"));
    }
    return static_cast<int64_t>(info.st_size);
  }
};

}  // namespace

FileSystem* FileSystem::Real() {
  static RealFileSystem file_system;
  return &file_system;
}

std::string JoinPath(absl::string_view folder, absl::string_view name) {
  if (folder.empty()) return std::string(name);
  return absl::StrCat(folder, folder.back() == '/' ? "" : "/", name);
}

std::string ParentPath(absl::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  if (slash == absl::string_view::npos) return ".";
  return std::string(slash == 0 ? "/" : path.substr(0, slash));
}

absl::Status ErrnoToStatus(int error, absl::string_view doing, absl::string_view path) {
  const std::string message =
      absl::StrCat("cannot ", doing, " \"", path, "\": ", std::generic_category().message(error));
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(message);
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return absl::ResourceExhaustedError(message);
    case EEXIST:
    case ENOTEMPTY:
    case ENOTDIR:
    case EISDIR:
    case EXDEV:
    case ELOOP:
    case EROFS:
      return absl::FailedPreconditionError(message);
    case ENAMETOOLONG:
    case EINVAL:
      return absl::InvalidArgumentError(message);
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(message);
    default:
      return absl::InternalError(message);
  }
}

}  // namespace fovea
