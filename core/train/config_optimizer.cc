// Update rule, learning rate and weight decay of a configuration.
#include <algorithm>
#include <string>

#include "core/train/config_sections.h"

namespace fovea {
namespace {

void FillAdam(ConfigFill& fill) {
  v1::Adam& adam = *fill.config().mutable_adam();
  if (!adam.has_beta1()) {
    adam.set_beta1(0.9);
    fill.Chose("optimizer.adam.beta1", adam.beta1(), "the default");
  }
  if (!adam.has_beta2()) {
    adam.set_beta2(0.999);
    fill.Chose("optimizer.adam.beta2", adam.beta2(), "the default");
  }
  if (!adam.has_epsilon()) {
    adam.set_epsilon(1e-8);
    fill.Chose("optimizer.adam.epsilon", adam.epsilon(), "the default");
  }
}

// Adam's steps do not depend on the scale of the loss; those of sgd do, and the multi-label loss
// is a mean over labels where the single-label one is a sum.
void FillLearningRate(ConfigFill& fill) {
  v1::TrainingConfig& config = fill.config();
  if (!config.has_sgd()) {
    config.set_learning_rate(0.001);
    fill.Chose("learning_rate", config.learning_rate(), "the default for adam");
    return;
  }
  // Without batch norm a rate of 0.05 with momentum kills the ReLUs of these nets at once.
  const bool plain = config.has_mlp() || config.net() == "lenet";
  const double rate = plain ? 0.01 : 0.05;
  const std::string reason =
      plain ? "the default for sgd on a net without batch norm" : "the default for sgd";
  if (fill.config().task() == v1::TASK_REGRESSION && !plain) {
    // Squared errors have no bound, as the gradient of cross-entropy has.
    config.set_learning_rate(0.01);
    fill.Chose("learning_rate", 0.01, "the default for sgd in a regression");
    return;
  }
  if (!fill.is_multi_label()) {
    config.set_learning_rate(rate);
    fill.Chose("learning_rate", rate, reason);
    return;
  }
  const auto labels = static_cast<double>(std::min<size_t>(fill.data().labels.size(), 10));
  config.set_learning_rate(rate * labels);
  fill.Chose("learning_rate", config.learning_rate(),
             reason + ", times the labels (at most 10), whose losses are averaged");
}

void CheckFactor(ConfigCheck& check, absl::string_view field, double found) {
  check.Range(field, found, found >= 0 && found < 1, "a number in [0, 1)");
}

}  // namespace

void FillOptimizer(ConfigFill& fill) {
  v1::TrainingConfig& config = fill.config();
  if (config.optimizer_case() == v1::TrainingConfig::OPTIMIZER_NOT_SET) {
    config.mutable_sgd();
    fill.Chose("optimizer", "sgd", "the default");
  }
  if (config.has_sgd()) {
    if (!config.sgd().has_momentum()) {
      config.mutable_sgd()->set_momentum(0.9);
      fill.Chose("optimizer.sgd.momentum", 0.9, "the default");
    }
  } else {
    FillAdam(fill);
  }
  if (!config.has_learning_rate()) FillLearningRate(fill);
  if (!config.has_weight_decay()) {
    config.set_weight_decay(0.0005);
    fill.Chose("weight_decay", config.weight_decay(), "the default");
  }
}

void CheckOptimizer(ConfigCheck& check) {
  const v1::TrainingConfig& config = check.config();
  if (config.has_sgd()) {
    CheckFactor(check, "optimizer.sgd.momentum", config.sgd().momentum());
    if (config.sgd().nesterov() && config.sgd().momentum() == 0) {
      check.Wrong("optimizer.sgd.nesterov", "true with momentum 0", "a momentum > 0");
    }
  } else {
    CheckFactor(check, "optimizer.adam.beta1", config.adam().beta1());
    CheckFactor(check, "optimizer.adam.beta2", config.adam().beta2());
    check.Positive("optimizer.adam.epsilon", config.adam().epsilon());
  }
  check.Positive("learning_rate", config.learning_rate());
  check.Share("weight_decay", config.weight_decay());
}

}  // namespace fovea
