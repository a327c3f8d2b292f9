#include "core/model/open_set.h"

#include <algorithm>
#include <cmath>

#include "core/base/check.h"

namespace fovea {

double OpenSetScore(const v1::OpenSetRule& rule, absl::Span<const float> probabilities,
                    absl::Span<const float> logits) {
  if (!rule.has_energy()) {
    CHECK(!probabilities.empty());
    return *std::max_element(probabilities.begin(), probabilities.end());
  }
  CHECK(!logits.empty());
  // The largest is taken out, so that nothing overflows.
  const double temperature = rule.energy().temperature();
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp((logit - largest) / temperature);
  return largest + temperature * std::log(sum);
}

}  // namespace fovea
