// From a complete configuration to the update rule of the training graph.
//
// To add an optimizer: its update op (core/graph/attrs.h), its message and a case here.
#pragma once

#include <variant>

#include "core/graph/attrs.h"
#include "fovea/v1/training.pb.h"

namespace fovea {

using Update = std::variant<SgdMomentum, Adam>;

// `config` is complete. The learning rate is no part of the rule: each step brings its own.
inline Update UpdateOf(const v1::TrainingConfig& config) {
  const auto weight_decay = static_cast<float>(config.weight_decay());
  if (config.has_adam()) {
    Adam adam;
    adam.beta1 = static_cast<float>(config.adam().beta1());
    adam.beta2 = static_cast<float>(config.adam().beta2());
    adam.epsilon = static_cast<float>(config.adam().epsilon());
    adam.weight_decay = weight_decay;
    return adam;
  }
  SgdMomentum sgd;
  sgd.momentum = static_cast<float>(config.sgd().momentum());
  sgd.nesterov = config.sgd().nesterov();
  sgd.weight_decay = weight_decay;
  return sgd;
}

}  // namespace fovea
