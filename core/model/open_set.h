// Open-set rejection: whether a picture is of one of the labels that a model knows.
//
// A score is the larger, the better known the picture; below the rule's threshold it is rejected.
#pragma once

#include "absl/types/span.h"
#include "fovea/v1/decisions.pb.h"

namespace fovea {

// The score of one example. `probabilities` [labels] by softmax; `logits` [labels], read for the
// energy only. MaximumProbability: the largest probability (Hendrycks and Gimpel 2017). Energy:
// T log Σ exp(logit / T), the negative of Liu et al. 2020, eq. 4.
double OpenSetScore(const v1::OpenSetRule& rule, absl::Span<const float> probabilities,
                    absl::Span<const float> logits);

}  // namespace fovea
