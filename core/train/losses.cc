#include "core/train/losses.h"

#include "core/train/recipe.h"

namespace fovea {
namespace {

Loss FocalOf(const v1::FocalLoss& focal, float smoothing, bool softmax) {
  const auto gamma = static_cast<float>(focal.gamma());
  if (softmax) return SoftmaxFocalLoss{smoothing, gamma};
  return SigmoidFocalLoss{smoothing, gamma, static_cast<float>(focal.alpha())};
}

Loss AsymmetricOf(const v1::AsymmetricLoss& loss, float smoothing) {
  return AsymmetricLoss{smoothing, static_cast<float>(loss.gamma_plus()),
                        static_cast<float>(loss.gamma_minus()), static_cast<float>(loss.margin())};
}

}  // namespace

Loss LossOf(const v1::TrainingConfig& config) {
  const Head head = HeadOf(config);
  const bool softmax = head == Head::kSoftmax, sigmoid = head == Head::kSigmoid;
  const auto smoothing = static_cast<float>(config.label_smoothing());
  switch (config.loss_case()) {
    case v1::TrainingConfig::kFocal:
      return FocalOf(config.focal(), smoothing, softmax);
    case v1::TrainingConfig::kAsymmetric:
      return AsymmetricOf(config.asymmetric(), smoothing);
    case v1::TrainingConfig::kSoftHamming:
      return SoftHammingLoss{smoothing};
    case v1::TrainingConfig::kSquaredError:
      return RegressionLoss{Deviation::kSquared, 1, sigmoid};
    case v1::TrainingConfig::kAbsoluteError:
      return RegressionLoss{Deviation::kAbsolute, 1, sigmoid};
    case v1::TrainingConfig::kHuber:
      return RegressionLoss{Deviation::kHuber, static_cast<float>(config.huber().delta()), sigmoid};
    case v1::TrainingConfig::kCrossEntropy:
    case v1::TrainingConfig::LOSS_NOT_SET:
      break;
  }
  const auto clip = static_cast<float>(config.cross_entropy().clip_epsilon());
  if (softmax) return SoftmaxCrossEntropy{smoothing, clip};
  return SigmoidCrossEntropy{smoothing, clip};
}

std::map<std::string, double> WeightsByLabel(const v1::TrainingConfig& config) {
  const auto copy = [](const auto& by_label) {
    return std::map<std::string, double>(by_label.begin(), by_label.end());
  };
  switch (config.class_weighting_case()) {
    case v1::TrainingConfig::kClassWeights:
      return copy(config.class_weights().by_label());
    case v1::TrainingConfig::kInverseFrequency:
      return copy(config.inverse_frequency().by_label());
    case v1::TrainingConfig::kEffectiveNumber:
      return copy(config.effective_number().by_label());
    case v1::TrainingConfig::CLASS_WEIGHTING_NOT_SET:
      break;
  }
  return {};
}

std::vector<float> ClassWeightsOf(const v1::TrainingConfig& config,
                                  absl::Span<const std::string> labels) {
  const std::map<std::string, double> by_label = WeightsByLabel(config);
  std::vector<float> weights;
  if (by_label.empty()) return weights;
  for (const std::string& label : labels) {
    const auto found = by_label.find(label);
    weights.push_back(found == by_label.end() ? 1.0f : static_cast<float>(found->second));
  }
  return weights;
}

}  // namespace fovea
