#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/train/metrics.h"
#include "core/train/metrics_common.h"

namespace fovea {
namespace {

using metrics_internal::Counts;

absl::Status CheckTruth(absl::Span<const int32_t> truth, size_t labels) {
  for (size_t i = 0; i < truth.size(); ++i) {
    if (truth[i] >= 0 && static_cast<size_t>(truth[i]) < labels) continue;
    return absl::InvalidArgumentError(absl::StrCat("found label index ", truth[i], " for example ",
                                                   i, ", expected 0 to ", labels - 1));
  }
  return absl::OkStatus();
}

// How many labels stand before the true one when the most probable comes first; 0: it is right.
size_t RankOfTruth(absl::Span<const float> row, size_t truth) {
  size_t before = 0;
  for (size_t label = 0; label < row.size(); ++label) {
    before += row[label] > row[truth] || (row[label] == row[truth] && label < truth);
  }
  return before;
}

void AddTopK(absl::Span<const size_t> ranks, size_t labels, v1::SingleLabelMeasures& measures) {
  for (const size_t k : {size_t{1}, size_t{5}}) {
    if (labels <= k) continue;
    const auto hits = std::count_if(ranks.begin(), ranks.end(), [k](size_t r) { return r < k; });
    v1::TopKAccuracy& top = *measures.add_top_k();
    top.set_k(static_cast<uint32_t>(k));
    top.set_accuracy(static_cast<double>(hits) / static_cast<double>(ranks.size()));
  }
}

}  // namespace

absl::StatusOr<v1::Report> MeasureSingleLabel(absl::Span<const std::string> labels,
                                              absl::Span<const float> probabilities,
                                              absl::Span<const int32_t> truth) {
  const size_t width = labels.size();
  RETURN_IF_ERROR(metrics_internal::CheckProbabilities(probabilities, width, truth.size()));
  RETURN_IF_ERROR(CheckTruth(truth, width));

  std::vector<Counts> counts(width);
  std::vector<size_t> ranks(truth.size());
  std::map<std::pair<uint32_t, uint32_t>, uint64_t> confusion;
  double log_loss = 0;
  for (size_t i = 0; i < truth.size(); ++i) {
    const absl::Span<const float> row = probabilities.subspan(i * width, width);
    const auto predicted =
        static_cast<size_t>(std::max_element(row.begin(), row.end()) - row.begin());
    const auto actual = static_cast<size_t>(truth[i]);
    ++counts[actual].support;
    ++counts[predicted].predicted;
    counts[actual].true_positives += predicted == actual;
    ++confusion[{static_cast<uint32_t>(actual), static_cast<uint32_t>(predicted)}];
    ranks[i] = RankOfTruth(row, actual);
    log_loss += metrics_internal::ClippedLogLoss(row[actual]);
  }

  v1::Report report;
  report.set_task(v1::TASK_SINGLE_LABEL);
  v1::Measures& measures = *report.mutable_measures();
  measures.set_examples(truth.size());
  measures.set_log_loss(log_loss / static_cast<double>(truth.size()));
  v1::SingleLabelMeasures& single = *measures.mutable_single_label();
  AddTopK(ranks, width, single);
  *single.mutable_micro() = metrics_internal::MicroAverage(counts);
  *single.mutable_macro() = metrics_internal::MacroAverage(counts);
  *single.mutable_weighted() = metrics_internal::WeightedAverage(counts);
  single.set_accuracy(single.micro().recall());
  single.set_balanced_accuracy(metrics_internal::BalancedAccuracy(counts));
  const auto means = metrics_internal::AddLabelReports(
      labels, counts, probabilities,
      [&](size_t i, size_t label) { return static_cast<size_t>(truth[i]) == label; }, report);
  if (means.roc_auc.has_value()) single.set_macro_roc_auc(*means.roc_auc);
  for (const auto& [cell, count] : confusion) {
    v1::ConfusionCell& out = *report.mutable_confusion_matrix()->add_cells();
    out.set_truth(cell.first);
    out.set_predicted(cell.second);
    out.set_count(count);
  }
  return report;
}

}  // namespace fovea
