// What a version computes in, as the compiler takes it and for people.
#pragma once

#include "core/tensor/type.h"
#include "fovea/v1/precision.pb.h"

namespace fovea {

// CompileOptions::compute_type; kF32 where none is named.
DType ComputeTypeOf(v1::ServedPrecision precision);

// "bf16".
const char* PrecisionText(v1::ServedPrecision precision);

}  // namespace fovea
