// Divides new images among train, validation and test: a pure function.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "core/data/dataset_types.h"

namespace fovea {

// An image that has no split yet.
struct UnsplitImage {
  std::vector<int32_t> labels;  // indices, unique
  std::string content_hash;     // orders the images, together with the seed; unique
};

// The split of each image, in the order given. By iterative stratification (Sechidis, Tsoumakas,
// Vlahavas 2011): the label with the fewest images left is served first; each of its images goes to
// the split that lacks most of that label, then most images overall. `label_counts[l]` and `counts`
// are what the data set holds already. Integers only, so that every machine agrees; independent of
// the order of `images`. With one label an image, each label is within one image of the plan.
std::vector<Split> AssignSplits(const SplitPlan& plan, absl::Span<const UnsplitImage> images,
                                absl::Span<const SplitCounts> label_counts,
                                const SplitCounts& counts);

}  // namespace fovea
