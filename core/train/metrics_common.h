// What single-label and multi-label measures share. Private to core/train.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "fovea/v1/report.pb.h"

namespace fovea::metrics_internal {

// Decisions on one label (or on one example, over its labels).
struct Counts {
  int64_t true_positives = 0;
  int64_t predicted = 0;
  int64_t support = 0;

  void Add(bool is_predicted, bool is_true);

  // 0 where the divisor is 0.
  double precision() const;
  double recall() const;
  double f1() const;  // 2 TP / (predicted + support), which equals 2PR / (P + R)
};

// −log of the probability given to what was true, clipped.
double ClippedLogLoss(double probability_of_truth);

// Whether labels and examples exist, sizes fit, and every probability is finite; else as metrics.h
// says.
absl::Status CheckProbabilities(absl::Span<const float> probabilities, size_t labels,
                                size_t examples);

// The mean recall of the labels that have examples, of which there must be one.
double BalancedAccuracy(absl::Span<const Counts> labels);

// The three averages over labels of precision, recall and F1.
v1::Average MicroAverage(absl::Span<const Counts> labels);
v1::Average MacroAverage(absl::Span<const Counts> labels);
v1::Average WeightedAverage(absl::Span<const Counts> labels);

// The means over the labels for which they are defined; absent when no label defines them.
struct RankingMeans {
  std::optional<double> average_precision;
  std::optional<double> roc_auc;
};

// Appends one LabelReport a label, with everything but the threshold. probabilities [n, L];
// truth_of is absent where it is unknown.
RankingMeans AddLabelReports(
    absl::Span<const std::string> names, absl::Span<const Counts> counts,
    absl::Span<const float> probabilities,
    absl::FunctionRef<std::optional<bool>(size_t example, size_t label)> truth_of,
    v1::Report& report);

}  // namespace fovea::metrics_internal
