// Measures a classifier: probabilities and truth in, a Report's measures, labels and confusion
// matrix out (the caller adds data set, split and time).
//
// Pure and deterministic; sums are in double. The definitions are scikit-learn's, computed over all
// L labels, also those that no example has. Where one divides by zero:
//   precision, recall, F1       0, and count in the averages (zero_division=0);
//   balanced accuracy           the mean over labels that have examples;
//   ROC AUC, average precision  absent, and left out of their means;
//   per-example averages and Jaccard of an example with no label, true or predicted: 1.
// Log loss clips probabilities to [2⁻²³, 1 − 2⁻²³] (the epsilon of float, as scikit-learn does).
//
// Errors: FailedPrecondition without examples or when a probability is not finite (a model that
// diverged); InvalidArgument for sizes that do not fit, or a label index out of range.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "fovea/v1/decisions.pb.h"
#include "fovea/v1/report.pb.h"

namespace fovea {

// One label an example. probabilities [n, L], row by row; truth [n], label indices. The predicted
// label is the most probable one, the first of equals; ranks for top-k break ties the same way.
absl::StatusOr<v1::Report> MeasureSingleLabel(absl::Span<const std::string> labels,
                                              absl::Span<const float> probabilities,
                                              absl::Span<const int32_t> truth);

// Truth of a label of which nothing is known.
inline constexpr uint8_t kUnknownTruth = 2;

// Any number of labels an example. probabilities and truth (0, 1 or kUnknownTruth) [n, L];
// thresholds [L]: a label is predicted where its probability is at least its threshold. Unknown
// labels count nowhere: every measure is of the known ones, per-example measures are means over the
// examples that have one, and FailedPrecondition when there is none at all.
absl::StatusOr<v1::Report> MeasureMultiLabel(absl::Span<const std::string> labels,
                                             absl::Span<const float> probabilities,
                                             absl::Span<const uint8_t> truth,
                                             absl::Span<const double> thresholds);

// One of two labels an example, negative and positive. probabilities of the positive label and
// truth (0 or 1) [n]; it is predicted where its probability is at least `threshold`. Label rows and
// the confusion matrix are of both labels.
absl::StatusOr<v1::Report> MeasureBinary(absl::Span<const std::string> labels,
                                         absl::Span<const float> probabilities,
                                         absl::Span<const uint8_t> truth, double threshold);

// Numbers for each example: values and truth [n, targets]. `task` is one of the regressions. R² is
// absent where the true values are all equal. Log loss is 0.
absl::StatusOr<v1::Report> MeasureRegression(v1::Task task, absl::Span<const std::string> targets,
                                             absl::Span<const float> values,
                                             absl::Span<const float> truth);

// What open-set rejection makes of examples of known labels. Arguments as of MeasureSingleLabel and
// right by its checks; logits [n, L], read for the energy only.
v1::OpenSetMeasures MeasureOpenSet(const v1::OpenSetRule& rule,
                                   absl::Span<const float> probabilities,
                                   absl::Span<const float> logits, absl::Span<const int32_t> truth);

}  // namespace fovea
