// How a model's probabilities become decisions: thresholds by label and the open-set rule, given by
// the configuration or found on validation data.
//
// Pure. Tuned thresholds are floats in [0, 1], held in double: a score decides alike in both. Where
// several are equally good, the one nearest to 0.5 is taken.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "core/train/evaluate.h"
#include "fovea/v1/decisions.pb.h"
#include "fovea/v1/training.pb.h"

namespace fovea {

// The threshold on `scores` (in [0, 1]; the label is predicted from it on) that serves the goal
// best, given `truth` (0 or 1); both have one entry an example. 0.5 without an example, and for F1
// and precision without a true one.
//   F1         the largest 2 TP / (predicted + true)
//   Hamming    the fewest wrong decisions
//   precision  the most true positives among the thresholds that reach it, the largest precision
//              of equals; where none does, the most precise, of these with the most true positives
double TuneThreshold(const v1::TunedThresholds& goal, absl::Span<const float> scores,
                     absl::Span<const uint8_t> truth);

// The largest threshold that accepts at least `share` of the scores (in (0, 1]; scores not empty).
double AcceptingThreshold(std::vector<double> scores, double share);

// What needs no data: given thresholds, 0.5 for those to be tuned, no open-set rule.
Decisions GivenDecisions(const v1::TrainingConfig& config, absl::Span<const std::string> labels);

// Whether anything is to be found on validation data.
bool NeedsTuning(const v1::TrainingConfig& config);

// All decisions, found on `validation` where the configuration asks for it.
Decisions TuneDecisions(const v1::TrainingConfig& config, absl::Span<const std::string> labels,
                        const Predictions& validation);

}  // namespace fovea
