// What the readers of import_*.cc share.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/data/import_path.h"

namespace fovea::internal {

// InvalidArgument when `path` is empty, absolute, or contains ".." or a NUL.
absl::Status CheckRelative(absl::string_view path);

// Reads the file at `path`, relative to the root, and adds it; or rejects it when it is outside the
// root, absent, not a regular file, or too large.
absl::Status ImportFile(const ImportPathOptions& options, const std::string& path,
                        std::optional<std::vector<std::string>> labels, ImportSink* sink);

// The files, in order of name, whose names end with `ending`, of the folder at `path`; a `path`
// that is no folder is itself the one. Relative to the root, as `path`. NotFound, InvalidArgument
// when the folder has none.
absl::StatusOr<std::vector<std::string>> ListFilesOf(const std::string& root,
                                                     absl::string_view path,
                                                     absl::string_view ending);

}  // namespace fovea::internal
