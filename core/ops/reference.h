// What the reference kernels of all ops share.
#pragma once

#include "core/base/check.h"
#include "core/tensor/tensor.h"

namespace fovea::ops {

// Calls f with a zero of the C++ type of a floating dtype: f([](auto zero) { using T =
// decltype(zero); … }). The reference knows float and double.
template <typename F>
void DispatchFloat(DType dtype, F f) {
  CHECK(dtype == DType::kF32 || dtype == DType::kF64);
  if (dtype == DType::kF32) {
    f(float{});
  } else {
    f(double{});
  }
}

}  // namespace fovea::ops
