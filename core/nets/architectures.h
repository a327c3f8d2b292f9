// The architectures behind BuildNet: each is one file, listed in net.cc. Options are validated and
// complete (mean and std given) when these are called.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "core/nets/net.h"

namespace fovea {

absl::StatusOr<Net> BuildMlp(const NetOptions& options, int64_t batch);
absl::StatusOr<Net> BuildLenet(const NetOptions& options, int64_t batch);
absl::StatusOr<Net> BuildResnet8(const NetOptions& options, int64_t batch);
absl::StatusOr<Net> BuildResnet20(const NetOptions& options, int64_t batch);
absl::StatusOr<Net> BuildResnet56(const NetOptions& options, int64_t batch);
absl::StatusOr<Net> BuildResnet18(const NetOptions& options, int64_t batch);
absl::StatusOr<Net> BuildResnet34(const NetOptions& options, int64_t batch);
absl::StatusOr<Net> BuildResnet50(const NetOptions& options, int64_t batch);
absl::StatusOr<Net> BuildVgg11(const NetOptions& options, int64_t batch);
absl::StatusOr<Net> BuildVgg11Bn(const NetOptions& options, int64_t batch);
absl::StatusOr<Net> BuildMobilenetV2(const NetOptions& options, int64_t batch);
absl::StatusOr<Net> BuildMobilenetV3Small(const NetOptions& options, int64_t batch);

}  // namespace fovea
