// FileSystem: the few file operations Fovea needs, behind an interface, so that a test can fail
// each of them and prove that nothing half-written is ever taken for whole.
//
// Errors: NotFound (no such path), ResourceExhausted (disk or quota full), FailedPrecondition (the
// path is in the way: exists, is not empty, is of another kind), PermissionDenied, Internal for the
// rest. Every message names the path. Implementations are thread-safe.
#pragma once

#include <cstdint>
#include <string>

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace fovea {

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // The real file system; lives as long as the process.
  static FileSystem* Real();

  virtual absl::StatusOr<std::string> Read(const std::string& path) = 0;

  // Writes the concatenated `parts` so that after a crash at any moment `path` holds either what
  // it held before or all of the new bytes: temporary file beside it, fsync, rename, fsync of the
  // folder. On an error the temporary file is removed. Durable on return. The temporary's name is
  // unique, ends in ".tmp" and starts with "."; List does not hide what a crash left behind.
  virtual absl::Status WriteAtomically(const std::string& path,
                                       absl::Span<const absl::string_view> parts) = 0;
  absl::Status WriteAtomically(const std::string& path, absl::string_view bytes) {
    return WriteAtomically(path, absl::MakeConstSpan(&bytes, 1));
  }

  // Creates the folder and the missing ones above it, durably. OK when it is there already.
  virtual absl::Status MakeDirs(const std::string& path) = 0;

  // Renames a file or folder, replacing a file or an empty folder, and syncs both parents. This is
  // how a staged folder is published: FailedPrecondition when `to` is a folder with content.
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;

  // Removes a file, or a folder with all it holds; does not follow symbolic links. OK when there
  // is nothing to remove.
  virtual absl::Status RemoveAll(const std::string& path) = 0;

  // The names (not paths) in a folder, sorted, without "." and "..".
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& path) = 0;

  virtual bool Exists(const std::string& path) = 0;
  virtual bool IsDirectory(const std::string& path) = 0;
  // Bytes of a regular file.
  virtual absl::StatusOr<int64_t> Size(const std::string& path) = 0;
};

// "a" + "b" -> "a/b"; no second slash when `folder` ends with one; `name` alone for an empty
// folder.
std::string JoinPath(absl::string_view folder, absl::string_view name);
// "a/b/c" -> "a/b"; "c" -> "."; "/c" -> "/".
std::string ParentPath(absl::string_view path);

// The Status of a failed system call: `doing` says what was tried ("write", "rename"), `path` on
// what, `error` is its errno.
absl::Status ErrnoToStatus(int error, absl::string_view doing, absl::string_view path);

}  // namespace fovea
