// Rounding to integers in loops. Private to this folder.
#pragma once

#include <cstdint>

namespace fovea::cpu {

// The nearest integer, ties to even, without a call, so that the loop is vectorised. |x| < 2²².
__attribute__((always_inline)) inline int32_t Nearest(float x) {
  constexpr float kMagic = 12582912.0f;  // 1.5 · 2²³, whose unit in the last place is 1
  return static_cast<int32_t>((x + kMagic) - kMagic);
}

}  // namespace fovea::cpu
