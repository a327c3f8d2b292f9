// Convolution and its two gradients through oneDNN.
#include "core/backend/cpu/products.h"

#include "absl/strings/str_cat.h"
#include "core/backend/cpu/channel_blocks.h"
#include "core/backend/cpu/layout_plan.h"
#include "core/backend/cpu/lower.h"
#include "core/backend/cpu/onednn.h"
#include "core/base/status.h"

namespace fovea::cpu {
namespace {

// Weights as oneDNN wants them: with an axis of groups where there are several.
Desc DenseWeights(const ConvProblem& problem) {
  const Dims& w = problem.w.dims;
  const int64_t group = problem.conv.group;
  if (group == 1) return DenseDesc(w, problem.w.dtype);
  return DenseDesc(Dims{group, w[0] / group, w[1], w[2], w[3]}, problem.w.dtype);
}

Desc Weights(const ConvProblem& problem, Layout layout) {
  return layout == kDense ? DenseWeights(problem) : InternedDesc(layout);
}

struct Geometry {
  explicit Geometry(const Window& window)
      : stride{window.stride[0], window.stride[1]},
        dilation{window.dilation[0] - 1, window.dilation[1] - 1},
        pad_begin{window.pad[0], window.pad[1]},
        pad_end{window.pad[2], window.pad[3]} {}
  dnnl_dims_t stride, dilation, pad_begin, pad_end;
};

// The algorithm to try first; Winograd's does not exist for every shape and processor.
dnnl_alg_kind_t Algorithm(const ConvProblem& problem) {
  return problem.algorithm == ConvAlgorithm::kOneDnnWinograd ? dnnl_convolution_winograd
                                                             : dnnl_convolution_direct;
}

absl::StatusOr<PrimitiveDesc> CreateForward(const ConvProblem& problem, const Desc& x,
                                            const Desc& w, const Desc& y,
                                            const PrimitiveAttr& attr) {
  const Geometry geometry(problem.conv.window);
  const Desc bias = DenseDesc(Dims{problem.y.dims[1]});
  dnnl_convolution_desc_t op;
  RETURN_IF_DNNL_ERROR(
      dnnl_dilated_convolution_forward_desc_init(
          &op, problem.training ? dnnl_forward_training : dnnl_forward_inference,
          Algorithm(problem), &x, &w, problem.conv.has_bias ? &bias : nullptr, &y, geometry.stride,
          geometry.dilation, geometry.pad_begin, geometry.pad_end),
      "describing a convolution");
  return CreateDesc(&op, attr);
}

// The hint of a gradient: the forward convolution with the same activations. Its weights have the
// type of x, where the gradient of bf16 weights is f32.
absl::StatusOr<PrimitiveDesc> CreateHint(const ConvProblem& problem, const Desc& x, const Desc& y) {
  ConvProblem forward = problem;
  forward.training = true;
  forward.algorithm = ConvAlgorithm::kDirect;
  forward.conv.has_bias = false;
  forward.w.dtype = problem.x.dtype;
  return CreateForward(forward, x, AnyDesc(DenseWeights(forward)), y, MakeAttr());
}

absl::StatusOr<PrimitiveDesc> CreateBackwardData(const ConvProblem& problem, const Desc& x,
                                                 const Desc& w, const Desc& y) {
  ASSIGN_OR_RETURN(const PrimitiveDesc hint, CreateHint(problem, x, y));
  const Geometry geometry(problem.conv.window);
  dnnl_convolution_desc_t op;
  RETURN_IF_DNNL_ERROR(dnnl_dilated_convolution_backward_data_desc_init(
                           &op, Algorithm(problem), &x, &w, &y, geometry.stride, geometry.dilation,
                           geometry.pad_begin, geometry.pad_end),
                       "describing a convolution's data gradient");
  return CreateDesc(&op, MakeAttr(), hint.get());
}

absl::StatusOr<PrimitiveDesc> CreateBackwardWeights(const ConvProblem& problem, const Desc& x,
                                                    const Desc& w, const Desc& y) {
  ASSIGN_OR_RETURN(const PrimitiveDesc hint, CreateHint(problem, x, y));
  const Geometry geometry(problem.conv.window);
  dnnl_convolution_desc_t op;
  RETURN_IF_DNNL_ERROR(dnnl_dilated_convolution_backward_weights_desc_init(
                           &op, Algorithm(problem), &x, &w, nullptr, &y, geometry.stride,
                           geometry.dilation, geometry.pad_begin, geometry.pad_end),
                       "describing a convolution's weights gradient");
  return CreateDesc(&op, MakeAttr(), hint.get());
}

PrimitiveAttr ForwardAttr(const ConvProblem& problem) {
  const Conv& conv = problem.conv;
  if (!problem.scales.has_value()) return MakeAttr(conv.has_residual, conv.activation);
  return MakeQuantizedAttr(*problem.scales, conv.activation, conv.has_residual);
}

absl::StatusOr<PrimitiveDesc> CreateOne(const ConvProblem& problem, const Desc& x, const Desc& w,
                                        const Desc& y) {
  switch (problem.direction) {
    case Direction::kForward:
      return CreateForward(problem, x, w, y, ForwardAttr(problem));
    case Direction::kBackwardData:
      return CreateBackwardData(problem, x, w, y);
    case Direction::kBackwardWeights:
      return CreateBackwardWeights(problem, x, w, y);
  }
  return absl::InternalError("no such direction");
}

absl::StatusOr<PrimitiveDesc> Create(const ConvProblem& problem, const Desc& x, const Desc& w,
                                     const Desc& y) {
  if (problem.algorithm == ConvAlgorithm::kOneDnnWinograd) {
    auto desc = CreateOne(problem, x, w, y);
    if (desc.ok()) return desc;
  }
  ConvProblem direct = problem;
  direct.algorithm = ConvAlgorithm::kDirect;
  return CreateOne(direct, x, w, y);
}

int WeightsArgument(Direction direction) {
  return direction == Direction::kBackwardWeights ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS;
}

// The layouts as which a kernel may see the value.
std::vector<Layout> Views(const Type& type) {
  std::vector<Layout> views = {type.layout};
  for (Layout other : {kNhwc, kBlocked, kDense}) {
    if (other != type.layout && Satisfies(type, other)) views.push_back(other);
  }
  return views;
}

// The primitive for the layouts the node has.
absl::StatusOr<PrimitiveDesc> CreateAsStored(const ConvProblem& problem, bool allow_slow) {
  const Desc w = Weights(problem, problem.w.layout);
  absl::StatusOr<PrimitiveDesc> slow = absl::UnimplementedError("no kernel");
  for (Layout x : Views(problem.x)) {
    for (Layout y : Views(problem.y)) {
      auto desc = Create(problem, DescAs(problem.x, x), w, DescAs(problem.y, y));
      if (desc.ok() && !IsSlow(ImplementationName(desc->get()))) return desc;
      if (!slow.ok()) slow = std::move(desc);
    }
  }
  if (!slow.ok() || allow_slow) return slow;
  return absl::UnimplementedError(
      absl::StrCat("the cpu backend has only a slow kernel (", ImplementationName(slow->get()),
                   ") for x ", problem.x.ToString(), ", w ", problem.w.ToString(), ", y ",
                   problem.y.ToString(), "; allow_slow_kernels accepts it"));
}

// The kernel of the problem's algorithm.
absl::StatusOr<Lowered> LowerBy(const ConvProblem& problem, const CompileOptions& options) {
  if (problem.algorithm == ConvAlgorithm::kOwnWinograd) return LowerOwnWinograd(problem);
  if (problem.algorithm == ConvAlgorithm::kOwnGrouped) return LowerOwnGrouped(problem);
  ASSIGN_OR_RETURN(const PrimitiveDesc desc, CreateAsStored(problem, options.allow_slow_kernels));
  return LowerPrimitive(desc, ProductArguments(problem.direction, problem.conv.has_bias));
}

}  // namespace

std::optional<ConvProblem> ConvProblem::Of(const Graph& graph, const Node& node,
                                           const CompileOptions& options) {
  const auto in = [&](int i) { return graph.type(node.inputs[i]); };
  const Type out = graph.type(node.outputs[0]);
  ConvProblem problem;
  if (const auto* conv = std::get_if<Conv>(&node.attrs)) {
    problem = {Direction::kForward, *conv, in(0), in(1), out};
  } else if (const auto* quantised = std::get_if<QuantizedConv>(&node.attrs)) {
    problem = {Direction::kForward, quantised->conv, in(0), in(1), out};
    problem.scales = ProductScales::Of(graph, node, quantised->conv.has_residual);
    return problem;  // by the direct algorithm under every plan
  } else if (const auto* data = std::get_if<ConvBackwardData>(&node.attrs)) {
    problem = {Direction::kBackwardData, data->forward, out, in(1), in(0)};
  } else if (const auto* weights = std::get_if<ConvBackwardWeights>(&node.attrs)) {
    problem = {Direction::kBackwardWeights, weights->forward, in(0), out, in(1)};
  } else if (const auto* transposed = std::get_if<ConvTranspose>(&node.attrs)) {
    Conv conv;
    conv.window = transposed->window;
    conv.group = transposed->group;
    problem = {Direction::kBackwardData, conv, out, in(1), in(0)};
    problem.training = options.training;
    return problem;  // by the direct algorithm under every plan
  } else {
    return std::nullopt;
  }
  problem.training = options.training;
  const LayoutPlan plan = ResolvePlan(options);
  if (plan == LayoutPlan::kBlockedWinograd) problem.algorithm = WinogradOrDirect(problem);
  if (plan != LayoutPlan::kNhwc && OwnGroupedPays(problem)) {
    problem.algorithm = ConvAlgorithm::kOwnGrouped;
  }
  return problem;
}

std::vector<LayoutPair> ConvCandidates(const ConvProblem& problem, Layout preferred) {
  const bool few_channels = problem.conv.group == 1 && problem.x.dims[1] < BlockChannels();
  const LayoutPair blocked = {kBlocked, kBlocked}, nhwc = {kNhwc, kNhwc};
  const LayoutPair planes = {kDense, kBlocked}, dense = {kDense, kDense};
  std::vector<LayoutPair> candidates;
  if (problem.algorithm == ConvAlgorithm::kOneDnnWinograd) candidates.push_back(blocked);
  if (problem.direction == Direction::kBackwardWeights) {
    candidates.push_back({problem.x.layout, problem.y.layout});
  }
  if (preferred == kNhwc) {
    for (LayoutPair pair : {nhwc, planes, blocked, dense}) candidates.push_back(pair);
  } else if (few_channels && problem.direction == Direction::kForward) {
    for (LayoutPair pair : {planes, blocked, nhwc, dense}) candidates.push_back(pair);
  } else {
    for (LayoutPair pair : {blocked, planes, nhwc, dense}) candidates.push_back(pair);
  }
  return candidates;
}

absl::StatusOr<ConvLayouts> ChooseConvLayouts(const ConvProblem& problem,
                                              absl::Span<const LayoutPair> candidates) {
  if (problem.algorithm == ConvAlgorithm::kOwnWinograd) {
    return ConvLayouts{kBlocked, kDense, kBlocked};
  }
  if (problem.algorithm == ConvAlgorithm::kOwnGrouped) {
    return ConvLayouts{kBlocked, WeightsInBlocksOfOutputs(problem.w), kBlocked};
  }
  const Desc dense = DenseWeights(problem);
  absl::StatusOr<ConvLayouts> chosen = absl::UnimplementedError("no kernel");
  Type x = problem.x, y = problem.y;
  for (const LayoutPair& pair : candidates) {
    x.layout = pair.x;
    y.layout = pair.y;
    const auto desc = Create(problem, DescOf(x), AnyDesc(dense), DescOf(y));
    if (!desc.ok()) {
      if (!chosen.ok()) chosen = desc.status();
      continue;
    }
    const bool slow = IsSlow(ImplementationName(desc->get()));
    if (slow && chosen.ok()) continue;
    const Desc& w = ArgumentDesc(desc->get(), WeightsArgument(problem.direction));
    chosen = ConvLayouts{pair.x, Intern(w, dense), pair.y, slow};
    if (!slow) break;
  }
  return chosen;
}

absl::StatusOr<Lowered> LowerConvTranspose(const NodeView& view, const CompileOptions& options) {
  const bool has_bias = std::get<ConvTranspose>(view.node.attrs).has_bias;
  ASSIGN_OR_RETURN(Lowered lowered, LowerConv(view, options));
  if (!has_bias) return lowered;
  return Followed(std::move(lowered), AddChannels(ChannelBlocks(view.out(0)), /*bias=*/2));
}

absl::StatusOr<Lowered> LowerConv(const NodeView& view, const CompileOptions& options) {
  const ConvProblem problem = *ConvProblem::Of(view.graph, view.node, options);
  ASSIGN_OR_RETURN(Lowered lowered, LowerBy(problem, options));
  if (problem.direction == Direction::kForward && problem.conv.has_residual) {
    lowered.in_place_input = problem.conv.has_bias ? 3 : 2;
  }
  return lowered;
}

}  // namespace fovea::cpu
