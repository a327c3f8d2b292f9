#include "core/compile/calibrate.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "core/base/status.h"
#include "core/compile/compile.h"
#include "core/compile/quantize.h"
#include "core/ops/quantized.h"

namespace fovea {
namespace {

// Where all values are 0 any scale does.
float ScaleOf(float limit, int steps) { return limit > 0 ? limit / static_cast<float>(steps) : 1; }

std::vector<float> ScalesOfWeights(const TensorView& weights) {
  const int64_t outputs = weights.type.dims[0], row = weights.count() / outputs;
  std::vector<float> scales;
  for (int64_t o = 0; o < outputs; ++o) {
    const float* begin = weights.as<float>() + o * row;
    float largest = 0;
    for (int64_t i = 0; i < row; ++i) largest = std::max(largest, std::abs(begin[i]));
    scales.push_back(ScaleOf(largest, ops::kSignedLimit));
  }
  return scales;
}

QuantizedValue Quantise(const ValueRange& range, double share) {
  const float limit = range.Limit(share);
  if (range.negative()) return {DType::kI8, {ScaleOf(limit, ops::kSignedLimit)}};
  return {DType::kU8, {ScaleOf(limit, ops::kUnsignedLimit)}};
}

}  // namespace

absl::StatusOr<std::unique_ptr<Calibrator>> Calibrator::Create(const Graph& graph,
                                                               std::shared_ptr<Weights> weights,
                                                               int width) {
  const Backend& backend = weights->backend();
  ASSIGN_OR_RETURN(Graph single, WithBatch(graph, 1));
  ASSIGN_OR_RETURN(Graph observed, ObservedGraph(std::move(single), backend));
  std::unique_ptr<Calibrator> calibrator(new Calibrator);
  for (ValueId id : observed.outputs()) calibrator->is_weight_.push_back(IsWeight(observed, id));
  calibrator->ranges_.resize(calibrator->is_weight_.size());
  CompileOptions options;
  options.optimize = false;
  options.width = width;
  ASSIGN_OR_RETURN(const std::shared_ptr<const Program> program,
                   Compile(std::move(observed), backend, options));
  ASSIGN_OR_RETURN(calibrator->executor_, Executor::Create(program, std::move(weights), {}));
  return calibrator;
}

absl::Status Calibrator::Observe(const uint8_t* pixels) {
  const TensorView input = executor_->input(0);
  std::memcpy(input.data, pixels, input.type.dense_bytes());
  RETURN_IF_ERROR(executor_->Run());
  for (size_t i = 0; i < ranges_.size(); ++i) {
    if (is_weight_[i]) continue;
    const TensorView value = executor_->output(static_cast<int>(i));
    ranges_[i].Add({value.as<float>(), static_cast<size_t>(value.count())});
  }
  ++examples_;
  return absl::OkStatus();
}

absl::StatusOr<Quantization> Calibrator::Find(double share) const {
  if (examples_ == 0) {
    return absl::FailedPreconditionError("found no example to calibrate on, expected at least one");
  }
  Quantization quantization;
  for (size_t i = 0; i < ranges_.size(); ++i) {
    const std::string& name = executor_->program().outputs()[i].name;
    QuantizedValue& value = quantization.values[name];
    value = is_weight_[i] ? QuantizedValue{DType::kI8,
                                           ScalesOfWeights(executor_->output(static_cast<int>(i)))}
                          : Quantise(ranges_[i], share);
  }
  return quantization;
}

}  // namespace fovea
