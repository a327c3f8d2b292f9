// One labelled picture as a JSON object, as JSON-lines manifests and WebDataset's .json members
// have them: {"file": "a.png", "labels": ["cat", 3], "split": "test"}.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/data/dataset_types.h"

namespace fovea {

struct JsonRecord {
  std::optional<std::string> file;
  std::optional<std::vector<std::string>> labels;  // absent: neither "label" nor "labels"
  std::optional<Split> split;
};

// A label may be a string, a whole number or a boolean. Members of other names are ignored.
// InvalidArgument when the text is no JSON object, or a member is of another kind than these.
absl::StatusOr<JsonRecord> ParseJsonRecord(absl::string_view text);

}  // namespace fovea
