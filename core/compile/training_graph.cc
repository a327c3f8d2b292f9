#include "core/compile/training_graph.h"

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/graph/op_def.h"

namespace fovea {
namespace {

// The i64 [1] input of this name, made at the first call.
ValueId ScalarInput(Graph& graph, const std::string& name) {
  const ValueId found = graph.Find(name);
  return found != kNoValue ? found : graph.AddInput(name, {DType::kI64, {1}});
}

// Copies a net into a new graph, turning its nodes into their training form.
class TrainingForm {
 public:
  explicit TrainingForm(const Graph& net) : net_(net), map_(net.values().size(), kNoValue) {}

  absl::StatusOr<Graph> Build() {
    graph_.set_float_type(net_.float_type());
    for (size_t id = 0; id < net_.values().size(); ++id) {
      const Value& value = net_.value(static_cast<ValueId>(id));
      if (value.role == Role::kTemporary) continue;
      map_[id] = graph_.AddValue(value.name, value.type, value.role);
    }
    for (const Node& node : net_.nodes()) RETURN_IF_ERROR(Copy(node));
    return std::move(graph_);
  }
  ValueId mapped(ValueId id) const { return map_[id]; }

 private:
  absl::Status Copy(const Node& node) {
    std::vector<ValueId> inputs;
    for (ValueId id : node.inputs) inputs.push_back(map_[id]);
    if (const BatchNorm* norm = std::get_if<BatchNorm>(&node.attrs)) {
      return CopyBatchNorm(node, *norm, inputs);
    }
    Attrs attrs = node.attrs;
    if (Pool* pool = std::get_if<Pool>(&attrs)) pool->training = pool->kind == PoolKind::kMax;
    if (Dropout* dropout = std::get_if<Dropout>(&attrs)) {
      dropout->salt = dropouts_++;
      inputs = {inputs[0], ScalarInput(graph_, "seed"), ScalarInput(graph_, "step")};
    }
    ASSIGN_OR_RETURN(const std::vector<ValueId> outputs,
                     graph_.Add(node.name, attrs, inputs, node.constants));
    for (size_t i = 0; i < node.outputs.size(); ++i) map_[node.outputs[i]] = outputs[i];
    return absl::OkStatus();
  }

  absl::Status CopyBatchNorm(const Node& node, const BatchNorm& norm,
                             const std::vector<ValueId>& inputs) {
    ASSIGN_OR_RETURN(const std::vector<ValueId> outputs,
                     graph_.Add(node.name, BatchNormTraining{norm.epsilon, false},
                                {inputs[0], inputs[1], inputs[2]}));
    map_[node.outputs[0]] = outputs[0];
    const Dims& x = graph_.type(inputs[0]).dims;
    const UpdateStatistics update{norm.momentum, x.count() / x[1]};
    return graph_.AddWriting(node.name + ".statistics", update,
                             {outputs[1], outputs[2], inputs[3], inputs[4]},
                             {inputs[3], inputs[4]});
  }

  const Graph& net_;
  Graph graph_;
  std::vector<ValueId> map_;
  uint32_t dropouts_ = 0;
};

// Appends the loss; returns the values (loss, probabilities).
absl::StatusOr<std::vector<ValueId>> AddLoss(Graph& graph, ValueId logits,
                                             const TrainingGraphOptions& options) {
  const Type type = graph.type(logits);
  if (type.dims.rank() != 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("the logits are ", type.ToString(), ", expected [N, labels]"));
  }
  const ValueId targets = graph.AddInput("targets", type);
  const ValueId weights = graph.AddInput("example_weights", {type.dtype, {type.dims[0]}});
  const std::vector<ValueId> inputs = {logits, targets, weights};
  return std::visit(
      [&](const auto& loss) { return graph.Add("loss", loss, inputs, options.class_weights); },
      options.loss);
}

absl::Status AddUpdate(Graph& graph, const TrainingGraphOptions& options) {
  const ValueId rate = graph.AddInput("learning_rate", {graph.float_type(), {1}});
  const ValueId parameters = graph.AddRegion(Role::kParameter);
  std::vector<ValueId> inputs = {parameters, graph.AddRegion(Role::kGradient)};
  std::vector<ValueId> outputs = {parameters};
  for (int slot = 0; slot < SlotCount(options.update); ++slot) {
    const ValueId id = graph.AddSlot(absl::StrCat("slot", slot));
    inputs.push_back(id);
    outputs.push_back(id);
  }
  inputs.push_back(rate);
  if (const SgdMomentum* given = std::get_if<SgdMomentum>(&options.update)) {
    SgdMomentum update = *given;
    update.decayed = graph.decayed_count();
    return graph.AddWriting("update", update, inputs, outputs);
  }
  Adam update = std::get<Adam>(options.update);
  update.decayed = graph.decayed_count();
  inputs.push_back(ScalarInput(graph, "step"));
  return graph.AddWriting("update", update, inputs, outputs);
}

}  // namespace

int SlotCount(const std::variant<SgdMomentum, Adam>& update) {
  return std::holds_alternative<SgdMomentum>(update) ? 1 : 2;
}

absl::StatusOr<Graph> TrainingGraph(const Graph& net, ValueId logits,
                                    const TrainingGraphOptions& options) {
  TrainingForm form(net);
  ASSIGN_OR_RETURN(Graph graph, form.Build());
  ASSIGN_OR_RETURN(const std::vector<ValueId> loss, AddLoss(graph, form.mapped(logits), options));
  RETURN_IF_ERROR(AddGradients(graph, loss[0]));
  graph.AssignRegions();
  RETURN_IF_ERROR(AddUpdate(graph, options));
  graph.mutable_value(loss[1]).name = "probabilities";
  graph.MarkOutput(loss[0]);
  graph.MarkOutput(loss[1]);
  return graph;
}

}  // namespace fovea
