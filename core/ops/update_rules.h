// The update rules of the optimizers, for one element. Plain C but for the template, so that every
// backend compiles the same rule into its own loop.
#pragma once

#include <cmath>
#include <cstdint>

namespace fovea::ops {

// Sutskever et al. 2013, in the form in which the rate multiplies the velocity:
//   g ← gradient + decay · p;  v ← momentum · v + g;  p ← p − rate · (nesterov ? g + momentum · v :
//   v)
template <typename T>
inline void SgdMomentumRule(T gradient, T decay, T momentum, bool nesterov, T rate, T* parameter,
                            T* velocity) {
  const T g = gradient + decay * *parameter;
  const T v = momentum * *velocity + g;
  *velocity = v;
  *parameter -= rate * (nesterov ? g + momentum * v : v);
}

// What Adam computes once a step: 1 − βᵗ, with t = step + 1.
inline double AdamCorrection(double beta, int64_t step) {
  return 1.0 - std::pow(beta, static_cast<double>(step + 1));
}

// Kingma and Ba 2015, algorithm 1. `correction1` and `correction2` are AdamCorrection of the betas.
template <typename T>
inline void AdamRule(T gradient, T decay, T beta1, T beta2, T epsilon, T correction1, T correction2,
                     T rate, T* parameter, T* first_moment, T* second_moment) {
  const T g = gradient + decay * *parameter;
  const T m = beta1 * *first_moment + (1 - beta1) * g;
  const T v = beta2 * *second_moment + (1 - beta2) * g * g;
  *first_moment = m;
  *second_moment = v;
  *parameter -= rate * (m / correction1) / (std::sqrt(v / correction2) + epsilon);
}

}  // namespace fovea::ops
