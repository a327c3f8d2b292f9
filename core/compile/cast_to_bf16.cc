// Mixed precision: Cast nodes, so that convolutions and dense layers multiply bf16.
#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/compile/passes.h"
#include "core/graph/op_def.h"

namespace fovea {
namespace {

// Which inputs of an op may be bf16 (bit i: input i), and whether it is worth a cast of them:
// others stay in bf16 where their input comes in it.
struct HalfForm {
  uint32_t inputs = 0;
  bool worth_a_cast = false;
};

struct Forms {
  HalfForm operator()(const Conv& conv) const {
    return {conv.has_residual ? 0b11u | 1u << (2 + conv.has_bias) : 0b11u, true};
  }
  HalfForm operator()(const ConvBackwardData&) const { return {0b11, true}; }
  HalfForm operator()(const ConvBackwardWeights&) const { return {0b11, true}; }
  HalfForm operator()(const Dense& dense) const {
    return {dense.has_residual ? 0b11u | 1u << (2 + dense.has_bias) : 0b11u, true};
  }
  HalfForm operator()(const DenseBackwardData&) const { return {0b11, true}; }
  HalfForm operator()(const DenseBackwardWeights&) const { return {0b11, true}; }
  HalfForm operator()(const BiasBackward&) const { return {0b1}; }
  HalfForm operator()(const Pool&) const { return {0b1}; }
  HalfForm operator()(const PoolBackward&) const { return {0b1}; }
  HalfForm operator()(const BatchNormTraining&) const { return {0b1}; }
  HalfForm operator()(const BatchNormBackward&) const { return {0b11}; }
  HalfForm operator()(const Activate&) const { return {0b1}; }
  HalfForm operator()(const ActivateBackward&) const { return {0b11}; }
  HalfForm operator()(const Add&) const { return {0b11}; }
  HalfForm operator()(const Reshape&) const { return {0b1}; }
  template <typename T>
  HalfForm operator()(const T&) const {
    return {};
  }
};

// Rewrites the graph node by node, in order.
class Caster {
 public:
  Caster(Graph& graph, const Backend& backend)
      : graph_(graph), backend_(backend), readers_(graph.Readers()) {}

  absl::Status Run() {
    original_ = std::exchange(graph_.mutable_nodes(), {});
    for (Node node : original_) {
      PreferHalfPixels(node);
      const uint32_t half = HalfInputs(node);
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        RETURN_IF_ERROR(Read(node.inputs[i], (half >> i & 1) != 0 ? DType::kBF16 : DType::kF32));
      }
      ASSIGN_OR_RETURN(const std::vector<Type> types, InferTypes(graph_, node));
      for (size_t i = 0; i < node.outputs.size(); ++i) {
        graph_.mutable_value(node.outputs[i]).type.dtype = types[i].dtype;
      }
      graph_.mutable_nodes().push_back(std::move(node));
    }
    return absl::OkStatus();
  }

 private:
  // Pixels become bf16 at once where only convolutions read them.
  void PreferHalfPixels(Node& node) {
    auto* normalize = std::get_if<Normalize>(&node.attrs);
    if (normalize == nullptr || !MayChange(node.outputs[0])) return;
    for (NodeId reader : readers_[node.outputs[0]]) {
      const Attrs& attrs = original_[reader].attrs;
      if (!std::holds_alternative<Conv>(attrs) &&
          !std::holds_alternative<ConvBackwardWeights>(attrs)) {
        return;
      }
    }
    normalize->dtype = DType::kBF16;
    if (!IsTaken(node, 0)) normalize->dtype = DType::kF32;
  }

  // The inputs that the node reads as bf16; 0 when it is computed in f32.
  uint32_t HalfInputs(const Node& node) const {
    const HalfForm form = std::visit(Forms(), node.attrs);
    bool wanted = form.worth_a_cast;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if ((form.inputs >> i & 1) == 0) continue;
      wanted = wanted || graph_.type(node.inputs[i]).dtype == DType::kBF16;
    }
    return wanted && IsTaken(node, form.inputs) ? form.inputs : 0;
  }

  // Whether the backend takes the node with these inputs in bf16, and its outputs may be what
  // follows from that.
  bool IsTaken(const Node& node, uint32_t half) const {
    Graph probe;
    std::vector<ValueId> inputs;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      Type type = graph_.type(node.inputs[i]);
      if ((half >> i & 1) != 0) type.dtype = DType::kBF16;
      if ((half >> i & 1) == 0 && type.dtype == DType::kBF16) type.dtype = DType::kF32;
      inputs.push_back(probe.AddInput(absl::StrCat("input", i), type));
    }
    const auto outputs = probe.Add("probe", node.attrs, inputs, node.constants);
    if (!outputs.ok() || !backend_.Supports(probe, probe.nodes()[0])) return false;
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      const ValueId id = node.outputs[i];
      if (!MayChange(id) && probe.type((*outputs)[i]).dtype != graph_.type(id).dtype) return false;
    }
    return true;
  }

  bool MayChange(ValueId id) const {
    return graph_.value(id).role == Role::kTemporary && !graph_.IsOutput(id);
  }

  // Makes `id` a copy of itself in `dtype` where it is the other of f32 and bf16.
  absl::Status Read(ValueId& id, DType dtype) {
    const DType stored = graph_.type(id).dtype;
    if (stored == dtype || (stored != DType::kF32 && stored != DType::kBF16)) {
      return absl::OkStatus();
    }
    const auto [copy, missing] = copies_.try_emplace(id, kNoValue);
    if (missing) {
      const std::string name = absl::StrCat(graph_.value(id).name, "@", DTypeName(dtype));
      ASSIGN_OR_RETURN(copy->second, graph_.Add1(name, Cast{dtype}, {id}));
    }
    id = copy->second;
    return absl::OkStatus();
  }

  Graph& graph_;
  const Backend& backend_;
  const std::vector<std::vector<NodeId>> readers_;  // of the original graph
  std::vector<Node> original_;
  std::map<ValueId, ValueId> copies_;  // a value in the other of its two types
};

}  // namespace

absl::Status CheckBf16(const Backend& backend) {
  Graph probe;
  const ValueId x = probe.AddInput("x", {DType::kBF16, {16, 64}});
  const ValueId w = probe.AddInput("w", {DType::kBF16, {64, 64}});
  RETURN_IF_ERROR(probe.Add1("probe", Dense{}, {x, w}).status());
  if (backend.Supports(probe, probe.nodes()[0])) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "backend \"", backend.name(),
      "\" does not compute in bf16 here, which takes a processor with AVX512_BF16 or AMX"));
}

absl::Status CastToBf16(Graph& graph, const Backend& backend) {
  RETURN_IF_ERROR(CheckBf16(backend));
  return Caster(graph, backend).Run();
}

}  // namespace fovea
