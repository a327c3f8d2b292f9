// TargetScale: regression is trained on standardised targets, (y − mean) / deviation over the
// training split, whatever their units; what the net says is turned back, and the published model
// has it in the weights of its last layer.
//
// Targets in [0, 1] (TASK_UNIT_REGRESSION) stay as they are. Pure but for reading the data set.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/data/dataset.h"
#include "core/graph/graph.h"
#include "core/graph/quantization.h"
#include "core/tensor/tensor.h"

namespace fovea {

struct TargetScale {
  std::vector<double> mean;       // one a target
  std::vector<double> deviation;  // > 0; 1 for a target that never changes
};

// Over all examples of `dataset`. Reads every target.
absl::StatusOr<TargetScale> FindTargetScale(const Dataset& dataset);

// y = mean + deviation · z for each value of `values` [n, targets].
void ToUnits(const TargetScale& scale, std::vector<float>& values);

// Makes the layer that computes the graph's first output, a dense one with bias, give units: its
// weights and bias in `values` change, and where they are known the scales of its weights in
// `quantization`. InvalidArgument when it is another layer.
absl::Status FoldTargetScale(const TargetScale& scale, const Graph& graph,
                             std::map<std::string, Tensor>& values, Quantization& quantization);

// A data set with standardised targets. `dataset` outlives it.
class ScaledDataset : public Dataset {
 public:
  ScaledDataset(const Dataset& dataset, TargetScale scale)
      : dataset_(dataset), scale_(std::move(scale)) {}
  int64_t size() const override { return dataset_.size(); }
  PixelShape shape() const override { return dataset_.shape(); }
  int labels() const override { return dataset_.labels(); }
  absl::Status Read(int64_t i, uint8_t* pixels, float* target) const override;
  absl::Status ReadTarget(int64_t i, float* target) const override;
  std::string Id(int64_t i) const override { return dataset_.Id(i); }

 private:
  void Scale(float* target) const;

  const Dataset& dataset_;
  const TargetScale scale_;
};

}  // namespace fovea
