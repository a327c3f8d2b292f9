#include "core/train/recipe.h"

#include "core/train/optimizer.h"

namespace fovea {

PixelShape PixelShapeOf(const v1::TrainingConfig& config) {
  return {static_cast<int>(config.input().width()), static_cast<int>(config.input().height()),
          static_cast<int>(config.input().channels())};
}

NetOptions NetOptionsOf(const v1::TrainingConfig& config, int labels) {
  NetOptions options;
  options.name = config.has_mlp() ? "mlp" : config.net();
  options.height = static_cast<int>(config.input().height());
  options.width = static_cast<int>(config.input().width());
  options.channels = static_cast<int>(config.input().channels());
  options.labels = labels;
  options.hidden.assign(config.mlp().hidden().begin(), config.mlp().hidden().end());
  options.dropout = static_cast<float>(config.dropout());
  options.mean.assign(config.input().channels(), 0.5f);
  options.std.assign(config.input().channels(), 0.25f);
  return options;
}

TrainingGraphOptions TrainingGraphOptionsOf(const v1::TrainingConfig& config,
                                            absl::Span<const std::string> labels) {
  TrainingGraphOptions options;
  if (config.task() == v1::TASK_MULTI_LABEL) options.loss = SigmoidCrossEntropy{};
  const auto& weights = config.class_weights().by_label();
  if (!weights.empty()) {
    for (const std::string& label : labels) {
      const auto weight = weights.find(label);
      options.class_weights.push_back(weight == weights.end() ? 1.0f
                                                              : static_cast<float>(weight->second));
    }
  }
  options.update = UpdateOf(config);
  return options;
}

DType ComputeTypeOf(const v1::TrainingConfig& config) {
  return config.precision() == v1::PRECISION_BF16 ? DType::kBF16 : DType::kF32;
}

Graph InParameterType(Graph graph, const v1::TrainingConfig& config) {
  if (config.precision() != v1::PRECISION_FP64) return graph;
  return WithFloatType(graph, DType::kF64);
}

Head HeadOf(const v1::TrainingConfig& config) {
  return config.task() == v1::TASK_MULTI_LABEL ? Head::kSigmoid : Head::kSoftmax;
}

std::vector<double> ThresholdsOf(const v1::TrainingConfig& config,
                                 absl::Span<const std::string> labels) {
  std::vector<double> thresholds;
  if (config.task() != v1::TASK_MULTI_LABEL) return thresholds;
  const auto& by_label = config.thresholds().by_label();
  for (const std::string& label : labels) {
    const auto given = by_label.find(label);
    thresholds.push_back(given == by_label.end() ? config.thresholds().every_label()
                                                 : given->second);
  }
  return thresholds;
}

const char* BackendName(v1::Backend backend) {
  return backend == v1::BACKEND_REFERENCE ? "reference" : "cpu";
}

}  // namespace fovea
