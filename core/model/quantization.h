// The scales of INT8 as they are kept with a model, and as the compiler takes them.
#pragma once

#include "absl/status/status.h"
#include "core/graph/quantization.h"
#include "core/model/model.h"

namespace fovea {

v1::Quantization ToProto(const Quantization& quantization);
Quantization FromProto(const v1::Quantization& quantization);

// OK when the model has scales where it is served in INT8, and all of them are above 0.
// InvalidArgument names the value.
absl::Status CheckQuantization(const Model& model);

}  // namespace fovea
