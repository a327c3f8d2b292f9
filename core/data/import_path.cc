#include "core/data/import_path.h"

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/file_system.h"
#include "core/base/status.h"
#include "core/data/import_private.h"

namespace fovea {
namespace internal {

absl::Status CheckRelative(absl::string_view path) {
  const auto fault = [&](absl::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat("path \"", absl::CHexEscape(path.substr(0, 200)), "\" ", what));
  };
  if (path.empty()) return fault("is empty, expected a path below the data root");
  if (path[0] == '/') return fault("is absolute, expected a path relative to the data root");
  if (absl::StrContains(path, '\0')) return fault("contains a NUL byte");
  for (absl::string_view part : absl::StrSplit(path, '/')) {
    if (part == "..") return fault("contains \"..\", expected a path below the data root");
  }
  return absl::OkStatus();
}

absl::Status ImportFile(const ImportPathOptions& options, const std::string& path,
                        std::optional<std::vector<std::string>> labels, ImportSink* sink) {
  RETURN_IF_ERROR(CheckNotCancelled(options.cancel));
  const auto reject = [&](ImportFault fault, const absl::Status& status) {
    return sink->Reject(path, fault, std::string(status.message()));
  };
  const absl::StatusOr<std::string> resolved = ResolveUnderRoot(options.root, path);
  if (absl::IsInvalidArgument(resolved.status())) {
    return reject(ImportFault::kOutsideDataRoot, resolved.status());
  }
  if (!resolved.ok()) return reject(ImportFault::kNotFound, resolved.status());
  // Also refuses what is no regular file: reading a pipe would wait for ever.
  const absl::StatusOr<int64_t> size = FileSystem::Real()->Size(*resolved);
  if (!size.ok()) return reject(ImportFault::kNotFound, size.status());
  if (*size > options.limits.max_bytes) {
    return sink->Reject(path, ImportFault::kOversized,
                        absl::StrCat("image has ", *size, " bytes, at most ",
                                     options.limits.max_bytes, " allowed"));
  }
  absl::StatusOr<std::string> bytes = FileSystem::Real()->Read(*resolved);
  if (!bytes.ok()) return reject(ImportFault::kNotFound, bytes.status());
  return sink->Add({path, *std::move(bytes), std::move(labels), options.split});
}

}  // namespace internal

namespace {

absl::StatusOr<std::string> RealPath(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> real(realpath(path.c_str(), nullptr), std::free);
  if (real == nullptr) return ErrnoToStatus(errno, "resolve", path);
  return std::string(real.get());
}

bool IsHidden(absl::string_view name) { return absl::StartsWith(name, "."); }

absl::Status ImportLabelFolder(const ImportPathOptions& options, const std::string& path,
                               const std::string& real_path, const std::string& label,
                               ImportSink* sink) {
  FileSystem* files = FileSystem::Real();
  ASSIGN_OR_RETURN(const std::vector<std::string> names, files->List(real_path));
  for (const std::string& name : names) {
    if (IsHidden(name) || files->IsDirectory(JoinPath(real_path, name))) continue;
    RETURN_IF_ERROR(
        internal::ImportFile(options, JoinPath(path, name), std::vector<std::string>{label}, sink));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ResolveUnderRoot(const std::string& root, absl::string_view path) {
  RETURN_IF_ERROR(internal::CheckRelative(path));
  ASSIGN_OR_RETURN(const std::string real_root, RealPath(root));
  const absl::StatusOr<std::string> real = RealPath(JoinPath(real_root, path));
  if (!real.ok()) {
    // Say the path the client gave, not where the root lies on this machine.
    if (absl::IsNotFound(real.status())) {
      return absl::NotFoundError(
          absl::StrCat("no file or folder \"", path, "\" below the data ", "root"));
    }
    return real.status();
  }
  const std::string below = real_root == "/" ? "/" : real_root + "/";
  if (*real != real_root && !absl::StartsWith(*real, below)) {
    return absl::InvalidArgumentError(
        absl::StrCat("path \"", path, "\" leads out of the data root through a symbolic link"));
  }
  return *real;
}

absl::Status ImportFolderPerClass(const ImportPathOptions& options, absl::string_view path,
                                  ImportSink* sink) {
  FileSystem* files = FileSystem::Real();
  ASSIGN_OR_RETURN(const std::string folder, ResolveUnderRoot(options.root, path));
  if (!files->IsDirectory(folder)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", path, "\" is not a folder, expected one folder per label in it"));
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> names, files->List(folder));
  for (const std::string& name : names) {
    if (IsHidden(name)) continue;
    const std::string inside = JoinPath(path, name);
    if (!files->IsDirectory(JoinPath(folder, name))) {
      RETURN_IF_ERROR(internal::ImportFile(options, inside, std::nullopt, sink));
      continue;
    }
    const absl::StatusOr<std::string> resolved = ResolveUnderRoot(options.root, inside);
    if (resolved.ok()) {
      RETURN_IF_ERROR(ImportLabelFolder(options, inside, *resolved, name, sink));
    } else {
      RETURN_IF_ERROR(sink->Reject(inside, ImportFault::kOutsideDataRoot,
                                   std::string(resolved.status().message())));
    }
  }
  return absl::OkStatus();
}

}  // namespace fovea
