#include "core/backend/cpu/layout_plan.h"

#include <map>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "core/backend/cpu/layouts.h"
#include "core/backend/cpu/lower.h"
#include "core/backend/cpu/pool.h"
#include "core/backend/cpu/products.h"
#include "core/base/status.h"
#include "core/graph/op_def.h"

namespace fovea::cpu {
namespace {

std::string LayoutName(Layout layout) {
  if (layout == kDense) return "dense";
  if (layout == kNhwc) return "nhwc";
  if (layout == kBlocked) return "blocked";
  return "packed";
}

bool IsImage(const Type& type) { return type.dims.rank() == 4; }

// Rewrites the graph node by node, in order. Visit(attrs, node) edits the node: Read() gives an
// input in the layout that is wanted, Write() declares the layout of an output.
class Planner {
 public:
  Planner(Graph graph, const CompileOptions& options)
      : options_(options),
        preferred_(ResolvePlan(options) == LayoutPlan::kNhwc ? kNhwc : kBlocked),
        readers_(graph.Readers()),
        producers_(graph.Producers()),
        graph_(std::move(graph)) {}

  absl::StatusOr<Graph> Run() {
    original_ = std::exchange(graph_.mutable_nodes(), {});
    for (current_ = 0; current_ < static_cast<NodeId>(original_.size()); ++current_) {
      Node node = original_[current_];
      const absl::Status status = std::visit([&](const auto& attrs) { return Visit(attrs, node); },
                                             original_[current_].attrs);
      if (!status.ok()) {
        return absl::Status(status.code(), absl::StrCat(OpOf(node.attrs).name, " \"", node.name,
                                                        "\": ", status.message()));
      }
      graph_.mutable_nodes().push_back(std::move(node));
      RETURN_IF_ERROR(EmitCopies());
    }
    if (!cast_parameters_.empty()) graph_.Prune();  // casts of which only packed copies are read
    return std::move(graph_);
  }

 private:
  // ---- What each op wants.

  absl::Status Visit(const Conv& conv, Node& node) {
    ASSIGN_OR_RETURN(const ConvLayouts layouts, ChooseConv(node));
    RETURN_IF_ERROR(Read(node, 0, layouts.x));
    RETURN_IF_ERROR(Read(node, 1, layouts.w));
    if (conv.has_residual) RETURN_IF_ERROR(ReadToOverwrite(node, conv.has_bias ? 3 : 2, layouts.y));
    return Write(node, 0, layouts.y);
  }
  absl::Status Visit(const QuantizedConv& op, Node& node) { return Visit(op.conv, node); }
  absl::Status Visit(const ConvBackwardData&, Node& node) {
    ASSIGN_OR_RETURN(const ConvLayouts layouts, ChooseConv(node));
    RETURN_IF_ERROR(Read(node, 0, layouts.y));
    RETURN_IF_ERROR(Read(node, 1, layouts.w));
    return Write(node, 0, layouts.x);
  }
  absl::Status Visit(const ConvTranspose&, Node& node) {
    ASSIGN_OR_RETURN(const ConvLayouts layouts, ChooseConv(node));
    RETURN_IF_ERROR(Read(node, 0, layouts.y));
    RETURN_IF_ERROR(Read(node, 1, layouts.w));
    return Write(node, 0, layouts.x);
  }
  absl::Status Visit(const ConvBackwardWeights&, Node& node) {
    ASSIGN_OR_RETURN(const ConvLayouts layouts, ChooseConv(node));
    RETURN_IF_ERROR(Read(node, 0, layouts.x));
    RETURN_IF_ERROR(Read(node, 1, layouts.y));
    return Write(node, 0, layouts.w);
  }

  absl::Status Visit(const InvertedResidual& op, Node& node) {
    if (!HasInvertedResidualKernel({graph_, node}, op)) return ReadAllDense(node);
    RETURN_IF_ERROR(Read(node, 0, kBlocked));
    const int stages = op.has_expansion ? 3 : 2;
    for (int weights = 1; weights <= 2 * stages - 1; weights += 2) {
      RETURN_IF_ERROR(Read(node, weights, WeightsInBlocksOfOutputs(type(node.inputs[weights]))));
    }
    if (op.has_residual) RETURN_IF_ERROR(Read(node, 2 * stages + 1, kBlocked));
    return Write(node, 0, kBlocked);
  }

  absl::Status Visit(const Dense& dense, Node& node) {
    RETURN_IF_ERROR(ReadDenseWeights(node));
    if (!dense.has_residual) return absl::OkStatus();
    return ReadToOverwrite(node, dense.has_bias ? 3 : 2, kDense);
  }
  absl::Status Visit(const QuantizedDense& op, Node& node) { return Visit(op.dense, node); }
  absl::Status Visit(const DenseBackwardData&, Node& node) { return ReadDenseWeights(node); }
  absl::Status Visit(const DenseBackwardWeights&, Node& node) {
    ASSIGN_OR_RETURN(const Layout layout, ChooseDenseWeights(graph_, node, options_.training));
    return Write(node, 0, layout);
  }

  absl::Status Visit(const Pool& pool, Node& node) {
    Layout layout = LayoutOf(node.inputs[0], preferred_);
    if (!HasPoolPrimitive(pool, type(node.inputs[0]), type(node.outputs[0]))) layout = kDense;
    if (node.outputs.size() > 1) workspace_layout_[node.outputs[1]] = layout;
    RETURN_IF_ERROR(Read(node, 0, layout));
    return Write(node, 0, layout);
  }
  absl::Status Visit(const PoolBackward& pool, Node& node) {
    if (pool.forward.kind == PoolKind::kL2) return ReadAllDense(node);
    Layout layout = LayoutOf(node.inputs[0], preferred_);
    if (node.inputs.size() > 1) layout = workspace_layout_[node.inputs[1]];
    if (!HasPoolPrimitive(pool.forward, type(node.outputs[0]), type(node.inputs[0]))) {
      layout = kDense;
    }
    RETURN_IF_ERROR(Read(node, 0, layout));
    return Write(node, 0, layout);
  }

  // Batch norm and its gradient see x in one layout, the same in both.
  absl::Status Visit(const BatchNorm&, Node& node) { return FollowNorm(node, 1); }
  absl::Status Visit(const BatchNormTraining&, Node& node) { return FollowNorm(node, 1); }
  absl::Status Visit(const BatchNormBackward&, Node& node) { return FollowNorm(node, 2); }

  absl::Status Visit(const GroupNorm&, Node& node) { return FollowNorm(node, 1); }
  absl::Status Visit(const GroupNormBackward&, Node& node) { return FollowNorm(node, 2); }

  // One value a channel, or a gate, beside images in any layout that these share.
  absl::Status Visit(const PRelu&, Node& node) { return FollowImages(node, {0}); }
  absl::Status Visit(const PReluBackward&, Node& node) { return FollowImages(node, {0, 2}); }
  absl::Status Visit(const GateBackward&, Node& node) {
    const Layout layout = LayoutOf(node.inputs[0], LayoutOf(node.inputs[1], kDense));
    RETURN_IF_ERROR(Read(node, 0, layout));
    return Read(node, 1, layout);  // the output stays dense
  }
  absl::Status Visit(const Mul&, Node& node) {
    if (type(node.inputs[0]).dims == type(node.inputs[1]).dims) return FollowInputs(node);
    RETURN_IF_ERROR(Read(node, 1, kDense));
    return FollowImages(node, {0});
  }
  absl::Status Visit(const Dropout& dropout, Node& node) {
    if (!dropout.per_example) return ReadAllDense(node);
    return FollowImages(node, {0});
  }

  absl::Status Visit(const Concat&, Node& node) {
    Layout layout = kDense;
    bool whole_blocks = true;
    for (ValueId input : node.inputs) {
      layout = LayoutOf(input, layout);
      whole_blocks = whole_blocks && type(input).dims[1] % BlockChannels() == 0;
    }
    if (layout == kBlocked && !whole_blocks) layout = kDense;
    for (size_t i = 0; i < node.inputs.size(); ++i) RETURN_IF_ERROR(Read(node, i, layout));
    return Write(node, 0, layout);
  }
  absl::Status Visit(const SliceChannels& slice, Node& node) {
    Layout layout = LayoutOf(node.inputs[0], kDense);
    const bool whole_blocks = slice.begin % BlockChannels() == 0 &&
                              slice.count % BlockChannels() == 0 &&
                              type(node.inputs[0]).dims[1] % BlockChannels() == 0;
    if (layout == kBlocked && !whole_blocks) layout = kDense;
    RETURN_IF_ERROR(Read(node, 0, layout));
    return Write(node, 0, layout);
  }

  absl::Status Visit(const Add&, Node& node) { return FollowInputs(node); }
  absl::Status Visit(const Quantize&, Node& node) { return FollowInputs(node); }
  absl::Status Visit(const Dequantize&, Node& node) { return FollowInputs(node); }
  absl::Status Visit(const Activate&, Node& node) { return FollowInputs(node); }
  absl::Status Visit(const ActivateBackward&, Node& node) { return FollowInputs(node); }

  absl::Status Visit(const Cast&, Node& node) {
    if (!IsFastFloat(type(node.inputs[0]).dtype) || !IsFastFloat(type(node.outputs[0]).dtype)) {
      return Read(node, 0, kDense);
    }
    if (graph_.value(node.inputs[0]).role == Role::kParameter) {
      cast_parameters_[node.outputs[0]] = node.inputs[0];
    }
    return FollowInputs(node);
  }

  absl::Status Visit(const BiasBackward&, Node&) { return absl::OkStatus(); }
  absl::Status Visit(const Reorder&, Node&) { return absl::OkStatus(); }

  absl::Status Visit(const Normalize&, Node& node) {
    const ValueId y = node.outputs[0];
    bool reshaped = true;  // nothing but reshapes read it
    for (NodeId reader : readers_[y]) {
      reshaped = reshaped && std::holds_alternative<Reshape>(original_[reader].attrs);
    }
    if (reshaped) return absl::OkStatus();
    // The first convolution's kernel in the blocked plan reads few channels from planes.
    if (preferred_ == kBlocked && type(y).dims[1] < BlockChannels()) return absl::OkStatus();
    return Write(node, 0, preferred_);
  }

  // All other ops work on dense values.
  template <typename T>
  absl::Status Visit(const T&, Node& node) {
    return ReadAllDense(node);
  }

  absl::Status ReadAllDense(Node& node) {
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (!graph_.value(node.inputs[i]).opaque) RETURN_IF_ERROR(Read(node, i, kDense));
    }
    return absl::OkStatus();
  }

  // ---- Choices.

  absl::StatusOr<ConvLayouts> ChooseConv(const Node& node) const {
    const ConvProblem problem = *ConvProblem::Of(graph_, node, options_);
    return ChooseConvLayouts(problem, ConvCandidates(problem, preferred_));
  }

  absl::Status ReadDenseWeights(Node& node) {
    ASSIGN_OR_RETURN(const Layout layout, ChooseDenseWeights(graph_, node, options_.training));
    return Read(node, 1, layout);
  }

  // The layout a value has, or `otherwise` where it is dense.
  Layout LayoutOf(ValueId id, Layout otherwise) const {
    return type(id).layout == kDense ? otherwise : type(id).layout;
  }

  absl::Status FollowNorm(Node& node, int images) {
    if (!IsImage(type(node.inputs[0]))) return absl::OkStatus();
    const Layout layout = LayoutOf(node.inputs[0], preferred_);
    for (int i = 0; i < images; ++i) RETURN_IF_ERROR(Read(node, i, layout));
    return Write(node, 0, layout);
  }

  // The images among the inputs, and output 0, in one layout.
  absl::Status FollowImages(Node& node, absl::Span<const int> images) {
    Layout layout = kDense;
    for (int i : images) layout = LayoutOf(node.inputs[i], layout);
    for (int i : images) RETURN_IF_ERROR(Read(node, i, layout));
    return Write(node, 0, layout);
  }

  // Element by element: any layout that all share.
  absl::Status FollowInputs(Node& node) {
    Layout layout = kDense;
    for (ValueId input : node.inputs) layout = LayoutOf(input, layout);
    for (size_t i = 0; i < node.inputs.size(); ++i) RETURN_IF_ERROR(Read(node, i, layout));
    return Write(node, 0, layout);
  }

  // ---- Rewriting.

  // Input i of the node in `layout`: the value itself, or a reordered copy of it.
  absl::Status Read(Node& node, int i, Layout layout) {
    const ValueId value = node.inputs[i];
    if (Satisfies(type(value), layout)) return absl::OkStatus();
    const auto [copy, missing] = copies_.try_emplace({value, layout}, kNoValue);
    if (missing) {
      ASSIGN_OR_RETURN(copy->second, AddReorder(value, layout));
    }
    node.inputs[i] = copy->second;
    return absl::OkStatus();
  }

  // The same for an input that the node overwrites: a copy where anybody else needs the value.
  absl::Status ReadToOverwrite(Node& node, int i, Layout layout) {
    const ValueId value = node.inputs[i];
    RETURN_IF_ERROR(Read(node, i, layout));
    if (node.inputs[i] == value && !MayOverwrite(value)) {
      ASSIGN_OR_RETURN(node.inputs[i], AddReorder(value, type(value).layout));
    }
    for (auto copy = copies_.begin(); copy != copies_.end();) {
      copy = copy->second == node.inputs[i] ? copies_.erase(copy) : std::next(copy);
    }
    return absl::OkStatus();
  }

  // Whether the current node is the last reader of a temporary that shares its memory with nobody.
  bool MayOverwrite(ValueId value) const {
    if (graph_.value(value).role != Role::kTemporary || graph_.IsOutput(value)) return false;
    if (std::holds_alternative<Reshape>(original_[producers_[value]].attrs)) return false;
    const Node& reader = original_[current_];
    if (std::count(reader.inputs.begin(), reader.inputs.end(), value) > 1) return false;
    for (NodeId other : readers_[value]) {
      if (other > current_ || std::holds_alternative<Reshape>(original_[other].attrs)) return false;
    }
    return true;
  }

  // Output i of the node gets `layout`; values that must stay dense are copied from a new one.
  absl::Status Write(Node& node, int i, Layout layout) {
    const ValueId value = node.outputs[i];
    const Layout stored = StoredLayout(type(value).dims, layout);
    if (stored == kDense) return absl::OkStatus();
    if (graph_.value(value).role == Role::kTemporary && !graph_.IsOutput(value)) {
      graph_.mutable_value(value).type.layout = stored;
      return absl::OkStatus();
    }
    Type type = this->type(value);
    type.layout = stored;
    const ValueId laid_out = graph_.AddValue(
        absl::StrCat(graph_.value(value).name, "@", LayoutName(stored)), type, Role::kTemporary);
    node.outputs[i] = laid_out;
    copies_[{value, stored}] = laid_out;
    pending_.emplace_back(laid_out, value);
    return absl::OkStatus();
  }

  absl::Status EmitCopies() {
    for (const auto& [from, to] : std::exchange(pending_, {})) {
      RETURN_IF_ERROR(graph_.AddWriting(absl::StrCat(graph_.value(to).name, "@dense"),
                                        Reorder{kDense}, {from}, {to}));
    }
    return absl::OkStatus();
  }

  // A parameter that was cast is cast and packed in one pass over the parameter.
  absl::StatusOr<ValueId> AddReorder(ValueId value, Layout layout) {
    const std::string name = absl::StrCat(graph_.value(value).name, "@", LayoutName(layout));
    const auto parameter = cast_parameters_.find(value);
    if (parameter == cast_parameters_.end()) return graph_.Add1(name, Reorder{layout}, {value});
    const Cast cast = {type(value).dtype};
    ASSIGN_OR_RETURN(const ValueId packed, graph_.Add1(name, cast, {parameter->second}));
    graph_.mutable_value(packed).type.layout = layout;
    return packed;
  }

  const Type& type(ValueId id) const { return graph_.type(id); }

  const CompileOptions options_;
  const Layout preferred_;
  const std::vector<std::vector<NodeId>> readers_;  // of the original graph
  const std::vector<NodeId> producers_;
  Graph graph_;
  std::vector<Node> original_;
  NodeId current_ = 0;
  std::map<std::pair<ValueId, Layout>, ValueId> copies_;
  std::map<ValueId, Layout> workspace_layout_;
  std::map<ValueId, ValueId> cast_parameters_;  // (cast, parameter)
  std::vector<std::pair<ValueId, ValueId>> pending_;
};

}  // namespace

LayoutPlan ResolvePlan(const CompileOptions& options) {
  // oneDNN's products of 8 bits know no other.
  if (options.compute_type == DType::kI8) return LayoutPlan::kNhwc;
  if (options.layout_plan != LayoutPlan::kDefault) return options.layout_plan;
  return options.training ? LayoutPlan::kBlocked : LayoutPlan::kNhwc;
}

absl::StatusOr<Graph> PlanLayouts(Graph graph, const CompileOptions& options) {
  if (graph.float_type() != DType::kF32) return graph;  // the reference's kernels, all dense
  return Planner(std::move(graph), options).Run();
}

}  // namespace fovea::cpu
