#include "client/image_source.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/csv.h"
#include "core/base/file_system.h"
#include "core/base/status.h"

namespace fovea::cli {
namespace {

// The visible names in a folder that are folders (or that are not), sorted.
absl::StatusOr<std::vector<std::string>> Names(const std::string& folder, bool folders) {
  FileSystem* file_system = FileSystem::Real();
  ASSIGN_OR_RETURN(const std::vector<std::string> all, file_system->List(folder));
  std::vector<std::string> names;
  for (const std::string& name : all) {
    if (absl::StartsWith(name, ".")) continue;
    if (file_system->IsDirectory(JoinPath(folder, name)) == folders) names.push_back(name);
  }
  return names;
}

absl::StatusOr<ImageFile> FromRecord(const CsvRecord& record, const std::string& folder,
                                     bool split_column) {
  ImageFile file;
  file.name = record.fields[0];
  if (file.name.empty()) return absl::InvalidArgumentError("found no path");
  file.path = absl::StartsWith(file.name, "/") ? file.name : JoinPath(folder, file.name);
  size_t next = 1;
  if (split_column) {
    if (record.fields.size() < 2) {
      return absl::InvalidArgumentError("expected path, split, labels; found only a path");
    }
    ASSIGN_OR_RETURN(file.split, ParseSplit(record.fields[1]));
    next = 2;
  }
  if (record.fields.size() > next) {
    file.labels.emplace();
    for (size_t i = next; i < record.fields.size(); ++i) {
      // A lone empty field says "none applies"; any other empty one is for the server to refuse.
      const bool none = record.fields[i].empty() && record.fields.size() == next + 1;
      if (!none) file.labels->push_back(record.fields[i]);
    }
  }
  return file;
}

}  // namespace

absl::StatusOr<v1::Split> ParseSplit(absl::string_view name) {
  if (name.empty()) return v1::SPLIT_UNSPECIFIED;
  if (name == "train") return v1::SPLIT_TRAIN;
  if (name == "validation") return v1::SPLIT_VALIDATION;
  if (name == "test") return v1::SPLIT_TEST;
  return absl::InvalidArgumentError(
      absl::StrCat("split \"", name, "\": expected train, validation or test"));
}

absl::StatusOr<std::vector<ImageFile>> ListFolderPerClass(const std::string& folder) {
  std::vector<ImageFile> files;
  ASSIGN_OR_RETURN(const std::vector<std::string> unlabelled, Names(folder, /*folders=*/false));
  for (const std::string& name : unlabelled) {
    files.push_back({.path = JoinPath(folder, name), .name = name, .labels = std::nullopt});
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> labels, Names(folder, /*folders=*/true));
  for (const std::string& label : labels) {
    const std::string class_folder = JoinPath(folder, label);
    ASSIGN_OR_RETURN(const std::vector<std::string> images, Names(class_folder, false));
    for (const std::string& image : images) {
      files.push_back({.path = JoinPath(class_folder, image),
                       .name = JoinPath(label, image),
                       .labels = std::vector<std::string>{label}});
    }
  }
  return files;
}

absl::StatusOr<std::vector<ImageFile>> ReadManifest(const std::string& path, bool split_column) {
  ASSIGN_OR_RETURN(const std::string text, FileSystem::Real()->Read(path));
  absl::StatusOr<std::vector<CsvRecord>> records = ParseCsv(text);
  if (!records.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", records.status().message()));
  }
  const std::string folder = ParentPath(path);
  std::vector<ImageFile> files;
  for (const CsvRecord& record : *records) {
    absl::StatusOr<ImageFile> file = FromRecord(record, folder, split_column);
    if (!file.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, " line ", record.line, ": ", file.status().message()));
    }
    files.push_back(*std::move(file));
  }
  return files;
}

absl::StatusOr<v1::ImportItem> ReadItem(const ImageFile& file) {
  v1::ImportItem item;
  ASSIGN_OR_RETURN(*item.mutable_image(), FileSystem::Real()->Read(file.path));
  item.set_name(file.name);
  item.set_split(file.split);
  if (file.labels.has_value()) {
    item.mutable_labels()->mutable_names()->Assign(file.labels->begin(), file.labels->end());
  }
  return item;
}

}  // namespace fovea::cli
