// Which format lies at a path, and the files of a folder of one.
#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/file_system.h"
#include "core/base/status.h"
#include "core/data/import_private.h"

namespace fovea {
namespace internal {

absl::StatusOr<std::vector<std::string>> ListFilesOf(const std::string& root,
                                                     absl::string_view path,
                                                     absl::string_view ending) {
  ASSIGN_OR_RETURN(const std::string resolved, ResolveUnderRoot(root, path));
  if (!FileSystem::Real()->IsDirectory(resolved)) {
    return std::vector<std::string>{std::string(path)};
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> names, FileSystem::Real()->List(resolved));
  std::vector<std::string> files;
  for (const std::string& name : names) {
    if (!absl::StartsWith(name, ".") && absl::EndsWithIgnoreCase(name, ending)) {
      files.push_back(path == "." ? name : JoinPath(path, name));
    }
  }
  if (files.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("folder \"", path, "\" has no ", ending, " file"));
  }
  return files;
}

}  // namespace internal

absl::StatusOr<ImportFormat> DetectImportFormat(const std::string& root, absl::string_view path) {
  ASSIGN_OR_RETURN(const std::string resolved, ResolveUnderRoot(root, path));
  if (FileSystem::Real()->IsDirectory(resolved)) {
    if (internal::ListFilesOf(root, path, ".tar").ok()) return ImportFormat::kWebDataset;
    if (internal::ListFilesOf(root, path, ".bin").ok()) return ImportFormat::kCifarBinary;
    return ImportFormat::kFolderPerClass;
  }
  const std::string name = absl::AsciiStrToLower(path);
  const auto ends = [&](absl::string_view ending) { return absl::EndsWith(name, ending); };
  if (ends(".csv")) return ImportFormat::kCsvManifest;
  if (ends(".jsonl") || ends(".ndjson")) return ImportFormat::kJsonLines;
  if (ends(".bin")) return ImportFormat::kCifarBinary;
  if (ends(".tar")) return ImportFormat::kWebDataset;
  return absl::InvalidArgumentError(absl::StrCat(
      "cannot tell the format of \"", path,
      "\" by its name, expected a folder or a .csv, .jsonl, .ndjson, .bin or .tar file"));
}

}  // namespace fovea
