// What may stand in a v1::Serving: the policy and the aliases of one model. Pure.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "fovea/v1/serving.pb.h"

namespace fovea {

// An id that cannot be taken for a version. InvalidArgument.
absl::Status ValidateAlias(absl::string_view alias);

// `versions`: those that the model has, ascending. InvalidArgument; NotFound for a version that is
// not among them.
absl::Status CheckPolicy(const v1::VersionPolicy& policy, absl::Span<const uint64_t> versions);
absl::Status CheckAliases(const v1::Serving& serving, absl::Span<const uint64_t> versions);

// FailedPrecondition when an alias or the policy names the version.
absl::Status CheckNotNamed(const v1::Serving& serving, uint64_t version);

}  // namespace fovea
