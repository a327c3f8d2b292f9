// What the loops over single rows of blocked images share: activations, and runs of pixels whose
// sums stay in registers. Private to this folder.
#pragma once

#include <cstdint>
#include <limits>
#include <type_traits>

#include "core/backend/cpu/vectors.h"
#include "core/graph/attrs.h"

namespace fovea::cpu::rows {

// Whether the loops know the activation. All they know map 0 to 0, so that the channels behind the
// last stay 0.
inline bool HasActivation(const ActivationSpec& activation) {
  switch (activation.kind) {
    case Activation::kNone:
    case Activation::kRelu:
    case Activation::kHardSwish:
      return true;
    case Activation::kClip:
      return activation.alpha <= 0 && activation.beta >= 0;
    default:
      return false;
  }
}

// Less a zero, which compilers drop: plus one would change −0.
FOVEA_AVX512_INLINE Vector Broadcast(float value) { return value - Vector{}; }

// All activations here: the value within bounds, or for hard-swish times x/6 + 1/2 within [0, 1].
struct Bounds {
  explicit Bounds(const ActivationSpec& activation)
      : hard_swish(activation.kind == Activation::kHardSwish) {
    if (activation.kind == Activation::kRelu || hard_swish) low = 0;
    if (activation.kind == Activation::kClip) low = activation.alpha, high = activation.beta;
    if (hard_swish) high = 1;
  }
  bool hard_swish;
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();
};

template <bool hard_swish>
struct Activate {
  FOVEA_AVX512_INLINE explicit Activate(const Bounds& bounds)
      : low(Broadcast(bounds.low)), high(Broadcast(bounds.high)) {}
  FOVEA_AVX512_INLINE Vector operator()(Vector x) const {
    if constexpr (hard_swish) {
      return x * Min(high, Max(low, x * (1.0f / 6) + 0.5f));
    } else {
      return Min(high, Max(low, x));
    }
  }
  Vector low, high;
};

// Calls f(std::integral_constant<int, n>, offset) for runs of n pixels that cover [0, pixels).
template <typename F>
void ForRuns(int64_t pixels, const F& f) {
  int64_t done = 0;
  const auto take = [&](auto run) {
    for (; done + run.value <= pixels; done += run.value) f(run, done);
  };
  take(std::integral_constant<int, 14>());
  take(std::integral_constant<int, 7>());
  take(std::integral_constant<int, 4>());
  take(std::integral_constant<int, 2>());
  take(std::integral_constant<int, 1>());
}

}  // namespace fovea::cpu::rows
