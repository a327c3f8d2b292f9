// The activations, and their derivatives as functions of the result.
#pragma once

#include <algorithm>
#include <cmath>

#include "core/graph/attrs.h"

namespace fovea::ops {

template <typename T>
inline T ApplyActivation(const ActivationSpec& activation, T x) {
  switch (activation.kind) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return x > 0 ? x : T{0};
    case Activation::kLeakyRelu:
      return x > 0 ? x : static_cast<T>(activation.alpha) * x;
    case Activation::kSigmoid:  // one branch per sign: exp never overflows
      return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
    case Activation::kTanh:
      return std::tanh(x);
    case Activation::kClip:
      return std::min(std::max(x, static_cast<T>(activation.alpha)),
                      static_cast<T>(activation.beta));
  }
  return x;
}

// dx from y = f(x) and dy.
template <typename T>
inline T ActivationGradient(const ActivationSpec& activation, T y, T dy) {
  switch (activation.kind) {
    case Activation::kNone:
      return dy;
    case Activation::kRelu:
      return y > 0 ? dy : T{0};
    case Activation::kLeakyRelu:
      return y > 0 ? dy : static_cast<T>(activation.alpha) * dy;
    case Activation::kSigmoid:
      return y * (1 - y) * dy;
    case Activation::kTanh:
      return (1 - y * y) * dy;
    case Activation::kClip:
      return y > static_cast<T>(activation.alpha) && y < static_cast<T>(activation.beta) ? dy
                                                                                         : T{0};
  }
  return dy;
}

}  // namespace fovea::ops
