// MakeGolden: what a model says of some pictures, to be kept with it.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/backend/backend.h"
#include "core/data/dataset.h"
#include "core/model/model.h"

namespace fovea {

// Pixels of the first `count` examples, or of all where there are fewer.
absl::StatusOr<std::vector<std::vector<uint8_t>>> FirstPixels(const Dataset& dataset, int count);

// Runs `pixels` through the model in the precision of its manifest.
absl::StatusOr<v1::Golden> MakeGolden(const Model& model, const Backend& backend,
                                      absl::Span<const std::vector<uint8_t>> pixels);

}  // namespace fovea
