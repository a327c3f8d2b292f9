// What this backend computes in bf16.
#include <algorithm>
#include <array>
#include <variant>

#include "core/backend/cpu/layouts.h"
#include "core/backend/cpu/lower.h"
#include "core/backend/cpu/onednn.h"
#include "core/backend/cpu/pool.h"
#include "core/backend/cpu/products.h"

namespace fovea::cpu {
namespace {

bool HasFastConv(const NodeView& view) {
  CompileOptions options;
  options.training = true;
  const ConvProblem problem = *ConvProblem::Of(view.graph, view.node, options);
  const auto layouts = ChooseConvLayouts(problem, ConvCandidates(problem, kBlocked));
  return layouts.ok() && !layouts->slow;
}

// Milliseconds of the weights' gradient of a 3x3 convolution of stride 2 in bf16, and in f32 with
// the casts of x and dy, two threads of an AMD Zen 4; in brackets where the threads' cores share no
// third cache, between which oneDNN's bf16 kernel moves much:
//   16 to 32 channels, 28 to 14, batch 128   1.31 (3.25) / 1.37
//   32 to 64, 14 to 7, batch 128             1.54 (3.80) / 1.25
//   64 to 128, 28 to 14, batch 16            2.32        / 2.65
bool IsFasterInF32(const NodeView& view, const Conv& conv) {
  constexpr int64_t kFew = 16, kMany = 64;
  const int64_t in = view.in(0).dims[1], out = view.in(1).dims[1];
  return conv.group == 1 && conv.window.kernel == std::array{3, 3} &&
         conv.window.stride == std::array{2, 2} && in >= kFew && std::max(in, out) <= kMany;
}

// The ops with a kernel for bf16. All others are computed in f32, between casts.
struct Kernels {
  const NodeView& view;

  bool operator()(const Conv&) const { return HasFastConv(view); }
  bool operator()(const ConvBackwardData&) const { return HasFastConv(view); }
  bool operator()(const ConvBackwardWeights& op) const {
    return HasFastConv(view) && !IsFasterInF32(view, op.forward);
  }
  bool operator()(const Dense&) const { return HasFastDense(view.graph, view.node, true); }
  bool operator()(const DenseBackwardData&) const {
    return HasFastDense(view.graph, view.node, true);
  }
  bool operator()(const DenseBackwardWeights&) const {
    return HasFastDense(view.graph, view.node, true);
  }
  bool operator()(const Pool& pool) const {
    return HasPoolPrimitive(pool, view.in(0), view.out(0));
  }
  bool operator()(const PoolBackward& pool) const {
    return HasPoolPrimitive(pool.forward, view.out(0), view.in(0));
  }
  bool operator()(const BatchNormTraining&) const { return view.in(0).dims.rank() == 4; }
  bool operator()(const BatchNormBackward&) const { return view.in(0).dims.rank() == 4; }
  bool operator()(const Activate& op) const { return !HasEltwisePrimitive(op.activation.kind); }
  bool operator()(const ActivateBackward& op) const {
    return !HasEltwisePrimitive(op.activation.kind);
  }
  bool operator()(const Add&) const { return true; }
  bool operator()(const BiasBackward&) const { return true; }
  bool operator()(const Normalize&) const { return true; }
  bool operator()(const Reshape&) const { return true; }
  bool operator()(const Reorder&) const { return true; }
  bool operator()(const Cast& cast) const {
    const DType from = view.in(0).dtype, to = cast.dtype;
    return (from == DType::kF32 && to == DType::kBF16) ||
           (from == DType::kBF16 && to == DType::kF32);
  }
  template <typename T>
  bool operator()(const T&) const {
    return false;
  }
};

}  // namespace

bool HasBf16() {
  static const bool has = [] {
    const int isa = dnnl_get_effective_cpu_isa();
    return (isa & dnnl_cpu_isa_avx512_core_bf16) == dnnl_cpu_isa_avx512_core_bf16;
  }();
  return has;
}

bool HasBf16Kernel(const NodeView& view) {
  return HasBf16() && std::visit(Kernels{view}, view.node.attrs);
}

}  // namespace fovea::cpu
