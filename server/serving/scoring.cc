#include "server/serving/scoring.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

namespace fovea {

std::vector<Scored> TopLabels(absl::Span<const float> probabilities, int k,
                              absl::Span<const float> thresholds) {
  std::vector<int> order(probabilities.size());
  std::iota(order.begin(), order.end(), 0);
  const size_t kept = std::min(order.size(), static_cast<size_t>(std::max(k, 0)));
  std::partial_sort(
      order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept), order.end(),
      [&](int a, int b) {
        return probabilities[a] != probabilities[b] ? probabilities[a] > probabilities[b] : a < b;
      });
  std::vector<Scored> labels;
  labels.reserve(kept);
  for (size_t i = 0; i < kept; ++i) {
    const int index = order[i];
    const bool applies = thresholds.empty() ? i == 0 : probabilities[index] >= thresholds[index];
    labels.push_back({index, probabilities[index], applies});
  }
  return labels;
}

std::vector<Scored> BinaryLabels(float probability, int k, float threshold) {
  const float both[] = {1 - probability, probability};
  std::vector<Scored> labels = TopLabels(both, k, {});
  const int applies = probability >= threshold ? 1 : 0;
  for (Scored& label : labels) label.applies = label.index == applies;
  return labels;
}

}  // namespace fovea
