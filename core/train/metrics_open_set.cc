#include <algorithm>

#include "core/model/open_set.h"
#include "core/train/metrics.h"

namespace fovea {

v1::OpenSetMeasures MeasureOpenSet(const v1::OpenSetRule& rule,
                                   absl::Span<const float> probabilities,
                                   absl::Span<const float> logits,
                                   absl::Span<const int32_t> truth) {
  const size_t labels = probabilities.size() / truth.size();
  int64_t accepted = 0;
  int64_t right = 0;
  for (size_t i = 0; i < truth.size(); ++i) {
    const absl::Span<const float> row = probabilities.subspan(i * labels, labels);
    const double score =
        OpenSetScore(rule, row, logits.empty() ? logits : logits.subspan(i * labels, labels));
    if (score < rule.threshold()) continue;
    ++accepted;
    right += std::max_element(row.begin(), row.end()) - row.begin() == truth[i];
  }
  v1::OpenSetMeasures measures;
  measures.set_coverage(static_cast<double>(accepted) / static_cast<double>(truth.size()));
  if (accepted > 0) {
    measures.set_accepted_accuracy(static_cast<double>(right) / static_cast<double>(accepted));
  }
  measures.set_threshold(rule.threshold());
  return measures;
}

}  // namespace fovea
