#include "core/model/served_precision.h"

namespace fovea {

DType ComputeTypeOf(v1::ServedPrecision precision) {
  switch (precision) {
    case v1::SERVED_PRECISION_BF16:
      return DType::kBF16;
    case v1::SERVED_PRECISION_INT8:
      return DType::kI8;
    default:
      return DType::kF32;
  }
}

const char* PrecisionText(v1::ServedPrecision precision) {
  switch (precision) {
    case v1::SERVED_PRECISION_BF16:
      return "bf16";
    case v1::SERVED_PRECISION_INT8:
      return "int8";
    default:
      return "fp32";
  }
}

}  // namespace fovea
