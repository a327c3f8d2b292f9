#include "core/backend/cpu/cpu_backend.h"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "core/backend/cpu/layout_plan.h"
#include "core/backend/cpu/layouts.h"
#include "core/backend/cpu/lower.h"
#include "core/backend/cpu/onednn.h"
#include "core/backend/host_memory.h"
#include "core/backend/reference/reference_kernel.h"
#include "core/graph/op_def.h"

namespace fovea {
namespace {

using cpu::NodeView;

// Of the kernels and layout plans here and of the passes for them. Raised when one becomes faster
// or slower, so that the plans of served nets are timed anew.
constexpr int kKernelVersion = 3;

template <typename... Fs>
struct Overload : Fs... {
  using Fs::operator()...;
};
template <typename... Fs>
Overload(Fs...) -> Overload<Fs...>;

bool IsProduct(const Attrs& attrs) {
  return std::visit(
      Overload{[](const Conv&) { return true; }, [](const ConvTranspose&) { return true; },
               [](const ConvBackwardData&) { return true; },
               [](const ConvBackwardWeights&) { return true; }, [](const Dense&) { return true; },
               [](const DenseBackwardData&) { return true; },
               [](const DenseBackwardWeights&) { return true; },
               [](const InvertedResidual&) { return true; },
               [](const QuantizedConv&) { return true; },
               [](const QuantizedDense&) { return true; }, [](const auto&) { return false; }},
      attrs);
}

// Whether every floating-point operand is f32, or bf16 where `half`.
bool HasOnly(const Graph& graph, const Node& node, bool half) {
  const auto other_float = [&](ValueId id) {
    const DType dtype = graph.type(id).dtype;
    return dtype == DType::kF64 || dtype == DType::kF16 || (dtype == DType::kBF16 && !half);
  };
  return std::none_of(node.inputs.begin(), node.inputs.end(), other_float) &&
         std::none_of(node.outputs.begin(), node.outputs.end(), other_float);
}

// Whether the kernels here compute the node: in f32, or where they exist in bf16.
bool HasKernel(const Graph& graph, const Node& node) {
  if (HasOnly(graph, node, /*half=*/false)) return true;
  return HasOnly(graph, node, /*half=*/true) && cpu::HasBf16Kernel({graph, node});
}

absl::StatusOr<Lowered> LowerFast(const NodeView& view, const CompileOptions& options) {
  return std::visit(
      Overload{
          [&](const Pool& op) { return cpu::LowerPool(view, op); },
          [&](const PoolBackward& op) { return cpu::LowerPoolBackward(view, op); },
          [&](const BatchNorm& op) { return cpu::LowerBatchNorm(view, op); },
          [&](const BatchNormTraining& op) { return cpu::LowerBatchNormTraining(view, op); },
          [&](const BatchNormBackward& op) { return cpu::LowerBatchNormBackward(view, op); },
          [&](const Reorder&) { return cpu::LowerReorder(view); },
          [&](const Cast&) { return cpu::LowerCast(view); },
          [&](const Softmax&) { return cpu::LowerSoftmax(view); },
          [&](const Add& op) { return cpu::LowerAdd(view, op); },
          [&](const Activate& op) { return cpu::LowerActivate(view, op); },
          [&](const ActivateBackward& op) { return cpu::LowerActivateBackward(view, op); },
          [&](const PRelu&) { return cpu::LowerPRelu(view); },
          [&](const PReluBackward&) { return cpu::LowerPReluBackward(view); },
          [&](const Mul&) { return cpu::LowerMul(view); },
          [&](const GateBackward&) { return cpu::LowerGateBackward(view); },
          [&](const Concat&) { return cpu::LowerConcat(view); },
          [&](const SliceChannels& op) { return cpu::LowerSliceChannels(view, op); },
          [&](const GroupNorm& op) { return cpu::LowerGroupNorm(view, op); },
          [&](const GroupNormBackward& op) {
            return cpu::LowerGroupNormBackward(view, op.forward);
          },
          [&](const LocalResponseNorm& op) { return cpu::LowerLocalResponseNorm(view, op); },
          [&](const LocalResponseNormBackward& op) {
            return cpu::LowerLocalResponseNormBackward(view, op.forward);
          },
          [&](const BiasBackward&) { return cpu::LowerBiasBackward(view); },
          [&](const Normalize&) { return cpu::LowerNormalize(view); },
          [&](const Dropout& op) { return cpu::LowerDropout(view, op); },
          [&](const NormScale& op) { return cpu::LowerNormScale(view, op); },
          [&](const SumGradients& op) { return cpu::LowerSumGradients(view, op); },
          [&](const MovingAverage&) { return cpu::LowerMovingAverage(view); },
          [&](const Dense&) { return cpu::LowerDense(view, options); },
          [&](const DenseBackwardData&) { return cpu::LowerDense(view, options); },
          [&](const DenseBackwardWeights&) { return cpu::LowerDense(view, options); },
          [&](const Conv&) { return cpu::LowerConv(view, options); },
          [&](const ConvBackwardData&) { return cpu::LowerConv(view, options); },
          [&](const ConvTranspose&) { return cpu::LowerConvTranspose(view, options); },
          [&](const ConvBackwardWeights&) { return cpu::LowerConv(view, options); },
          [&](const QuantizedConv&) { return cpu::LowerConv(view, options); },
          [&](const QuantizedDense&) { return cpu::LowerDense(view, options); },
          [&](const Quantize&) { return cpu::LowerQuantize(view); },
          [&](const Dequantize&) { return cpu::LowerDequantize(view); },
          [&](const InvertedResidual& op) { return cpu::LowerInvertedResidual(view, op, options); },
          [&](const auto& op) -> absl::StatusOr<Lowered> {
            if constexpr (std::is_constructible_v<Update, decltype(op)>) {
              return cpu::LowerUpdate(view, op);
            } else {
              return LowerReference(view.graph, view.node);
            }
          }},
      view.node.attrs);
}

class Cpu : public HostBackend {
 public:
  const char* name() const override { return "cpu"; }
  std::string KernelVersions() const override {
    const dnnl_version_t& library = *dnnl_version();
    return absl::StrCat("cpu ", kKernelVersion, ", oneDNN ", library.major, ".", library.minor, ".",
                        library.patch);
  }
  size_t Bytes(const Type& type) const override { return cpu::LayoutBytes(type); }

  bool Supports(const Graph& graph, const Node& node) const override {
    // A sum takes what needs no exponential: the others are oneDNN's, as nodes of their own.
    const auto* add = std::get_if<Add>(&node.attrs);
    if (add != nullptr && cpu::HasEltwisePrimitive(add->activation.kind)) {
      return !HasOnly(graph, node, /*half=*/true);
    }
    if (const auto* op = std::get_if<InvertedResidual>(&node.attrs); op != nullptr) {
      return cpu::HasInvertedResidualKernel({graph, node}, *op);
    }
    if (std::holds_alternative<QuantizedConv>(node.attrs) ||
        std::holds_alternative<QuantizedDense>(node.attrs)) {
      return cpu::HasQuantizedKernel({graph, node});
    }
    return HasKernel(graph, node) || (HasReferenceKernel(graph, node) && !IsProduct(node.attrs));
  }

  absl::StatusOr<Graph> Prepare(Graph graph, const CompileOptions& options) const override {
    return cpu::PlanLayouts(std::move(graph), options);
  }

  absl::StatusOr<Lowered> Lower(const Graph& graph, const Node& node,
                                const CompileOptions& options) const override {
    absl::StatusOr<Lowered> lowered = LowerAny({graph, node}, options);
    if (lowered.ok()) return lowered;
    return absl::Status(
        lowered.status().code(),
        absl::StrCat(OpOf(node.attrs).name, " \"", node.name, "\": ", lowered.status().message()));
  }

 private:
  static absl::StatusOr<Lowered> LowerAny(const NodeView& view, const CompileOptions& options) {
    // Of products, LowerFast finds out again whether their kernel is fast.
    const bool bf16 = IsProduct(view.node.attrs) || cpu::HasBf16Kernel(view);
    if (HasOnly(view.graph, view.node, bf16)) return LowerFast(view, options);
    if (!IsProduct(view.node.attrs) || options.allow_slow_kernels) {
      return LowerReference(view.graph, view.node);
    }
    return absl::UnimplementedError("the cpu backend has no kernel for these types");
  }
};

}  // namespace

const Backend& CpuBackend() {
  static const Cpu backend;
  return backend;
}

}  // namespace fovea
