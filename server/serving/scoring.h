// From a row of probabilities to the labels that are answered. Pure.
#pragma once

#include <optional>
#include <vector>

#include "absl/types/span.h"

namespace fovea {

struct Scored {
  int index = 0;
  float probability = 0;
  bool applies = false;
  bool operator==(const Scored&) const = default;
};

// The k most probable labels, by falling probability, ties by index. Single-label (no thresholds):
// the first one applies. Multi-label (one threshold a label): those that reach their threshold.
std::vector<Scored> TopLabels(absl::Span<const float> probabilities, int k,
                              absl::Span<const float> thresholds);

// Binary: both labels, index 0 negative and 1 positive, from the positive one's probability. It
// applies from the threshold on, else the other one does. Order and k as TopLabels.
std::vector<Scored> BinaryLabels(float probability, int k, float threshold);

}  // namespace fovea
