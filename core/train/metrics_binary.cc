#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/train/metrics.h"
#include "core/train/metrics_common.h"
#include "core/train/ranking.h"

namespace fovea {
namespace {

using metrics_internal::Counts;

// cells[truth][predicted].
void AddConfusion(const int64_t (&cells)[2][2], v1::Report& report) {
  for (uint32_t truth = 0; truth < 2; ++truth) {
    for (uint32_t predicted = 0; predicted < 2; ++predicted) {
      if (cells[truth][predicted] == 0) continue;
      v1::ConfusionCell& out = *report.mutable_confusion_matrix()->add_cells();
      out.set_truth(truth);
      out.set_predicted(predicted);
      out.set_count(cells[truth][predicted]);
    }
  }
}

// The negative label's probability is what is left of the positive one's.
std::vector<float> BothProbabilities(absl::Span<const float> probabilities) {
  std::vector<float> both;
  for (const float p : probabilities) {
    both.push_back(1 - p);
    both.push_back(p);
  }
  return both;
}

}  // namespace

absl::StatusOr<v1::Report> MeasureBinary(absl::Span<const std::string> labels,
                                         absl::Span<const float> probabilities,
                                         absl::Span<const uint8_t> truth, double threshold) {
  if (labels.size() != 2) {
    return absl::InvalidArgumentError(absl::StrCat("found ", labels.size(), " labels, expected 2"));
  }
  const size_t examples = truth.size();
  RETURN_IF_ERROR(metrics_internal::CheckProbabilities(probabilities, 1, examples));

  Counts counts[2];
  int64_t cells[2][2] = {};
  double log_loss = 0, brier = 0;
  for (size_t i = 0; i < examples; ++i) {
    const double probability = probabilities[i];
    const bool is_true = truth[i] != 0;
    const bool is_predicted = probability >= threshold;
    counts[0].Add(!is_predicted, !is_true);
    counts[1].Add(is_predicted, is_true);
    ++cells[is_true][is_predicted];
    log_loss += metrics_internal::ClippedLogLoss(is_true ? probability : 1 - probability);
    const double error = probability - (is_true ? 1 : 0);
    brier += error * error;
  }

  const auto n = static_cast<double>(examples);
  v1::Report report;
  report.set_task(v1::TASK_BINARY);
  v1::Measures& measures = *report.mutable_measures();
  measures.set_examples(examples);
  measures.set_log_loss(log_loss / n);
  v1::BinaryMeasures& binary = *measures.mutable_binary();
  binary.set_accuracy(static_cast<double>(cells[0][0] + cells[1][1]) / n);
  binary.set_precision(counts[1].precision());
  binary.set_recall(counts[1].recall());
  binary.set_f1(counts[1].f1());
  binary.set_balanced_accuracy(metrics_internal::BalancedAccuracy(counts));
  binary.set_brier_score(brier / n);
  binary.set_threshold(threshold);
  metrics_internal::AddLabelReports(
      labels, counts, BothProbabilities(probabilities),
      [&](size_t i, size_t label) { return (truth[i] != 0) == (label == 1); }, report);
  report.mutable_labels(1)->set_threshold(threshold);
  if (const auto area = RocAuc(probabilities, truth)) binary.set_roc_auc(*area);
  if (const auto area = AveragePrecision(probabilities, truth)) binary.set_average_precision(*area);
  AddConfusion(cells, report);
  return report;
}

}  // namespace fovea
