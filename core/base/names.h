// The names users give to data sets, models and jobs.
//
// They become file and folder names and parts of metrics, so the alphabet is small:
// [a-z0-9][a-z0-9._-]{0,62}. No name can be "..", hidden, or contain a slash.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace fovea {

// InvalidArgument, naming `what` ("data set", "model") and the first fault, unless `name` is valid.
absl::Status ValidateName(absl::string_view what, absl::string_view name);

}  // namespace fovea
