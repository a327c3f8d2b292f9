// Quantization: by which scales the values of a graph become integers of 8 bits. Plain data; found
// by calibration (core/train/calibrate.h), kept with a model, used by the pass QuantizeProducts.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/tensor/type.h"

namespace fovea {

struct QuantizedValue {
  DType dtype = DType::kI8;   // kU8 for what is never negative
  std::vector<float> scales;  // one; of weights one for each output channel
};

// By the names that values have in ObservedGraph (core/compile/quantize.h).
struct Quantization {
  std::map<std::string, QuantizedValue> values;
};

}  // namespace fovea
