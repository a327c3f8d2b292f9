// Labelled image files on this machine, as `fovea datasets import` reads them.
//
// A folder holds one folder per class: <folder>/<label>/<image>, in order of name; images directly
// in it are unlabelled. A manifest is a CSV file with a line per image, as the server reads one
// (CsvManifest in proto/fovea/v1/datasets.proto): path, label, label…; paths are relative to the
// manifest. "a.png," has no label that applies, "a.png" is unlabelled.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "fovea/v1/datasets.pb.h"

namespace fovea::cli {

struct ImageFile {
  std::string path;                                // to open it
  std::string name;                                // what errors call it
  std::optional<std::vector<std::string>> labels;  // absent: unlabelled
  v1::Split split = v1::SPLIT_UNSPECIFIED;
};

// Files and folders whose names start with "." are skipped. NotFound when the folder is absent.
absl::StatusOr<std::vector<ImageFile>> ListFolderPerClass(const std::string& folder);

// With `split_column`, a record's second field is its split (empty for none) and labels follow.
// InvalidArgument, naming the line, for a bad record. Images are not opened.
absl::StatusOr<std::vector<ImageFile>> ReadManifest(const std::string& path, bool split_column);

// The item to send: reads the image's bytes. NotFound when the file is absent.
absl::StatusOr<v1::ImportItem> ReadItem(const ImageFile& file);

// "train", "validation", "test" or "" (SPLIT_UNSPECIFIED); InvalidArgument for others.
absl::StatusOr<v1::Split> ParseSplit(absl::string_view name);

}  // namespace fovea::cli
