// Group normalisation (Wu and He 2018) and its gradient; layer norm with one group, instance norm
// with as many groups as channels.
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

absl::Status CheckGroups(const GroupNorm& norm, absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(ops::ExpectInputs(inputs, 3));
  RETURN_IF_ERROR(ops::ExpectOneFloat(inputs, 3));
  RETURN_IF_ERROR(ops::ExpectRankAtLeast("input", inputs[0], 2));
  const int64_t channels = inputs[0].dims[1];
  if (norm.groups < 1 || channels % norm.groups != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "input has ", channels, " channels, expected a multiple of the ", norm.groups, " groups"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Type>> InferGroupNorm(const Node& node, absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(CheckGroups(std::get<GroupNorm>(node.attrs), inputs));
  const int64_t channels = inputs[0].dims[1];
  RETURN_IF_ERROR(ops::ExpectDims("scale", inputs[1], {channels}));
  RETURN_IF_ERROR(ops::ExpectDims("shift", inputs[2], {channels}));
  return std::vector<Type>{{inputs[0].dtype, inputs[0].dims}};
}

absl::StatusOr<std::vector<Type>> InferGroupNormBackward(const Node& node,
                                                         absl::Span<const Type> inputs) {
  RETURN_IF_ERROR(CheckGroups(std::get<GroupNormBackward>(node.attrs).forward, inputs));
  const DType dtype = inputs[0].dtype;
  const Dims channels = {inputs[0].dims[1]};
  RETURN_IF_ERROR(ops::ExpectDims("output gradient", inputs[1], inputs[0].dims));
  RETURN_IF_ERROR(ops::ExpectDims("scale", inputs[2], channels));
  return std::vector<Type>{{dtype, inputs[0].dims}, {dtype, channels}, {dtype, channels}};
}

absl::Status GradientGroupNorm(GradientBuilder& builder) {
  const GroupNormBackward op = {std::get<GroupNorm>(builder.node().attrs)};
  ASSIGN_OR_RETURN(const auto gradients,
                   builder.Add("dx", op, {builder.input(0), builder.dy(), builder.input(1)}));
  for (int i : {0, 1, 2}) {
    if (builder.wants(i)) builder.Set(i, gradients[i]);
  }
  return absl::OkStatus();
}

// One group of one example: its elements lie side by side.
template <typename T>
struct Group {
  Group(const T* x, int64_t count, float epsilon) {
    for (int64_t i = 0; i < count; ++i) mean += x[i];
    mean /= static_cast<double>(count);
    double variance = 0;
    for (int64_t i = 0; i < count; ++i) variance += (x[i] - mean) * (x[i] - mean);
    variance /= static_cast<double>(count);
    inverse = 1 / std::sqrt(variance + static_cast<double>(epsilon));
  }
  double mean = 0, inverse = 0;
};

struct Extents {
  Extents(const Dims& x, int64_t group_count)
      : batch(x[0]),
        groups(group_count),
        channels(x[1] / group_count),
        plane(x.count() / (x[0] * x[1])) {}
  int64_t batch, groups;
  int64_t channels;  // of a group
  int64_t plane;
  int64_t count() const { return channels * plane; }  // elements of a group
};

void ReferenceGroupNorm(const Node& node, absl::Span<const TensorView> in,
                        absl::Span<const TensorView> out) {
  const auto& norm = std::get<GroupNorm>(node.attrs);
  const Extents e(in[0].type.dims, norm.groups);
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    for (int64_t g = 0; g < e.batch * e.groups; ++g) {
      const T* x = in[0].as<T>() + g * e.count();
      T* y = out[0].as<T>() + g * e.count();
      const Group<T> group(x, e.count(), norm.epsilon);
      for (int64_t i = 0; i < e.count(); ++i) {
        const int64_t channel = g % e.groups * e.channels + i / e.plane;
        const double scale = in[1].as<T>()[channel], shift = in[2].as<T>()[channel];
        y[i] = static_cast<T>(scale * (x[i] - group.mean) * group.inverse + shift);
      }
    }
  });
}

// With x̂ = (x − mean) / √(variance + ε), g = scale · dy and m elements in a group:
//   dshift = Σ dy;  dscale = Σ dy x̂;  dx = (g − Σ g / m − x̂ Σ g x̂ / m) / √(variance + ε)
void ReferenceGroupNormBackward(const Node& node, absl::Span<const TensorView> in,
                                absl::Span<const TensorView> out) {
  const auto& norm = std::get<GroupNormBackward>(node.attrs).forward;
  const Extents e(in[0].type.dims, norm.groups);
  const double count = static_cast<double>(e.count());
  ops::DispatchFloat(in[0].type.dtype, [&](auto zero) {
    using T = decltype(zero);
    std::vector<double> dscale(static_cast<size_t>(e.groups * e.channels)), dshift = dscale;
    for (int64_t g = 0; g < e.batch * e.groups; ++g) {
      const T *x = in[0].as<T>() + g * e.count(), *dy = in[1].as<T>() + g * e.count();
      T* dx = out[0].as<T>() + g * e.count();
      const Group<T> group(x, e.count(), norm.epsilon);
      const auto normalised = [&](int64_t i) { return (x[i] - group.mean) * group.inverse; };
      const auto channel = [&](int64_t i) { return g % e.groups * e.channels + i / e.plane; };
      const auto scaled = [&](int64_t i) -> double {
        return static_cast<double>(dy[i]) * in[2].as<T>()[channel(i)];
      };
      double sum = 0, product = 0;
      for (int64_t i = 0; i < e.count(); ++i) {
        dshift[channel(i)] += dy[i];
        dscale[channel(i)] += dy[i] * normalised(i);
        sum += scaled(i);
        product += scaled(i) * normalised(i);
      }
      for (int64_t i = 0; i < e.count(); ++i) {
        dx[i] = static_cast<T>((scaled(i) - sum / count - normalised(i) * product / count) *
                               group.inverse);
      }
    }
    for (int64_t c = 0; c < e.groups * e.channels; ++c) {
      out[1].as<T>()[c] = static_cast<T>(dscale[c]);
      out[2].as<T>()[c] = static_cast<T>(dshift[c]);
    }
  });
}

}  // namespace

const OpDef& OpOf(const GroupNorm&) {
  static constexpr OpDef op = {"GroupNorm", InferGroupNorm, ops::NoFlops, GradientGroupNorm,
                               ReferenceGroupNorm};
  return op;
}

const OpDef& OpOf(const GroupNormBackward&) {
  static constexpr OpDef op = {"GroupNormBackward", InferGroupNormBackward, ops::NoFlops,
                               ops::NoGradient, ReferenceGroupNormBackward};
  return op;
}

}  // namespace fovea
