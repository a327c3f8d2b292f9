#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/train/metrics.h"
#include "core/train/metrics_common.h"

namespace fovea {
namespace {

using metrics_internal::Counts;

// Sums over the examples that have a known label, each seen as a set of labels.
struct ExampleSums {
  double precision = 0, recall = 0, f1 = 0, jaccard = 0;
  int64_t examples = 0;
  int64_t exact = 0;
  int64_t wrong_decisions = 0;

  void Add(const Counts& example) {
    ++examples;
    const int64_t either = example.predicted + example.support - example.true_positives;
    wrong_decisions += either - example.true_positives;
    exact += either == example.true_positives;
    const bool empty = either == 0;  // no label, true or predicted: right by definition
    precision += empty ? 1 : example.precision();
    recall += empty ? 1 : example.recall();
    f1 += empty ? 1 : example.f1();
    jaccard +=
        empty ? 1 : static_cast<double>(example.true_positives) / static_cast<double>(either);
  }
};

void SetExampleMeasures(const ExampleSums& sums, int64_t known, v1::MultiLabelMeasures& measures) {
  const auto n = static_cast<double>(sums.examples);
  measures.set_hamming_loss(static_cast<double>(sums.wrong_decisions) / static_cast<double>(known));
  measures.set_subset_accuracy(static_cast<double>(sums.exact) / n);
  measures.mutable_example()->set_precision(sums.precision / n);
  measures.mutable_example()->set_recall(sums.recall / n);
  measures.mutable_example()->set_f1(sums.f1 / n);
  measures.set_jaccard(sums.jaccard / n);
}

}  // namespace

absl::StatusOr<v1::Report> MeasureMultiLabel(absl::Span<const std::string> labels,
                                             absl::Span<const float> probabilities,
                                             absl::Span<const uint8_t> truth,
                                             absl::Span<const double> thresholds) {
  const size_t width = labels.size();
  const size_t examples = width == 0 ? 0 : truth.size() / width;
  RETURN_IF_ERROR(metrics_internal::CheckProbabilities(probabilities, width, examples));
  if (truth.size() != probabilities.size() || thresholds.size() != width) {
    return absl::InvalidArgumentError(absl::StrCat("found ", truth.size(), " truth values and ",
                                                   thresholds.size(), " thresholds, expected ",
                                                   probabilities.size(), " and ", width));
  }

  std::vector<Counts> counts(width);
  ExampleSums sums;
  double log_loss = 0;
  int64_t known = 0;
  for (size_t i = 0; i < examples; ++i) {
    Counts example;
    const int64_t known_before = known;
    for (size_t label = 0; label < width; ++label) {
      if (truth[i * width + label] == kUnknownTruth) continue;
      ++known;
      const double probability = probabilities[i * width + label];
      const bool is_true = truth[i * width + label] != 0;
      const bool is_predicted = probability >= thresholds[label];
      counts[label].Add(is_predicted, is_true);
      example.Add(is_predicted, is_true);
      log_loss += metrics_internal::ClippedLogLoss(is_true ? probability : 1 - probability);
    }
    if (known > known_before) sums.Add(example);
  }
  if (known == 0) return absl::FailedPreconditionError("found no known label, expected some");

  v1::Report report;
  report.set_task(v1::TASK_MULTI_LABEL);
  v1::Measures& measures = *report.mutable_measures();
  measures.set_examples(examples);
  measures.set_log_loss(log_loss / static_cast<double>(known));
  v1::MultiLabelMeasures& multi = *measures.mutable_multi_label();
  SetExampleMeasures(sums, known, multi);
  *multi.mutable_micro() = metrics_internal::MicroAverage(counts);
  *multi.mutable_macro() = metrics_internal::MacroAverage(counts);
  *multi.mutable_weighted() = metrics_internal::WeightedAverage(counts);
  const auto means = metrics_internal::AddLabelReports(
      labels, counts, probabilities,
      [&](size_t i, size_t label) {
        const uint8_t found = truth[i * width + label];
        return found == kUnknownTruth ? std::nullopt : std::optional<bool>(found != 0);
      },
      report);
  if (means.average_precision) multi.set_mean_average_precision(*means.average_precision);
  if (means.roc_auc.has_value()) multi.set_macro_roc_auc(*means.roc_auc);
  for (size_t label = 0; label < width; ++label) {
    report.mutable_labels(static_cast<int>(label))->set_threshold(thresholds[label]);
  }
  return report;
}

}  // namespace fovea
