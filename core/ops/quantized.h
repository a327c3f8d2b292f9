// What the references of ops on quantised values share (core/graph/quantize_attrs.h).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "core/base/check.h"
#include "core/tensor/tensor.h"

namespace fovea::ops {

inline constexpr int kSignedLimit = 127;  // −128 is not used: the range is symmetric
inline constexpr int kUnsignedLimit = 255;

inline bool IsQuantized(DType dtype) { return dtype == DType::kU8 || dtype == DType::kI8; }

// The value that element i of a tensor stands for.
inline double LoadQuantized(const TensorView& tensor, int64_t i, double scale) {
  switch (tensor.type.dtype) {
    case DType::kU8:
      return tensor.as<uint8_t>()[i] * scale;
    case DType::kI8:
      return tensor.as<int8_t>()[i] * scale;
    case DType::kF32:
      return tensor.as<float>()[i] * scale;
    default:
      CHECK(tensor.type.dtype == DType::kF64);
      return tensor.as<double>()[i] * scale;
  }
}

// Makes element i stand for `value`.
inline void StoreQuantized(const TensorView& tensor, int64_t i, double value, double scale) {
  const double q = value / scale;
  switch (tensor.type.dtype) {
    case DType::kU8:
      tensor.as<uint8_t>()[i] =
          static_cast<uint8_t>(std::clamp<double>(std::nearbyint(q), 0, kUnsignedLimit));
      return;
    case DType::kI8:
      tensor.as<int8_t>()[i] =
          static_cast<int8_t>(std::clamp<double>(std::nearbyint(q), -kSignedLimit, kSignedLimit));
      return;
    case DType::kF32:
      tensor.as<float>()[i] = static_cast<float>(q);
      return;
    default:
      CHECK(tensor.type.dtype == DType::kF64);
      tensor.as<double>()[i] = q;
  }
}

}  // namespace fovea::ops
