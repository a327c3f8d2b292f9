// Which weights a model file may keep in 16 bits, and what that makes of them.
#pragma once

#include <algorithm>

#include "core/graph/graph.h"
#include "core/tensor/half.h"

namespace fovea {

// The weights of convolutions and dense layers: nearly all bytes of a model. Biases, scales and
// statistics are few, and the latter may exceed the range of binary16.
inline bool IsStoredAsF16(const Value& value) {
  return value.role == Role::kParameter && value.type.dims.rank() >= 2;
}

// What is left of a weight: the nearest finite binary16. A NaN stays one.
inline float StoredAsF16(float weight) {
  return FromF16Bits(F16Bits(std::clamp(weight, -kF16Max, kF16Max)));
}

}  // namespace fovea
