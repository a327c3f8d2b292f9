#include "core/compile/quantize.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/compile/passes.h"
#include "core/graph/op_def.h"
#include "core/ops/quantized.h"

namespace fovea {
namespace {

// What a convolution and a dense layer have in common.
struct Product {
  bool has_bias = false, has_residual = false;

  static std::optional<Product> Of(const Node& node) {
    if (const auto* conv = std::get_if<Conv>(&node.attrs)) {
      return Product{conv->has_bias, conv->has_residual};
    }
    if (const auto* dense = std::get_if<Dense>(&node.attrs)) {
      return Product{dense->has_bias, dense->has_residual};
    }
    return std::nullopt;
  }
};

Attrs Quantised(const Attrs& attrs, DType dtype) {
  if (const auto* conv = std::get_if<Conv>(&attrs)) return QuantizedConv{*conv, dtype};
  return QuantizedDense{std::get<Dense>(attrs), dtype};
}

bool IsMaxPool(const Node& node) {
  const auto* pool = std::get_if<Pool>(&node.attrs);
  return pool != nullptr && pool->kind == PoolKind::kMax && !pool->training;
}

// Rewrites the graph node by node, in order.
class Quantizer {
 public:
  Quantizer(Graph& graph, const Backend& backend, const Quantization& quantization)
      : graph_(graph),
        backend_(backend),
        quantization_(quantization),
        readers_(graph.Readers()),
        original_(graph.nodes()) {}

  absl::Status Run() {
    for (const Node& node : original_) quantisable_.push_back(IsQuantisable(node));
    graph_.mutable_nodes().clear();
    for (size_t i = 0; i < original_.size(); ++i) {
      const Node& node = original_[i];
      RETURN_IF_ERROR(quantisable_[i]      ? AddProduct(node)
                      : IsMaxPool(node)    ? AddMaxPool(node)
                      : IsFirstLayer(node) ? AddQuantisedPixels(node)
                                           : AddFloats(node));
    }
    return absl::OkStatus();
  }

 private:
  // A value of the original graph, as it is stored now.
  struct Stored {
    ValueId id = kNoValue;
    float scale = 1;  // of a quantised one
  };

  // ---- What becomes quantised.

  const QuantizedValue* Find(ValueId id) const {
    const auto found = quantization_.values.find(graph_.value(id).name);
    return found == quantization_.values.end() ? nullptr : &found->second;
  }

  bool IsQuantisable(const Node& node) const {
    const std::optional<Product> product = Product::Of(node);
    if (!product) return false;
    const QuantizedValue *x = Find(node.inputs[0]), *w = Find(node.inputs[1]);
    if (x == nullptr || w == nullptr || x->scales.size() != 1) return false;
    if (static_cast<int64_t>(w->scales.size()) != graph_.type(node.inputs[1]).dims[0]) return false;
    if (product->has_residual && Find(node.inputs.back()) == nullptr) return false;
    const QuantizedValue* y = Find(node.outputs[0]);
    return IsTaken(node, x->dtype, *w, DType::kF32) &&
           (y == nullptr || IsTaken(node, x->dtype, *w, y->dtype));
  }

  // Whether the backend takes the product with this y.
  bool IsTaken(const Node& node, DType x, const QuantizedValue& w, DType y) const {
    Graph probe;
    std::vector<ValueId> inputs;
    const size_t residual = Product::Of(node)->has_bias ? 3 : 2;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      Type type = graph_.type(node.inputs[i]);
      if (i == 0) type.dtype = x;
      if (i == 1) type.dtype = DType::kI8;
      if (i == residual) type.dtype = y;
      inputs.push_back(probe.AddInput(absl::StrCat("input", i), type));
    }
    std::vector<float> scales = {1, 1, 1};
    scales.insert(scales.end(), w.scales.begin(), w.scales.end());
    const auto added = probe.Add("probe", Quantised(node.attrs, y), inputs, std::move(scales));
    return added.ok() && backend_.Supports(probe, probe.nodes()[0]);
  }

  // Whether somebody reads the value as integers, and it may be kept so.
  bool StaysQuantised(ValueId id) const {
    if (graph_.value(id).role != Role::kTemporary || graph_.IsOutput(id)) return false;
    return std::any_of(readers_[id].begin(), readers_[id].end(), [&](NodeId reader) {
      const Node& node = original_[reader];
      if (IsMaxPool(node)) return StaysQuantised(node.outputs[0]);
      if (!quantisable_[reader]) return false;
      return node.inputs[0] == id || (node.inputs.back() == id && StaysQuantised(node.outputs[0]));
    });
  }

  // Pixels that only quantised convolutions read.
  bool IsFirstLayer(const Node& node) const {
    const auto* normalize = std::get_if<Normalize>(&node.attrs);
    if (normalize == nullptr || normalize->dtype != DType::kF32) return false;
    const ValueId id = node.outputs[0];
    const QuantizedValue* known = Find(id);
    return known != nullptr && known->dtype == DType::kI8 && StaysQuantised(id) &&
           std::all_of(readers_[id].begin(), readers_[id].end(), [&](NodeId reader) {
             return std::holds_alternative<Conv>(original_[reader].attrs) && quantisable_[reader];
           });
  }

  // ---- Nodes.

  absl::Status AddProduct(const Node& node) {
    const Product product = *Product::Of(node);
    const ValueId y = node.outputs[0];
    const QuantizedValue* known = Find(y);
    const bool quantised = known != nullptr && StaysQuantised(y);
    Node result = node;
    result.attrs = Quantised(node.attrs, quantised ? known->dtype : DType::kF32);
    ASSIGN_OR_RETURN(const Stored x, AsIntegers(node.inputs[0]));
    result.inputs[0] = x.id;
    const std::vector<float>& weights = Find(node.inputs[1])->scales;
    RETURN_IF_ERROR(AddWeights(product, x.scale, weights, result));
    float residual_scale = 1;
    if (product.has_residual && quantised) {
      ASSIGN_OR_RETURN(const Stored residual, AsIntegers(node.inputs.back()));
      result.inputs.back() = residual.id;
      residual_scale = residual.scale;
    } else if (product.has_residual) {
      ASSIGN_OR_RETURN(result.inputs.back(), AsFloats(node.inputs.back()));
    }
    const float y_scale = quantised ? known->scales[0] : 1;
    result.constants = {y_scale, residual_scale, x.scale};
    result.constants.insert(result.constants.end(), weights.begin(), weights.end());
    if (quantised) scales_[y] = y_scale;
    return Append(std::move(result));
  }

  // The node's weights and bias as integers and in their unit.
  absl::Status AddWeights(const Product& product, float x_scale, const std::vector<float>& scales,
                          Node& node) {
    std::vector<ValueId> inputs = {node.inputs[1]};
    if (product.has_bias) inputs.push_back(node.inputs[2]);
    std::vector<float> constants = {x_scale};
    constants.insert(constants.end(), scales.begin(), scales.end());
    ASSIGN_OR_RETURN(const std::vector<ValueId> quantised,
                     graph_.Add(absl::StrCat(node.name, ".weights"),
                                QuantizeWeights{product.has_bias}, inputs, std::move(constants)));
    node.inputs[1] = quantised[0];
    if (product.has_bias) node.inputs[2] = quantised[1];
    return absl::OkStatus();
  }

  absl::Status AddMaxPool(const Node& node) {
    const auto stored = scales_.find(node.inputs[0]);
    if (stored == scales_.end() || !StaysQuantised(node.outputs[0])) return AddFloats(node);
    scales_[node.outputs[0]] = stored->second;
    return Append(node);
  }

  absl::Status AddQuantisedPixels(const Node& node) {
    Node result = node;
    const float scale = Find(node.outputs[0])->scales[0];
    std::get<Normalize>(result.attrs).dtype = DType::kI8;
    result.constants.push_back(scale);
    scales_[node.outputs[0]] = scale;
    return Append(std::move(result));
  }

  absl::Status AddFloats(Node node) {
    for (ValueId& id : node.inputs) {
      ASSIGN_OR_RETURN(id, AsFloats(id));
    }
    return Append(std::move(node));
  }

  absl::Status Append(Node node) {
    ASSIGN_OR_RETURN(const std::vector<Type> types, InferTypes(graph_, node));
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      graph_.mutable_value(node.outputs[i]).type.dtype = types[i].dtype;
    }
    graph_.mutable_nodes().push_back(std::move(node));
    return absl::OkStatus();
  }

  // ---- Values.

  absl::StatusOr<Stored> AsIntegers(ValueId id) {
    if (const auto stored = scales_.find(id); stored != scales_.end()) {
      return Stored{id, stored->second};
    }
    const QuantizedValue& known = *Find(id);
    const auto [copy, missing] = copies_.try_emplace(id, kNoValue);
    if (missing) {
      ASSIGN_OR_RETURN(copy->second,
                       graph_.Add1(absl::StrCat(graph_.value(id).name, "@", DTypeName(known.dtype)),
                                   Quantize{known.dtype}, {id}, {known.scales[0]}));
    }
    return Stored{copy->second, known.scales[0]};
  }

  absl::StatusOr<ValueId> AsFloats(ValueId id) {
    const auto stored = scales_.find(id);
    if (stored == scales_.end()) return id;
    const auto [copy, missing] = copies_.try_emplace(id, kNoValue);
    if (missing) {
      ASSIGN_OR_RETURN(copy->second, graph_.Add1(absl::StrCat(graph_.value(id).name, "@f32"),
                                                 Dequantize{}, {id}, {stored->second}));
    }
    return copy->second;
  }

  Graph& graph_;
  const Backend& backend_;
  const Quantization& quantization_;
  const std::vector<std::vector<NodeId>> readers_;  // of the original graph
  const std::vector<Node> original_;
  std::vector<bool> quantisable_;      // by original node
  std::map<ValueId, float> scales_;    // of the values that are stored as integers
  std::map<ValueId, ValueId> copies_;  // a value in the other of its two forms
};

}  // namespace

absl::Status CheckInt8(const Backend& backend) {
  Graph probe;
  const ValueId x = probe.AddInput("x", {DType::kU8, {16, 64}});
  const ValueId w = probe.AddInput("w", {DType::kI8, {64, 64}});
  RETURN_IF_ERROR(
      probe.Add1("probe", QuantizedDense{}, {x, w}, std::vector<float>(3 + 64, 1.0f)).status());
  if (backend.Supports(probe, probe.nodes()[0])) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "backend \"", backend.name(),
      "\" does not compute in INT8 here, which takes a processor with AVX512_VNNI or AVX_VNNI"));
}

absl::StatusOr<Graph> ObservedGraph(Graph graph, const Backend& backend) {
  RETURN_IF_ERROR(RunInferencePasses(graph, backend));
  std::vector<ValueId> observed;
  const auto observe = [&](ValueId id) {
    if (std::find(observed.begin(), observed.end(), id) == observed.end()) observed.push_back(id);
  };
  for (const Node& node : graph.nodes()) {
    const std::optional<Product> product = Product::Of(node);
    if (!product) continue;
    observe(node.inputs[0]);
    observe(node.inputs[1]);
    if (product->has_residual) observe(node.inputs.back());
    observe(node.outputs[0]);
  }
  graph.mutable_outputs() = std::move(observed);
  graph.Prune();
  RETURN_IF_ERROR(Verify(graph));
  return graph;
}

bool IsWeight(const Graph& observed, ValueId value) {
  return std::any_of(observed.nodes().begin(), observed.nodes().end(), [&](const Node& node) {
    return Product::Of(node).has_value() && node.inputs[1] == value;
  });
}

absl::Status QuantizeProducts(Graph& graph, const Backend& backend,
                              const Quantization& quantization) {
  RETURN_IF_ERROR(CheckInt8(backend));
  return Quantizer(graph, backend, quantization).Run();
}

}  // namespace fovea
