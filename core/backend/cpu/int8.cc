// Products of quantised values, and the way from floats to them and back.
#include <algorithm>
#include <cmath>
#include <limits>
#include <variant>

#include "core/backend/cpu/host_kernel.h"
#include "core/backend/cpu/layouts.h"
#include "core/backend/cpu/lower.h"
#include "core/backend/cpu/nearest.h"
#include "core/backend/cpu/onednn.h"
#include "core/backend/cpu/products.h"
#include "core/base/check.h"
#include "core/ops/quantized.h"

namespace fovea::cpu {
namespace {

// f(c x) = c f(x) for c > 0, once the bounds of a clip are scaled too.
bool IsHomogeneous(Activation kind) {
  return kind == Activation::kNone || kind == Activation::kRelu || kind == Activation::kLeakyRelu ||
         kind == Activation::kClip;
}

// Appends the activation of what is in units of `scale`; the result is in units of y.
void AppendActivation(dnnl_post_ops_t post_ops, const ActivationSpec& activation, float scale,
                      float y) {
  if (activation.kind == Activation::kNone) return;
  Eltwise eltwise = EltwiseOf(activation);
  if (activation.kind == Activation::kClip) {
    eltwise.alpha /= scale;
    eltwise.beta /= scale;
  }
  const float result = eltwise.scale * scale / y;
  const auto append = [&](const Eltwise& each, float factor) {
    CHECK(dnnl_post_ops_append_eltwise(post_ops, factor, each.kind, each.alpha, each.beta) ==
          dnnl_success);
  };
  if (activation.kind == Activation::kHardSigmoid) {
    append(eltwise, 1);
    append({dnnl_eltwise_clip, 0, 1}, result);
  } else {
    append(eltwise, result);
  }
}

constexpr int64_t kGrain = 4096;  // elements of a thread, at least

FOVEA_MULTIVERSION
void QuantizeLoop(const float* x, float inverse, float low, float high, int8_t* q, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    q[i] = static_cast<int8_t>(Nearest(std::min(std::max(x[i] * inverse, low), high)));
  }
}
FOVEA_MULTIVERSION
void QuantizeLoop(const float* x, float inverse, float low, float high, uint8_t* q, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    q[i] = static_cast<uint8_t>(Nearest(std::min(std::max(x[i] * inverse, low), high)));
  }
}

template <typename T>
__attribute__((always_inline)) inline void DequantizeAll(const T* q, float scale, float* x,
                                                         int64_t count) {
  for (int64_t i = 0; i < count; ++i) x[i] = static_cast<float>(q[i]) * scale;
}
FOVEA_MULTIVERSION
void DequantizeLoop(const int8_t* q, float scale, float* x, int64_t count) {
  DequantizeAll(q, scale, x, count);
}
FOVEA_MULTIVERSION
void DequantizeLoop(const uint8_t* q, float scale, float* x, int64_t count) {
  DequantizeAll(q, scale, x, count);
}

template <typename T>
Lowered QuantizeTo(int64_t count, float scale) {
  const float inverse = 1 / scale;
  const float low = std::is_signed_v<T> ? -ops::kSignedLimit : 0;
  const float high = std::is_signed_v<T> ? ops::kSignedLimit : ops::kUnsignedLimit;
  return LowerHost("fovea:quantize", [=](Addresses in, Addresses out) {
    ParallelRanges(count, kGrain, [&](int64_t begin, int64_t end) {
      QuantizeLoop(At<float>(in, 0) + begin, inverse, low, high, At<T>(out, 0) + begin,
                   end - begin);
    });
  });
}

template <typename T>
Lowered DequantizeFrom(int64_t count, float scale) {
  return LowerHost("fovea:dequantize", [=](Addresses in, Addresses out) {
    ParallelRanges(count, kGrain, [&](int64_t begin, int64_t end) {
      DequantizeLoop(At<T>(in, 0) + begin, scale, At<float>(out, 0) + begin, end - begin);
    });
  });
}

bool HasFastConv(const NodeView& view) {
  const ConvProblem problem = *ConvProblem::Of(view.graph, view.node, {});
  const auto layouts = ChooseConvLayouts(problem, ConvCandidates(problem, kNhwc));
  return layouts.ok() && !layouts->slow;
}

}  // namespace

PrimitiveAttr MakeQuantizedAttr(const ProductScales& scales, const ActivationSpec& activation,
                                bool sum) {
  PrimitiveAttr attr = MakeAttr();
  // The unit of what the activation is applied to: y's own where that makes no difference.
  const float unit = IsHomogeneous(activation.kind) ? scales.y : 1;
  std::vector<float> factors;
  for (float w : scales.weights) factors.push_back(scales.x * w / unit);
  constexpr int kChannels = 1 << 1;
  CHECK(dnnl_primitive_attr_set_output_scales(attr.get(), static_cast<dnnl_dim_t>(factors.size()),
                                              kChannels, factors.data()) == dnnl_success);
  dnnl_post_ops_t post_ops = nullptr;
  CHECK(dnnl_post_ops_create(&post_ops) == dnnl_success);
  if (sum) {
    CHECK(dnnl_post_ops_append_sum_v2(post_ops, scales.residual / unit,
                                      DataType(scales.residual_dtype)) == dnnl_success);
  }
  AppendActivation(post_ops, activation, unit, scales.y);
  CHECK(dnnl_primitive_attr_set_post_ops(attr.get(), post_ops) == dnnl_success);
  dnnl_post_ops_destroy(post_ops);
  return attr;
}

ProductScales ProductScales::Of(const Graph& graph, const Node& node, bool has_residual) {
  ProductScales scales;
  const std::vector<float>& constants = node.constants;
  scales.y = constants[0];
  scales.residual = constants[1];
  scales.x = constants[2];
  scales.weights.assign(constants.begin() + 3, constants.end());
  if (has_residual) scales.residual_dtype = graph.type(node.inputs.back()).dtype;
  return scales;
}

bool HasInt8() {
  static const bool has = [] {
    const int isa = dnnl_get_effective_cpu_isa();
    return (isa & dnnl_cpu_isa_avx512_core_vnni) == dnnl_cpu_isa_avx512_core_vnni ||
           (isa & dnnl_cpu_isa_avx2_vnni) == dnnl_cpu_isa_avx2_vnni;
  }();
  return has;
}

bool HasQuantizedKernel(const NodeView& view) {
  if (!HasInt8()) return false;
  if (std::holds_alternative<QuantizedConv>(view.node.attrs)) return HasFastConv(view);
  return HasFastDense(view.graph, view.node, /*training=*/false);
}

absl::StatusOr<Lowered> LowerQuantize(const NodeView& view) {
  const int64_t count = PaddedCount(view.in(0));
  const float scale = view.node.constants[0];
  return view.out(0).dtype == DType::kU8 ? QuantizeTo<uint8_t>(count, scale)
                                         : QuantizeTo<int8_t>(count, scale);
}

absl::StatusOr<Lowered> LowerDequantize(const NodeView& view) {
  const int64_t count = PaddedCount(view.out(0));
  const float scale = view.node.constants[0];
  return view.in(0).dtype == DType::kU8 ? DequantizeFrom<uint8_t>(count, scale)
                                        : DequantizeFrom<int8_t>(count, scale);
}

}  // namespace fovea::cpu
