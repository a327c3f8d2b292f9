// What this backend computes in bf16.
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

// The ops with a kernel for bf16. All others are computed in f32, between casts.
struct Kernels {
  const NodeView& view;

  bool operator()(const Conv&) const { return HasFastConv(view); }
  bool operator()(const ConvBackwardData&) const { return HasFastConv(view); }
  bool operator()(const ConvBackwardWeights&) const { return HasFastConv(view); }
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
