// The attribute structs of inference on integers of 8 bits.
//
// A quantised value is scale · q with q an integer of 8 bits and one scale for all of it, or for
// weights one for each output channel: u8 where it is never negative, else i8 within ±127. 0 stays
// 0, so padding is exact. Source: Jacob et al. 2018, "Quantization and training of neural networks
// for efficient integer-arithmetic-only inference", equation 1 with zero points of 0.
//
// core/compile/quantize.cc makes these nodes; which scale stands where in a node's constants is
// said here.
#pragma once

#include "core/tensor/type.h"

namespace fovea {

// input x; output q of `dtype` (u8 or i8): x / scale rounded to the nearest integer, ties to even,
// and saturated. Node constant: the scale.
struct Quantize {
  DType dtype = DType::kI8;
  bool operator==(const Quantize&) const = default;
};
// input q (u8 or i8); output scale · q. Node constant: the scale.
struct Dequantize {
  DType dtype = DType::kF32;  // of the output, floating
  bool operator==(const Dequantize&) const = default;
};
// inputs w [O,...], [bias [O]]; outputs i8 like w, [bias / (scale of x · scale of w)]. Node
// constants: the scale of x, then the O scales of w.
struct QuantizeWeights {
  bool has_bias = false;
  bool operator==(const QuantizeWeights&) const = default;
};

}  // namespace fovea
