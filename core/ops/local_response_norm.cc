// Local response normalisation across channels (Krizhevsky, Sutskever, Hinton 2012, section 3.3).
#include <algorithm>
#include <cmath>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/graph/op_def.h"
#include "core/ops/infer.h"
#include "core/ops/reference.h"

namespace fovea {
namespace {

absl::Status CheckNorm(const LocalResponseNorm& norm, const Type& x) {
  RETURN_IF_ERROR(ops::ExpectRank("input", x, 4));
  if (norm.size < 1 || norm.size % 2 == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("size is ", norm.size, ", expected an odd number of channels"));
  }
  if (!(norm.bias > 0) || !(norm.alpha >= 0)) {
    return absl::InvalidArgumentError(absl::StrCat("bias is ", norm.bias, " and alpha ", norm.alpha,
                                                   ", expected bias above 0, alpha at least 0"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Type>> InferForward(const Node& node, absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 1));
  RETURN_IF_ERROR(ops::ExpectOneFloat(inputs, 1));
  RETURN_IF_ERROR(CheckNorm(std::get<LocalResponseNorm>(node.attrs), inputs[0]));
  return std::vector<Type>{{inputs[0].dtype, inputs[0].dims}};
}

absl::StatusOr<std::vector<Type>> InferBackward(const Node& node, absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 2));
  RETURN_IF_ERROR(ops::ExpectOneFloat(inputs, 2));
  RETURN_IF_ERROR(CheckNorm(std::get<LocalResponseNormBackward>(node.attrs).forward, inputs[0]));
  RETURN_IF_ERROR(ops::ExpectDims("output gradient", inputs[1], inputs[0].dims));
  return std::vector<Type>{{inputs[0].dtype, inputs[0].dims}};
}

absl::Status Gradient(GradientBuilder& builder) {
  if (!builder.wants(0)) return absl::OkStatus();
  const LocalResponseNormBackward op = {std::get<LocalResponseNorm>(builder.node().attrs)};
  ASSIGN_OR_RETURN(const auto dx, builder.Add("dx", op, {builder.input(0), builder.dy()}));
  builder.Set(0, dx[0]);
  return absl::OkStatus();
}

// The channels of one pixel, `stride` apart; their sums bias + alpha/size · Σ x².
template <typename T>
struct Column {
  Column(const LocalResponseNorm& op, const T* values, int64_t count, int64_t step)
      : norm(op), x(values), channels(count), stride(step), half(op.size / 2) {}

  double at(int64_t c) const { return x[c * stride]; }
  double Scale(int64_t c) const {
    double sum = 0;
    for (int64_t i = First(c); i <= Last(c); ++i) sum += at(i) * at(i);
    return norm.bias + static_cast<double>(norm.alpha) / norm.size * sum;
  }
  int64_t First(int64_t c) const { return std::max<int64_t>(0, c - half); }
  int64_t Last(int64_t c) const { return std::min(channels - 1, c + half); }

  const LocalResponseNorm& norm;
  const T* x;
  int64_t channels, stride, half;
};

// Calls f(offset of the pixel's first channel) for every pixel.
template <typename F>
void ForEachPixel(const Dims& x, F f) {
  const int64_t plane = x[2] * x[3];
  for (int64_t n = 0; n < x[0]; ++n) {
    for (int64_t p = 0; p < plane; ++p) f(n * x[1] * plane + p);
  }
}

void ReferenceForward(const Node& node, absl::Span<const TensorView> in,
                      absl::Span<const TensorView> out) {
  const auto& norm = std::get<LocalResponseNorm>(node.attrs);
  const Dims& dims = in[0].type.dims;
  const int64_t plane = dims[2] * dims[3];
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    ForEachPixel(dims, [&](int64_t offset) {
      const Column<T> column(norm, in[0].as<T>() + offset, dims[1], plane);
      for (int64_t c = 0; c < dims[1]; ++c) {
        out[0].as<T>()[offset + c * plane] = static_cast<T>(
            column.at(c) * std::pow(column.Scale(c), -static_cast<double>(norm.beta)));
      }
    });
  });
}

// With s the sums: dx = dy s^−β − 2 αβ/size x Σ dy' x' s'^(−β−1), over the channels whose window
// holds x's; the windows are symmetric.
void ReferenceBackward(const Node& node, absl::Span<const TensorView> in,
                       absl::Span<const TensorView> out) {
  const auto& norm = std::get<LocalResponseNormBackward>(node.attrs).forward;
  const Dims& dims = in[0].type.dims;
  const int64_t plane = dims[2] * dims[3];
  const double beta = norm.beta, factor = 2.0 * norm.alpha * beta / norm.size;
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    ForEachPixel(dims, [&](int64_t offset) {
      const Column<T> x(norm, in[0].as<T>() + offset, dims[1], plane);
      const Column<T> dy(norm, in[1].as<T>() + offset, dims[1], plane);
      for (int64_t c = 0; c < dims[1]; ++c) {
        double sum = 0;
        for (int64_t i = x.First(c); i <= x.Last(c); ++i) {
          sum += dy.at(i) * x.at(i) * std::pow(x.Scale(i), -beta - 1);
        }
        out[0].as<T>()[offset + c * plane] =
            static_cast<T>(dy.at(c) * std::pow(x.Scale(c), -beta) - factor * x.at(c) * sum);
      }
    });
  });
}

}  // namespace

const OpDef& OpOf(const LocalResponseNorm&) {
  static constexpr OpDef op = {"LocalResponseNorm", InferForward, ops::NoFlops, Gradient,
                               ReferenceForward};
  return op;
}

const OpDef& OpOf(const LocalResponseNormBackward&) {
  static constexpr OpDef op = {"LocalResponseNormBackward", InferBackward, ops::NoFlops,
                               ops::NoGradient, ReferenceBackward};
  return op;
}

}  // namespace fovea
