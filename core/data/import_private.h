// What the readers of import_*.cc share.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/data/import_path.h"

namespace fovea::internal {

// InvalidArgument when `path` is empty, absolute, or contains ".." or a NUL.
absl::Status CheckRelative(absl::string_view path);

// Reads the file at `path`, relative to the root, and adds it; or rejects it when it is outside the
// root, absent, not a regular file, or too large.
absl::Status ImportFile(const ImportPathOptions& options, const std::string& path,
                        std::optional<std::vector<std::string>> labels, ImportSink* sink);

}  // namespace fovea::internal
