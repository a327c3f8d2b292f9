// TensorProto and plain vectors, both ways. Private to core/onnx.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/tensor/tensor.h"
#include "onnx/onnx_pb.h"

namespace fovea {

// The dims of a tensor: at most 8 axes, extents from 1, as many elements as there is data.
// DataLoss otherwise; Unimplemented: data outside of the file.
absl::StatusOr<Dims> DimsOf(const onnx::TensorProto& tensor);

// The elements of a FLOAT, FLOAT16 or DOUBLE tensor as float.
absl::StatusOr<std::vector<float>> FloatsOf(const onnx::TensorProto& tensor);
// The elements of an INT64, INT32 or BOOL tensor.
absl::StatusOr<std::vector<int64_t>> IntsOf(const onnx::TensorProto& tensor);

void SetFloats(const std::string& name, absl::Span<const int64_t> dims,
               absl::Span<const float> values, onnx::TensorProto& tensor);
// As FLOAT16: rounded to nearest, limited to ±65504.
void SetF16s(const std::string& name, absl::Span<const int64_t> dims,
             absl::Span<const float> values, onnx::TensorProto& tensor);
void SetInts(const std::string& name, absl::Span<const int64_t> values, onnx::TensorProto& tensor);

}  // namespace fovea
