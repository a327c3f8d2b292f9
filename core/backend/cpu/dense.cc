// Dense (fully connected) and its two gradients through oneDNN's inner product.
#include "core/backend/cpu/lower.h"
#include "core/backend/cpu/onednn.h"
#include "core/backend/cpu/products.h"
#include "core/base/status.h"

#include <optional>

#include "absl/strings/str_cat.h"

namespace fovea::cpu {
namespace {

// Types and roles of a dense node in any of its directions.
struct DenseProblem {
  Direction direction = Direction::kForward;
  Dense dense;
  Type x, w, y;
  bool training = false;
  std::optional<ProductScales> scales = {};  // of quantised values

  static DenseProblem Of(const Graph& graph, const Node& node, bool training) {
    const auto in = [&](int i) { return graph.type(node.inputs[i]); };
    const Type out = graph.type(node.outputs[0]);
    if (const auto* dense = std::get_if<Dense>(&node.attrs)) {
      return {Direction::kForward, *dense, in(0), in(1), out, training};
    }
    if (const auto* quantised = std::get_if<QuantizedDense>(&node.attrs)) {
      return {Direction::kForward,
              quantised->dense,
              in(0),
              in(1),
              out,
              /*training=*/false,
              ProductScales::Of(graph, node, quantised->dense.has_residual)};
    }
    if (std::holds_alternative<DenseBackwardData>(node.attrs)) {
      return {Direction::kBackwardData, {}, out, in(1), in(0), training};
    }
    return {Direction::kBackwardWeights, {}, in(0), out, in(1), training};
  }
};

absl::StatusOr<PrimitiveDesc> CreateForward(const DenseProblem& problem, const Desc& w,
                                            const PrimitiveAttr& attr) {
  const Desc x = DescOf(problem.x), y = DescOf(problem.y);
  const Desc bias = DenseDesc(Dims{problem.y.dims[1]});
  dnnl_inner_product_desc_t op;
  RETURN_IF_DNNL_ERROR(dnnl_inner_product_forward_desc_init(
                           &op, problem.training ? dnnl_forward_training : dnnl_forward_inference,
                           &x, &w, problem.dense.has_bias ? &bias : nullptr, &y),
                       "describing a dense layer");
  return CreateDesc(&op, attr);
}

PrimitiveAttr ForwardAttr(const DenseProblem& problem) {
  const Dense& dense = problem.dense;
  if (!problem.scales.has_value()) return MakeAttr(dense.has_residual, dense.activation);
  return MakeQuantizedAttr(*problem.scales, dense.activation, dense.has_residual);
}

absl::StatusOr<PrimitiveDesc> Create(const DenseProblem& problem, const Desc& w) {
  if (problem.direction == Direction::kForward) {
    return CreateForward(problem, w, ForwardAttr(problem));
  }
  DenseProblem forward = problem;
  forward.training = true;
  const Desc forward_w = AnyDesc(DenseDesc(problem.w.dims, problem.x.dtype));
  ASSIGN_OR_RETURN(const PrimitiveDesc hint, CreateForward(forward, forward_w, MakeAttr()));
  const Desc x = DescOf(problem.x), y = DescOf(problem.y);
  dnnl_inner_product_desc_t op;
  if (problem.direction == Direction::kBackwardData) {
    RETURN_IF_DNNL_ERROR(dnnl_inner_product_backward_data_desc_init(&op, &x, &w, &y),
                         "describing a dense layer's data gradient");
  } else {
    RETURN_IF_DNNL_ERROR(dnnl_inner_product_backward_weights_desc_init(&op, &x, &w, nullptr, &y),
                         "describing a dense layer's weights gradient");
  }
  return CreateDesc(&op, MakeAttr(), hint.get());
}

}  // namespace

absl::StatusOr<Layout> ChooseDenseWeights(const Graph& graph, const Node& node, bool training) {
  const DenseProblem problem = DenseProblem::Of(graph, node, training);
  const Desc dense = DenseDesc(problem.w.dims, problem.w.dtype);
  ASSIGN_OR_RETURN(const PrimitiveDesc desc, Create(problem, AnyDesc(dense)));
  const int argument =
      problem.direction == Direction::kBackwardWeights ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS;
  return Intern(ArgumentDesc(desc.get(), argument), dense);
}

bool HasFastDense(const Graph& graph, const Node& node, bool training) {
  const DenseProblem problem = DenseProblem::Of(graph, node, training);
  const auto desc = Create(problem, AnyDesc(DenseDesc(problem.w.dims, problem.w.dtype)));
  return desc.ok() && !IsSlow(ImplementationName(desc->get()));
}

absl::StatusOr<Lowered> LowerDense(const NodeView& view, const CompileOptions& options) {
  const DenseProblem problem = DenseProblem::Of(view.graph, view.node, options.training);
  ASSIGN_OR_RETURN(const PrimitiveDesc desc, Create(problem, DescOf(problem.w)));
  const std::string kernel = ImplementationName(desc.get());
  if (IsSlow(kernel) && !options.allow_slow_kernels) {
    return absl::UnimplementedError(absl::StrCat(
        "the cpu backend has only a slow kernel (", kernel, ") for x ", problem.x.ToString(),
        ", w ", problem.w.ToString(), "; allow_slow_kernels accepts it"));
  }
  ASSIGN_OR_RETURN(Lowered lowered, LowerPrimitive(desc, ProductArguments(problem.direction,
                                                                          problem.dense.has_bias)));
  if (problem.direction == Direction::kForward && problem.dense.has_residual) {
    lowered.in_place_input = problem.dense.has_bias ? 3 : 2;
  }
  return lowered;
}

}  // namespace fovea::cpu
