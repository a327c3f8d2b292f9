#include "core/train/target_scale.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"

namespace fovea {

absl::StatusOr<TargetScale> FindTargetScale(const Dataset& dataset) {
  const auto targets = static_cast<size_t>(dataset.labels());
  const auto n = static_cast<double>(dataset.size());
  std::vector<float> target(targets);
  TargetScale scale{std::vector<double>(targets), std::vector<double>(targets)};
  for (int64_t i = 0; i < dataset.size(); ++i) {
    RETURN_IF_ERROR(dataset.ReadTarget(i, target.data()));
    for (size_t t = 0; t < targets; ++t) scale.mean[t] += target[t] / n;
  }
  for (int64_t i = 0; i < dataset.size(); ++i) {
    RETURN_IF_ERROR(dataset.ReadTarget(i, target.data()));
    for (size_t t = 0; t < targets; ++t) {
      const double distance = target[t] - scale.mean[t];
      scale.deviation[t] += distance * distance / n;
    }
  }
  for (double& deviation : scale.deviation) {
    deviation = std::sqrt(deviation);
    // What is left of rounding when all values are equal is no deviation.
    if (!(deviation > 1e-30)) deviation = 1;
  }
  return scale;
}

void ToUnits(const TargetScale& scale, std::vector<float>& values) {
  const size_t targets = scale.mean.size();
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t t = i % targets;
    values[i] = static_cast<float>(scale.mean[t] + scale.deviation[t] * values[i]);
  }
}

absl::Status FoldTargetScale(const TargetScale& scale, const Graph& graph,
                             std::map<std::string, Tensor>& values, Quantization& quantization) {
  const NodeId producer = graph.Producers()[graph.outputs()[0]];
  const Node* node = producer < 0 ? nullptr : &graph.nodes()[producer];
  const Dense* dense = node == nullptr ? nullptr : std::get_if<Dense>(&node->attrs);
  if (dense == nullptr || !dense->has_bias) {
    return absl::InvalidArgumentError(
        absl::StrCat("the last layer is \"", node == nullptr ? "" : node->name,
                     "\", expected a dense one with bias to put the targets' units in"));
  }
  Tensor& weights = values.at(graph.value(node->inputs[1]).name);
  Tensor& bias = values.at(graph.value(node->inputs[2]).name);
  const int64_t inputs = weights.type().dims[1];
  for (size_t t = 0; t < scale.mean.size(); ++t) {
    float* row = weights.as<float>() + static_cast<int64_t>(t) * inputs;
    for (int64_t k = 0; k < inputs; ++k) {
      row[k] = static_cast<float>(row[k] * scale.deviation[t]);
    }
    float& b = bias.as<float>()[t];
    b = static_cast<float>(b * scale.deviation[t] + scale.mean[t]);
  }
  const auto quantized = quantization.values.find(graph.value(node->inputs[1]).name);
  if (quantized == quantization.values.end()) return absl::OkStatus();
  std::vector<float>& scales = quantized->second.scales;
  for (size_t t = 0; t < scales.size(); ++t) {
    scales[t] = static_cast<float>(scales[t] * scale.deviation[t]);
  }
  return absl::OkStatus();
}

absl::Status ScaledDataset::Read(int64_t i, uint8_t* pixels, float* target) const {
  RETURN_IF_ERROR(dataset_.Read(i, pixels, target));
  Scale(target);
  return absl::OkStatus();
}

absl::Status ScaledDataset::ReadTarget(int64_t i, float* target) const {
  RETURN_IF_ERROR(dataset_.ReadTarget(i, target));
  Scale(target);
  return absl::OkStatus();
}

void ScaledDataset::Scale(float* target) const {
  for (size_t t = 0; t < scale_.mean.size(); ++t) {
    target[t] = static_cast<float>((target[t] - scale_.mean[t]) / scale_.deviation[t]);
  }
}

}  // namespace fovea
