// Concatenation over channels, and its inverse.
#include <cstring>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/graph/op_def.h"
#include "core/ops/infer.h"

namespace fovea {
namespace {

absl::StatusOr<std::vector<Type>> InferConcat(const Node&, absl::Span<const Type> inputs) {
  if (inputs.size() < 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("found ", inputs.size(), " inputs, expected at least 2"));
  }
  RETURN_IF_ERROR(ops::ExpectOneFloat(inputs, inputs.size()));
  RETURN_IF_ERROR(ops::ExpectRankAtLeast("input 0", inputs[0], 2));
  Dims y = inputs[0].dims;
  y[1] = 0;
  for (size_t i = 0; i < inputs.size(); ++i) {
    Dims expected = inputs[0].dims;
    if (inputs[i].dims.rank() >= 2) expected[1] = inputs[i].dims[1];
    RETURN_IF_ERROR(ops::ExpectDims(absl::StrCat("input ", i), inputs[i], expected));
    y[1] += expected[1];
  }
  return std::vector<Type>{{inputs[0].dtype, y}};
}

absl::Status GradientConcat(GradientBuilder& builder) {
  int64_t begin = 0;
  for (size_t i = 0; i < builder.node().inputs.size(); ++i) {
    const int input = static_cast<int>(i);
    const int64_t count = builder.input_type(input).dims[1];
    if (builder.wants(input)) {
      ASSIGN_OR_RETURN(const auto dx, builder.Add(absl::StrCat("dx", i),
                                                  SliceChannels{begin, count}, {builder.dy()}));
      builder.Set(input, dx[0]);
    }
    begin += count;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Type>> InferSliceChannels(const Node& node,
                                                     absl::Span<const Type> inputs) {
  const auto& slice = std::get<SliceChannels>(node.attrs);
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 1));
  RETURN_IF_ERROR(ops::ExpectOneFloat(inputs, 1));
  RETURN_IF_ERROR(ops::ExpectRankAtLeast("input", inputs[0], 2));
  Dims y = inputs[0].dims;
  if (slice.begin < 0 || slice.count < 1 || slice.begin > y[1] - slice.count) {
    return absl::InvalidArgumentError(absl::StrCat(
        "channels ", slice.begin, " to ", slice.begin + slice.count, ", input has ", y[1]));
  }
  y[1] = slice.count;
  return std::vector<Type>{{inputs[0].dtype, y}};
}

// Bytes of one example.
size_t ExampleBytes(const TensorView& x) { return x.type.dense_bytes() / x.type.dims[0]; }

void ReferenceConcat(const Node&, absl::Span<const TensorView> in,
                     absl::Span<const TensorView> out) {
  char* y = static_cast<char*>(out[0].data);
  for (int64_t n = 0; n < out[0].type.dims[0]; ++n) {
    for (const TensorView& x : in) {
      const size_t bytes = ExampleBytes(x);
      std::memcpy(y, static_cast<const char*>(x.data) + n * bytes, bytes);
      y += bytes;
    }
  }
}

void ReferenceSliceChannels(const Node& node, absl::Span<const TensorView> in,
                            absl::Span<const TensorView> out) {
  const int64_t begin = std::get<SliceChannels>(node.attrs).begin;
  const size_t from = ExampleBytes(in[0]), to = ExampleBytes(out[0]);
  const size_t skipped = from / in[0].type.dims[1] * begin;
  for (int64_t n = 0; n < out[0].type.dims[0]; ++n) {
    std::memcpy(static_cast<char*>(out[0].data) + n * to,
                static_cast<const char*>(in[0].data) + n * from + skipped, to);
  }
}

}  // namespace

const OpDef& OpOf(const Concat&) {
  static constexpr OpDef op = {"Concat", InferConcat, ops::NoFlops, GradientConcat,
                               ReferenceConcat};
  return op;
}

const OpDef& OpOf(const SliceChannels&) {
  static constexpr OpDef op = {"SliceChannels", InferSliceChannels, ops::NoFlops, ops::NoGradient,
                               ReferenceSliceChannels};
  return op;
}

}  // namespace fovea
