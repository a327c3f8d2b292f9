// Max, average, L2 and global pooling, and their gradient.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/graph/op_def.h"
#include "core/ops/infer.h"
#include "core/ops/quantized.h"
#include "core/ops/reference.h"

namespace fovea {
namespace {

// ---- Shapes.

// The window of a pool over an input; that of a global pool is all of H and W.
Window EffectiveWindow(const Pool& pool, const Dims& x) {
  if (!pool.global) return pool.window;
  Window window;
  window.kernel = {static_cast<int32_t>(x[2]), static_cast<int32_t>(x[3])};
  return window;
}

// Every window covers at least one element: the maximum of nothing is nothing.
absl::Status CheckCover(const Window& window, int axis, int64_t extent, int64_t positions) {
  for (int64_t position = 0; position < positions; ++position) {
    bool covered = false;
    for (int64_t tap = 0; tap < window.kernel[axis]; ++tap) {
      const int64_t at =
          position * window.stride[axis] + tap * window.dilation[axis] - window.pad[axis];
      covered |= at >= 0 && at < extent;
    }
    if (!covered) {
      return absl::InvalidArgumentError(absl::StrCat("the window at output ",
                                                     axis == 0 ? "row " : "column ", position,
                                                     " covers only padding"));
    }
  }
  return absl::OkStatus();
}

// y of a pool of x.
absl::StatusOr<Dims> PoolDims(const Pool& pool, const Dims& x) {
  const Window window = EffectiveWindow(pool, x);
  ASSIGN_OR_RETURN(const int64_t height, ops::WindowExtent(window, 0, x[2], pool.ceil));
  ASSIGN_OR_RETURN(const int64_t width, ops::WindowExtent(window, 1, x[3], pool.ceil));
  RETURN_IF_ERROR(CheckCover(window, 0, x[2], height));
  RETURN_IF_ERROR(CheckCover(window, 1, x[3], width));
  return Dims{x[0], x[1], height, width};
}

bool HasWorkspace(const Pool& pool) { return pool.kind == PoolKind::kMax && pool.training; }

absl::StatusOr<std::vector<Type>> InferPool(const Node& node, absl::Span<const Type> inputs) {
  const auto& pool = std::get<Pool>(node.attrs);
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 1));
  const bool takes_integers = pool.kind == PoolKind::kMax && !pool.training;
  if (!takes_integers || !ops::IsQuantized(inputs[0].dtype)) {
    RETURN_IF_ERROR(ops::ExpectOneFloat(inputs, 1));
  }
  RETURN_IF_ERROR(ops::ExpectRank("input", inputs[0], 4));
  ASSIGN_OR_RETURN(const Dims y, PoolDims(pool, inputs[0].dims));
  std::vector<Type> types = {{inputs[0].dtype, y}};
  if (HasWorkspace(pool)) types.push_back({DType::kI32, y});
  return types;
}

absl::StatusOr<std::vector<Type>> InferPoolBackward(const Node& node,
                                                    absl::Span<const Type> inputs) {
  const auto& op = std::get<PoolBackward>(node.attrs);
  const bool is_max = op.forward.kind == PoolKind::kMax, is_l2 = op.forward.kind == PoolKind::kL2;
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, is_max ? 2 : is_l2 ? 3 : 1));
  RETURN_IF_ERROR(ops::ExpectOneFloat(inputs, 1));
  RETURN_IF_ERROR(ops::ExpectRank("the input of the forward op", {inputs[0].dtype, op.input}, 4));
  ASSIGN_OR_RETURN(const Dims y, PoolDims(op.forward, op.input));
  RETURN_IF_ERROR(ops::ExpectDims("output gradient", inputs[0], y));
  if (is_max) {
    RETURN_IF_ERROR(ops::ExpectDims("workspace", inputs[1], y));
    RETURN_IF_ERROR(ops::ExpectDType("workspace", inputs[1], DType::kI32));
  }
  if (is_l2) {
    RETURN_IF_ERROR(ops::ExpectOneFloat(inputs, 3));
    RETURN_IF_ERROR(ops::ExpectDims("the forward op's input", inputs[1], op.input));
    RETURN_IF_ERROR(ops::ExpectDims("the forward op's output", inputs[2], y));
  }
  return std::vector<Type>{{inputs[0].dtype, op.input}};
}

// ---- Gradient.

absl::Status GradientPool(GradientBuilder& builder) {
  const auto& pool = std::get<Pool>(builder.node().attrs);
  if (pool.kind == PoolKind::kMax && !pool.training) {
    return absl::InvalidArgumentError(absl::StrCat(
        "pool \"", builder.node().name, "\" keeps no workspace, expected training = true"));
  }
  if (!builder.wants(0)) return absl::OkStatus();
  std::vector<ValueId> inputs = {builder.dy()};
  if (HasWorkspace(pool)) inputs.push_back(builder.output(1));
  if (pool.kind == PoolKind::kL2) {
    inputs.push_back(builder.input(0));
    inputs.push_back(builder.output(0));
  }
  const PoolBackward op = {pool, builder.input_type(0).dims};
  ASSIGN_OR_RETURN(const auto dx, builder.Add("dx", op, inputs));
  builder.Set(0, dx[0]);
  return absl::OkStatus();
}

// ---- Values.

// Calls f(index in the H·W plane of x) for every tap of the window at (oh, ow) inside the input.
template <typename F>
void ForEachTap(const Window& window, const Dims& x, int64_t oh, int64_t ow, F f) {
  for (int64_t kh = 0; kh < window.kernel[0]; ++kh) {
    const int64_t ih = oh * window.stride[0] + kh * window.dilation[0] - window.pad[0];
    if (ih < 0 || ih >= x[2]) continue;
    for (int64_t kw = 0; kw < window.kernel[1]; ++kw) {
      const int64_t iw = ow * window.stride[1] + kw * window.dilation[1] - window.pad[1];
      if (iw >= 0 && iw < x[3]) f(ih * x[3] + iw);
    }
  }
}

// Taps of one axis that count for an average: inside the input, or inside its padding too.
int64_t CountedTaps(const Window& window, int axis, int64_t position, int64_t extent,
                    bool include_pad) {
  const int64_t begin = include_pad ? -window.pad[axis] : 0;
  const int64_t end = include_pad ? extent + window.pad[axis + 2] : extent;
  int64_t count = 0;
  for (int64_t tap = 0; tap < window.kernel[axis]; ++tap) {
    const int64_t at =
        position * window.stride[axis] + tap * window.dilation[axis] - window.pad[axis];
    count += at >= begin && at < end;
  }
  return count;
}

int64_t Divisor(const Pool& pool, const Window& window, const Dims& x, int64_t oh, int64_t ow) {
  return CountedTaps(window, 0, oh, x[2], pool.count_include_pad) *
         CountedTaps(window, 1, ow, x[3], pool.count_include_pad);
}

// Calls f(plane, oh, ow, index of y) for every element of y; `plane` counts N·C.
template <typename F>
void ForEachOutput(const Dims& y, F f) {
  int64_t index = 0;
  for (int64_t plane = 0; plane < y[0] * y[1]; ++plane) {
    for (int64_t oh = 0; oh < y[2]; ++oh) {
      for (int64_t ow = 0; ow < y[3]; ++ow) f(plane, oh, ow, index++);
    }
  }
}

// The first of the largest elements under the window, by flat index in the plane.
template <typename T>
int64_t ArgMax(const Window& window, const Dims& dims, const T* plane, int64_t oh, int64_t ow) {
  int64_t best = -1;
  ForEachTap(window, dims, oh, ow, [&](int64_t i) {
    if (best < 0 || plane[i] > plane[best]) best = i;
  });
  return best;
}

// Calls f as DispatchFloat, for the types of 8 bits too.
template <typename F>
void DispatchPooled(DType dtype, F f) {
  if (dtype == DType::kU8) {
    f(uint8_t{});
  } else if (dtype == DType::kI8) {
    f(int8_t{});
  } else {
    ops::DispatchFloat(dtype, f);
  }
}

void ReferencePool(const Node& node, absl::Span<const TensorView> in,
                   absl::Span<const TensorView> out) {
  const auto& pool = std::get<Pool>(node.attrs);
  const Dims& x = in[0].type.dims;
  const Window window = EffectiveWindow(pool, x);
  DispatchPooled(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    ForEachOutput(out[0].type.dims, [&](int64_t plane, int64_t oh, int64_t ow, int64_t index) {
      const T* input = in[0].as<T>() + plane * x[2] * x[3];
      T& result = out[0].as<T>()[index];
      if (pool.kind == PoolKind::kAverage) {
        double sum = 0;
        ForEachTap(window, x, oh, ow, [&](int64_t i) { sum += input[i]; });
        result = static_cast<T>(sum / static_cast<double>(Divisor(pool, window, x, oh, ow)));
        return;
      }
      if (pool.kind == PoolKind::kL2) {
        double sum = 0;
        ForEachTap(window, x, oh, ow, [&](int64_t i) {
          sum += static_cast<double>(input[i]) * static_cast<double>(input[i]);
        });
        result = static_cast<T>(std::sqrt(sum));
        return;
      }
      const int64_t best = ArgMax(window, x, input, oh, ow);
      result = input[best];
      if (out.size() > 1) out[1].as<int32_t>()[index] = static_cast<int32_t>(best);
    });
  });
}

void ReferencePoolBackward(const Node& node, absl::Span<const TensorView> in,
                           absl::Span<const TensorView> out) {
  const auto& op = std::get<PoolBackward>(node.attrs);
  const Window window = EffectiveWindow(op.forward, op.input);
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    std::fill_n(out[0].as<T>(), out[0].count(), T{0});
    ForEachOutput(in[0].type.dims, [&](int64_t plane, int64_t oh, int64_t ow, int64_t index) {
      T* dx = out[0].as<T>() + plane * op.input[2] * op.input[3];
      const T dy = in[0].as<T>()[index];
      if (op.forward.kind == PoolKind::kMax) {
        dx[in[1].as<int32_t>()[index]] += dy;
        return;
      }
      if (op.forward.kind == PoolKind::kL2) {  // dx = dy x / y; y = 0 only where every x is
        const T* x = in[1].as<T>() + plane * op.input[2] * op.input[3];
        const T y = in[2].as<T>()[index];
        if (y > 0) ForEachTap(window, op.input, oh, ow, [&](int64_t i) { dx[i] += dy * x[i] / y; });
        return;
      }
      const T share = dy / static_cast<T>(Divisor(op.forward, window, op.input, oh, ow));
      ForEachTap(window, op.input, oh, ow, [&](int64_t i) { dx[i] += share; });
    });
  });
}

}  // namespace

const OpDef& OpOf(const Pool&) {
  static constexpr OpDef op = {"Pool", InferPool, ops::NoFlops, GradientPool, ReferencePool, 0b10};
  return op;
}

const OpDef& OpOf(const PoolBackward&) {
  static constexpr OpDef op = {"PoolBackward", InferPoolBackward, ops::NoFlops, ops::NoGradient,
                               ReferencePoolBackward};
  return op;
}

}  // namespace fovea
