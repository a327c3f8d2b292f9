#include "core/compile/training_graph.h"

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/graph/op_def.h"
#include "core/ops/rate_segments.h"

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
    const BatchNorm* norm = std::get_if<BatchNorm>(&node.attrs);
    if (norm != nullptr && !IsFrozen(node)) {
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

  // A batch norm whose scale and shift are states keeps its statistics and its inference form.
  bool IsFrozen(const Node& norm) const {
    return net_.value(norm.inputs[1]).role == Role::kState &&
           net_.value(norm.inputs[2]).role == Role::kState;
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

// Makes the slot of the gathered gradients the first one, in both graphs that name it.
ValueId AddGradientSum(Graph& graph) { return graph.AddSlot("gradient_sum"); }

absl::Status AddSum(Graph& graph, const TrainingGraphOptions& options) {
  const ValueId sum = AddGradientSum(graph);
  return graph.AddWriting("sum", SumGradients{options.accumulate},
                          {graph.AddRegion(Role::kGradient), sum, ScalarInput(graph, "step")},
                          {sum});
}

// In the order of the region.
std::vector<float> RateFactorsOf(const Graph& graph, const TrainingGraphOptions& options) {
  std::vector<ValueId> parameters = graph.ValuesOf(Role::kParameter);
  std::sort(parameters.begin(), parameters.end(),
            [&](ValueId a, ValueId b) { return graph.value(a).offset < graph.value(b).offset; });
  std::vector<ops::RateSegment> segments;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const auto factor = options.rate_factors.find(graph.value(parameters[i]).name);
    const int64_t end = i + 1 < parameters.size() ? graph.value(parameters[i + 1]).offset
                                                  : graph.region_count(Role::kParameter);
    segments.push_back({end, factor == options.rate_factors.end() ? 1.0f : factor->second});
  }
  return ops::RateConstants(segments);
}

// `gradients` is a whole region.
absl::Status AddUpdate(Graph& graph, ValueId gradients, const TrainingGraphOptions& options) {
  Update update = options.update;
  UpdateTerms& terms = TermsOf(update);
  terms.decayed = graph.decayed_count();
  terms.scaled = options.clip_norm > 0;
  const ValueId rate = graph.AddInput("learning_rate", {graph.float_type(), {1}});
  std::vector<float> factors = RateFactorsOf(graph, options);
  const ValueId parameters = graph.AddRegion(Role::kParameter);
  std::vector<ValueId> inputs = {parameters, gradients}, outputs = {parameters};
  for (int slot = 0; slot < SlotCount(update); ++slot) {
    const ValueId id = graph.AddSlot(absl::StrCat("slot", slot));
    inputs.push_back(id);
    outputs.push_back(id);
  }
  inputs.push_back(rate);
  if (ReadsStep(update)) inputs.push_back(ScalarInput(graph, "step"));
  if (terms.scaled) {
    ASSIGN_OR_RETURN(
        inputs.emplace_back(),
        graph.Add1("clip", NormScale{options.clip_norm, terms.clip_value}, {gradients}));
  }
  const Attrs attrs = std::visit([](const auto& rule) -> Attrs { return rule; }, update);
  return graph.AddWriting("update", attrs, inputs, outputs, std::move(factors));
}

// A graph of the parameters and states of `net`, at the same offsets, without nodes.
Graph WeightsOnly(const Graph& net) {
  Graph graph;
  graph.set_float_type(net.float_type());
  for (const Value& value : net.values()) {
    if (value.role != Role::kParameter && value.role != Role::kState) continue;
    graph.AddValue(value.name, value.type, value.role);
  }
  graph.AssignRegions();
  return graph;
}

}  // namespace

int SlotCount(const TrainingGraphOptions& options) {
  return SlotCount(options.update) + (options.accumulate > 1 ? 1 : 0);
}

absl::StatusOr<Graph> TrainingGraph(const Graph& net, ValueId logits,
                                    const TrainingGraphOptions& options) {
  TrainingForm form(net);
  ASSIGN_OR_RETURN(Graph graph, form.Build());
  ASSIGN_OR_RETURN(const std::vector<ValueId> loss, AddLoss(graph, form.mapped(logits), options));
  RETURN_IF_ERROR(AddGradients(graph, loss[0]));
  graph.AssignRegions();
  if (options.accumulate > 1) {
    RETURN_IF_ERROR(AddSum(graph, options));
  } else {
    RETURN_IF_ERROR(AddUpdate(graph, graph.AddRegion(Role::kGradient), options));
  }
  graph.mutable_value(loss[1]).name = "probabilities";
  graph.MarkOutput(loss[0]);
  graph.MarkOutput(loss[1]);
  return graph;
}

absl::StatusOr<Graph> UpdateGraph(const Graph& net, const TrainingGraphOptions& options) {
  Graph graph = WeightsOnly(net);
  RETURN_IF_ERROR(AddUpdate(graph, AddGradientSum(graph), options));
  return graph;
}

absl::StatusOr<Graph> AverageGraph(const Graph& net) {
  Graph graph = WeightsOnly(net);
  const ValueId weight = graph.AddInput("weight", {graph.float_type(), {1}});
  for (Role role : {Role::kParameter, Role::kState}) {
    if (graph.region_count(role) == 0) continue;
    const ValueId average = graph.AddAverage(role);
    RETURN_IF_ERROR(graph.AddWriting(graph.value(average).name, MovingAverage{},
                                     {graph.AddRegion(role), average, weight}, {average}));
  }
  return graph;
}

}  // namespace fovea
