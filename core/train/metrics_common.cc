#include "core/train/metrics_common.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/train/metrics.h"
#include "core/train/ranking.h"

namespace fovea {
namespace metrics_internal {
namespace {

double Ratio(double numerator, double denominator) {
  return denominator == 0 ? 0 : numerator / denominator;
}

// A mean over those that are defined.
class DefinedMean {
 public:
  void Add(std::optional<double> value) {
    if (!value.has_value()) return;
    sum_ += *value;
    ++count_;
  }
  std::optional<double> Get() const {
    return count_ == 0 ? std::nullopt : std::optional<double>(sum_ / count_);
  }

 private:
  double sum_ = 0;
  int count_ = 0;
};

}  // namespace

void Counts::Add(bool is_predicted, bool is_true) {
  true_positives += is_predicted && is_true;
  predicted += is_predicted;
  support += is_true;
}

double Counts::precision() const {
  return Ratio(static_cast<double>(true_positives), static_cast<double>(predicted));
}

double Counts::recall() const {
  return Ratio(static_cast<double>(true_positives), static_cast<double>(support));
}

double Counts::f1() const {
  return Ratio(2.0 * static_cast<double>(true_positives), static_cast<double>(predicted + support));
}

double ClippedLogLoss(double probability_of_truth) {
  constexpr double kEpsilon = std::numeric_limits<float>::epsilon();
  return -std::log(std::clamp(probability_of_truth, kEpsilon, 1.0 - kEpsilon));
}

absl::Status CheckProbabilities(absl::Span<const float> probabilities, size_t labels,
                                size_t examples) {
  if (labels == 0) return absl::InvalidArgumentError("found no label to measure, expected some");
  if (examples == 0) {
    return absl::FailedPreconditionError("found no example to measure, expected some");
  }
  if (probabilities.size() != examples * labels) {
    return absl::InvalidArgumentError(absl::StrCat("found ", probabilities.size(),
                                                   " probabilities, expected ", examples, " x ",
                                                   labels, " (examples x labels)"));
  }
  for (size_t i = 0; i < probabilities.size(); ++i) {
    if (std::isfinite(probabilities[i])) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("the model gives example ", i / labels, " the probability ", probabilities[i],
                     " for label ", i % labels, ", expected a finite one: its weights diverged"));
  }
  return absl::OkStatus();
}

double BalancedAccuracy(absl::Span<const Counts> labels) {
  double sum = 0;
  int with_examples = 0;
  for (const Counts& label : labels) {
    if (label.support == 0) continue;
    sum += label.recall();
    ++with_examples;
  }
  return sum / with_examples;
}

v1::Average MicroAverage(absl::Span<const Counts> labels) {
  Counts all;
  for (const Counts& label : labels) {
    all.true_positives += label.true_positives;
    all.predicted += label.predicted;
    all.support += label.support;
  }
  v1::Average average;
  average.set_precision(all.precision());
  average.set_recall(all.recall());
  average.set_f1(all.f1());
  return average;
}

namespace {

// Σ weight · value / Σ weight, 0 when nothing weighs.
template <typename Weight>
v1::Average AverageOverLabels(absl::Span<const Counts> labels, Weight weight_of) {
  double precision = 0, recall = 0, f1 = 0, total = 0;
  for (const Counts& label : labels) {
    const double weight = weight_of(label);
    precision += weight * label.precision();
    recall += weight * label.recall();
    f1 += weight * label.f1();
    total += weight;
  }
  v1::Average average;
  average.set_precision(Ratio(precision, total));
  average.set_recall(Ratio(recall, total));
  average.set_f1(Ratio(f1, total));
  return average;
}

}  // namespace

v1::Average MacroAverage(absl::Span<const Counts> labels) {
  return AverageOverLabels(labels, [](const Counts&) { return 1.0; });
}

v1::Average WeightedAverage(absl::Span<const Counts> labels) {
  return AverageOverLabels(labels, [](const Counts& c) { return static_cast<double>(c.support); });
}

RankingMeans AddLabelReports(absl::Span<const std::string> names, absl::Span<const Counts> counts,
                             absl::Span<const float> probabilities,
                             absl::FunctionRef<std::optional<bool>(size_t, size_t)> truth_of,
                             v1::Report& report) {
  const size_t examples = probabilities.size() / names.size();
  std::vector<float> scores;
  std::vector<uint8_t> truth;
  DefinedMean average_precisions, areas;
  for (size_t label = 0; label < names.size(); ++label) {
    scores.clear();
    truth.clear();
    for (size_t i = 0; i < examples; ++i) {
      const std::optional<bool> is_true = truth_of(i, label);
      if (!is_true.has_value()) continue;
      scores.push_back(probabilities[i * names.size() + label]);
      truth.push_back(*is_true);
    }
    v1::LabelReport& row = *report.add_labels();
    row.set_label(names[label]);
    row.set_support(counts[label].support);
    row.set_precision(counts[label].precision());
    row.set_recall(counts[label].recall());
    row.set_f1(counts[label].f1());
    const std::optional<double> average_precision = AveragePrecision(scores, truth);
    if (average_precision.has_value()) row.set_average_precision(*average_precision);
    average_precisions.Add(average_precision);
    const std::optional<double> area = RocAuc(scores, truth);
    if (area.has_value()) row.set_roc_auc(*area);
    areas.Add(area);
  }
  return {average_precisions.Get(), areas.Get()};
}

}  // namespace metrics_internal

}  // namespace fovea
