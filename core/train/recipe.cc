#include "core/train/recipe.h"

#include <optional>

#include "core/base/status.h"
#include "core/train/losses.h"
#include "core/train/optimizer.h"

namespace fovea {
namespace {

// Nothing: each layer's own.
std::optional<WeightInitializer> InitializerOf(const v1::TrainingConfig& config) {
  using Kind = Initializer::Kind;
  switch (config.initializer()) {
    case v1::INITIALIZER_SMALL_NORMAL:
      return WeightInitializer{Kind::kNormal, 0.01f};
    case v1::INITIALIZER_UNIT_NORMAL:
      return WeightInitializer{Kind::kNormal, 1};
    case v1::INITIALIZER_XAVIER_UNIFORM:
      return WeightInitializer{Kind::kGlorotUniform};
    case v1::INITIALIZER_XAVIER_NORMAL:
      return WeightInitializer{Kind::kGlorotNormal};
    case v1::INITIALIZER_HE_UNIFORM:
      return WeightInitializer{Kind::kHeUniform};
    case v1::INITIALIZER_HE_NORMAL:
      return WeightInitializer{Kind::kHeNormal};
    case v1::INITIALIZER_LECUN_UNIFORM:
      return WeightInitializer{Kind::kLecunUniform};
    case v1::INITIALIZER_LECUN_NORMAL:
      return WeightInitializer{Kind::kLecunNormal};
    case v1::INITIALIZER_ORTHOGONAL:
      return WeightInitializer{Kind::kOrthogonal};
    case v1::INITIALIZER_CONSTANT:
      return WeightInitializer{Kind::kConstant, static_cast<float>(config.initial_constant())};
    default:
      return std::nullopt;
  }
}

}  // namespace

bool IsRegression(v1::Task task) {
  return task == v1::TASK_REGRESSION || task == v1::TASK_UNIT_REGRESSION;
}

bool HasThresholds(v1::Task task) {
  return task == v1::TASK_MULTI_LABEL || task == v1::TASK_BINARY;
}

int OutputsOf(v1::Task task, int labels) { return task == v1::TASK_BINARY ? 1 : labels; }

int AccumulatedBatches(const v1::TrainingConfig& config) {
  return config.has_accumulate_batches() ? static_cast<int>(config.accumulate_batches()) : 1;
}

int64_t ExamplesPerStep(const v1::TrainingConfig& config) {
  return int64_t{config.batch_size()} * AccumulatedBatches(config);
}

PixelShape PixelShapeOf(const v1::TrainingConfig& config) {
  return {static_cast<int>(config.input().width()), static_cast<int>(config.input().height()),
          static_cast<int>(config.input().channels())};
}

NetOptions NetOptionsOf(const v1::TrainingConfig& config, int outputs) {
  NetOptions options;
  options.name = config.has_mlp() ? "mlp" : config.has_net_text() ? "text" : config.net();
  options.text = config.net_text();
  options.height = static_cast<int>(config.input().height());
  options.width = static_cast<int>(config.input().width());
  options.channels = static_cast<int>(config.input().channels());
  options.labels = outputs;
  options.hidden.assign(config.mlp().hidden().begin(), config.mlp().hidden().end());
  options.dropout = static_cast<float>(config.dropout());
  options.two_way = config.multi_label_way() == v1::MULTI_LABEL_WAY_BINARY_RELEVANCE;
  options.mean.assign(config.input().channels(), 0.5f);
  options.std.assign(config.input().channels(), 0.25f);
  options.weights = InitializerOf(config);
  options.zero_last_gamma = config.zero_last_gamma();
  options.stochastic_depth = static_cast<float>(config.stochastic_depth());
  return options;
}

std::vector<float> BinaryWeightsOf(const v1::TrainingConfig& config,
                                   absl::Span<const std::string> labels) {
  return config.task() == v1::TASK_BINARY ? ClassWeightsOf(config, labels) : std::vector<float>();
}

TrainingGraphOptions TrainingGraphOptionsOf(const v1::TrainingConfig& config,
                                            absl::Span<const std::string> labels) {
  TrainingGraphOptions options;
  options.loss = LossOf(config);
  if (config.task() != v1::TASK_BINARY) options.class_weights = ClassWeightsOf(config, labels);
  options.update = UpdateOf(config);
  options.clip_norm = static_cast<float>(config.clip_norm());
  options.accumulate = AccumulatedBatches(config);
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
  if (config.task() == v1::TASK_SINGLE_LABEL) return Head::kSoftmax;
  return config.task() == v1::TASK_REGRESSION ? Head::kIdentity : Head::kSigmoid;
}

absl::StatusOr<Graph> InferenceGraphOf(const Net& net, const v1::TrainingConfig& config) {
  ASSIGN_OR_RETURN(Graph graph, WithHead(net, HeadOf(config)));
  if (config.open_set().has_energy()) graph.MarkOutput(net.logits);
  if (IsRegression(config.task())) graph.mutable_value(graph.outputs()[0]).name = "values";
  return graph;
}

absl::StatusOr<SamplingPlan> SamplingPlanOf(const v1::TrainingConfig& config,
                                            const Dataset& train) {
  switch (config.sampling_case()) {
    case v1::TrainingConfig::kOverSampling:
      return PlanSampling(Sampling::kOver, 0, train);
    case v1::TrainingConfig::kUnderSampling:
      return PlanSampling(Sampling::kUnder, 0, train);
    case v1::TrainingConfig::kClassBalancedSampling:
      return PlanSampling(Sampling::kClassBalanced, config.class_balanced_sampling().power(),
                          train);
    case v1::TrainingConfig::SAMPLING_NOT_SET:
      break;
  }
  return PlanSampling(Sampling::kUniform, 0, train);
}

absl::StatusOr<std::vector<float>> AugmentStrengthsOf(const v1::TrainingConfig& config,
                                                      const Dataset& train) {
  if (!config.has_common_class_augmentation() || config.common_class_augmentation() == 1) {
    return std::vector<float>();
  }
  ASSIGN_OR_RETURN(const ClassIndex index, IndexClasses(train));
  return RarityStrengths(index, config.common_class_augmentation());
}

std::vector<double> ThresholdsOf(const v1::TrainingConfig& config,
                                 absl::Span<const std::string> labels) {
  std::vector<double> thresholds;
  if (!HasThresholds(config.task())) return thresholds;
  if (config.task() == v1::TASK_BINARY) labels = labels.last(1);
  if (config.has_tuned_thresholds()) return std::vector<double>(labels.size(), 0.5);
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
