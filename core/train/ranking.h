// Measures of a ranking: how well scores order the examples that have a label before the others.
//
// Pure. `scores` and `truth` have one entry an example; truth is 0 or 1. Equal scores count as one
// rank, so the order of the examples never matters. Undefined measures are nullopt.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/types/span.h"

namespace fovea {

// The probability that a positive example scores higher than a negative one, a tie counting one
// half; from the sum of the positives' ranks, ties having the mean of their ranks. nullopt unless
// both kinds occur. Source: Hanley and McNeil 1982 (Wilcoxon's statistic).
std::optional<double> RocAuc(absl::Span<const float> scores, absl::Span<const uint8_t> truth);

// Σₙ (Rₙ − Rₙ₋₁) Pₙ over the distinct scores, from the highest on, with Pₙ and Rₙ the precision and
// recall of "score ≥ the n-th": the area under the step function, without interpolation (as
// sklearn.metrics.average_precision_score). nullopt without a positive example.
std::optional<double> AveragePrecision(absl::Span<const float> scores,
                                       absl::Span<const uint8_t> truth);

}  // namespace fovea
