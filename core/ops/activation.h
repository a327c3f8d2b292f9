// The activations and their derivatives, in the result or, where DerivativeNeedsInput, in x.
#pragma once

#include <algorithm>
#include <cmath>

#include "core/graph/attrs.h"

namespace fovea::ops {

// Klambauer et al. 2017, equation 14; ONNX's Selu has them as defaults.
inline constexpr double kSeluAlpha = 1.67326319217681884765625;
inline constexpr double kSeluScale = 1.05070102214813232421875;

// One branch per sign: exp never overflows.
template <typename T>
inline T Sigmoid(T x) {
  return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}

// The distribution function of the standard normal.
template <typename T>
inline T NormalCdf(T x) {
  return static_cast<T>(0.5) * (1 + std::erf(x * static_cast<T>(0.70710678118654752440)));
}

template <typename T>
inline T Clip(T x, T low, T high) {
  return std::min(std::max(x, low), high);
}

template <typename T>
inline T ApplyActivation(const ActivationSpec& activation, T x) {
  switch (activation.kind) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return x > 0 ? x : T{0};
    case Activation::kLeakyRelu:
      return x > 0 ? x : static_cast<T>(activation.alpha) * x;
    case Activation::kSigmoid:
      return Sigmoid(x);
    case Activation::kTanh:
      return std::tanh(x);
    case Activation::kClip:
      return Clip(x, static_cast<T>(activation.alpha), static_cast<T>(activation.beta));
    case Activation::kElu:
      return x > 0 ? x : static_cast<T>(activation.alpha) * std::expm1(x);
    case Activation::kSelu:
      return static_cast<T>(kSeluScale) * (x > 0 ? x : static_cast<T>(kSeluAlpha) * std::expm1(x));
    case Activation::kGelu:
      return x * NormalCdf(x);
    case Activation::kSilu:
      return x * Sigmoid(x);
    case Activation::kHardSigmoid:
      return Clip(static_cast<T>(activation.alpha) * x + static_cast<T>(activation.beta), T{0},
                  T{1});
    case Activation::kHardSwish:
      return x * Clip(x / 6 + static_cast<T>(0.5), T{0}, T{1});
    case Activation::kSoftplus:
      return std::max(x, T{0}) + std::log1p(std::exp(-std::abs(x)));
  }
  return x;
}

// dx from dy and v: x where DerivativeNeedsInput, else y = f(x).
template <typename T>
inline T ActivationGradient(const ActivationSpec& activation, T v, T dy) {
  switch (activation.kind) {
    case Activation::kNone:
      return dy;
    case Activation::kRelu:
      return v > 0 ? dy : T{0};
    case Activation::kLeakyRelu:
      return v > 0 ? dy : static_cast<T>(activation.alpha) * dy;
    case Activation::kSigmoid:
      return v * (1 - v) * dy;
    case Activation::kTanh:
      return (1 - v * v) * dy;
    case Activation::kClip:
      return v > static_cast<T>(activation.alpha) && v < static_cast<T>(activation.beta) ? dy
                                                                                         : T{0};
    case Activation::kElu:
      return v > 0 ? dy : (v + static_cast<T>(activation.alpha)) * dy;
    case Activation::kSelu:
      return (v > 0 ? static_cast<T>(kSeluScale) : v + static_cast<T>(kSeluScale * kSeluAlpha)) *
             dy;
    case Activation::kGelu: {  // Φ(x) + x φ(x)
      const T density = static_cast<T>(0.39894228040143267794) * std::exp(-v * v / 2);
      return (NormalCdf(v) + v * density) * dy;
    }
    case Activation::kSilu: {
      const T s = Sigmoid(v);
      return s * (1 + v * (1 - s)) * dy;
    }
    case Activation::kHardSigmoid:
      return v > 0 && v < 1 ? static_cast<T>(activation.alpha) * dy : T{0};
    case Activation::kHardSwish:
      return v <= -3 ? T{0} : v >= 3 ? dy : (v / 3 + static_cast<T>(0.5)) * dy;
    case Activation::kSoftplus:
      return Sigmoid(v) * dy;
  }
  return dy;
}

}  // namespace fovea::ops
