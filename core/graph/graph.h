// Graph: nodes and typed values. Data only: it knows no device and no kernel.
//
// Nodes stand in execution order. A temporary has one producer, before all its readers. A value of
// another role is memory that outlives a run; a node overwrites it by naming it among its outputs,
// at most one node a graph, after all its readers (Verify proves it).
//
// Parameters, states, gradients and slots are regions: contiguous memory, one element type, dense,
// each value at an offset (in elements, a multiple of 16). Parameters that weight decay applies to
// (rank ≥ 2) come first. A gradient has the offset of its parameter. A slot spans the parameter
// region (momentum: one slot; Adam: two). AssignRegions() gives the offsets. The region of averages
// has the shape of the parameter region with the state region behind it.
//
// An update reads and writes whole regions: its operands are slots and the values that AddRegion()
// makes, with `spans_region` set, which alias every value of their role. Gradients are written
// before they are read: a gradient's one writer stands before all its readers.
//
// Value semantics; not thread-safe while it changes.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/graph/attrs.h"
#include "core/tensor/type.h"

namespace fovea {

using ValueId = int32_t;
using NodeId = int32_t;
inline constexpr ValueId kNoValue = -1;

enum class Role : uint8_t { kInput, kParameter, kState, kSlot, kGradient, kAverage, kTemporary };
const char* RoleName(Role role);

struct Value {
  std::string name;
  Type type;
  Role role = Role::kTemporary;
  int64_t offset = 0;         // in elements, within the region of its role
  bool opaque = false;        // bytes only the backend knows, read only by its node's gradient
  bool spans_region = false;  // stands for the whole region of its role; not one of ValuesOf()
};

struct Node {
  std::string name;
  Attrs attrs;
  std::vector<ValueId> inputs = {};
  std::vector<ValueId> outputs = {};
  std::vector<float> constants = {};
};

class Graph {
 public:
  // ---- Building. Names must be new in the graph (a number is added when they are not).
  ValueId AddValue(std::string name, Type type, Role role);
  ValueId AddInput(std::string name, Type type);
  ValueId AddParameter(std::string name, Dims dims);  // f32, or f64 in a graph of that type
  ValueId AddState(std::string name, Dims dims);
  // The value that spans the region of parameters, gradients or states, named "parameters",
  // "gradients" or "states", dims [region_count]; made at the first call. After AssignRegions.
  ValueId AddRegion(Role role);
  // A slot as large as the parameter region, behind the slots before it. After AssignRegions.
  ValueId AddSlot(std::string name);
  // The averages of the parameter or of the state region, "average_parameters" or
  // "average_states". After AssignRegions.
  ValueId AddAverage(Role of);
  // The type of parameters, states, gradients and slots: f32 unless WithFloatType said otherwise.
  DType float_type() const { return float_type_; }
  void set_float_type(DType dtype) { float_type_ = dtype; }

  // Appends a node whose outputs are new temporaries with inferred types.
  // InvalidArgument names the node, what was found and what the op expects.
  absl::StatusOr<std::vector<ValueId>> Add(std::string name, Attrs attrs,
                                           std::vector<ValueId> inputs,
                                           std::vector<float> constants = {});
  // The same for a node with one output of interest (the first).
  absl::StatusOr<ValueId> Add1(std::string name, Attrs attrs, std::vector<ValueId> inputs,
                               std::vector<float> constants = {});
  // Appends a node that overwrites the given values (of any role but input).
  absl::Status AddWriting(std::string name, Attrs attrs, std::vector<ValueId> inputs,
                          std::vector<ValueId> outputs, std::vector<float> constants = {});

  void MarkOutput(ValueId value) { outputs_.push_back(value); }

  // Gives every parameter, state, gradient and slot its offset, and spanning values and slots
  // their extent. Gradients are matched by `parameter_of`.
  void AssignRegions();
  // Elements of the region of a role: of one slot for kSlot.
  int64_t region_count(Role role) const;
  // How many leading elements of the parameter region belong to parameters of rank ≥ 2.
  int64_t decayed_count() const;

  // ---- Reading.
  const std::vector<Value>& values() const { return values_; }
  const std::vector<Node>& nodes() const { return nodes_; }
  const std::vector<ValueId>& outputs() const { return outputs_; }
  const Value& value(ValueId id) const { return values_[id]; }
  const Type& type(ValueId id) const { return values_[id].type; }
  std::vector<Type> InputTypes(const Node& node) const;
  std::vector<ValueId> ValuesOf(Role role) const;  // in order of creation
  ValueId Find(absl::string_view name) const;      // kNoValue when there is none
  // For every value, the indices of the nodes that read it (outputs of the graph not counted).
  std::vector<std::vector<NodeId>> Readers() const;
  // For every temporary and gradient, the node that produces it; −1 for all other values, also
  // where a node overwrites them.
  std::vector<NodeId> Producers() const;
  bool IsOutput(ValueId id) const;
  // The parameter that a gradient value belongs to, kept by SetGradient.
  ValueId parameter_of(ValueId gradient) const;

  // ---- Rewriting, for passes.
  Value& mutable_value(ValueId id) { return values_[id]; }
  std::vector<Node>& mutable_nodes() { return nodes_; }
  std::vector<ValueId>& mutable_outputs() { return outputs_; }
  // Turns a temporary into the gradient of a parameter.
  void SetGradient(ValueId parameter, ValueId gradient);
  // Every reader of `from` (and the list of outputs) reads `to` instead.
  void ReplaceUses(ValueId from, ValueId to);
  // Drops nodes whose outputs nobody reads and that overwrite nothing, then unused temporaries;
  // ids change. Inputs, parameters, states and slots stay.
  void Prune();

 private:
  std::string UniqueName(std::string name) const;
  std::string UniqueNodeName(std::string name) const;

  std::vector<Value> values_;
  std::vector<Node> nodes_;
  std::vector<ValueId> outputs_;
  std::vector<std::pair<ValueId, ValueId>> gradients_;  // (gradient, parameter)
  DType float_type_ = DType::kF32;
};

// OK when every node's types infer, order and single writers hold, names are unique, and every
// persistent value lies inside its region.
absl::Status Verify(const Graph& graph);

// The same graph for another batch size: the first extent of every input of rank ≥ 2, and of
// "example_weights", is replaced and all types are inferred again. InvalidArgument names the node
// whose attributes hold the old batch (a Reshape to a concrete first extent, backward nodes).
absl::StatusOr<Graph> WithBatch(const Graph& graph, int64_t batch);

// The same graph with every f32 value as `dtype` (f64 for the reference).
Graph WithFloatType(const Graph& graph, DType dtype);

// One line per value with a role and per node: stable, for tests and for people.
std::string ToText(const Graph& graph);
// The op's name and the attributes that differ from their defaults: "Conv kernel=[3,3] group=2".
std::string AttrsToText(const Attrs& attrs);
// Floats in the shortest form that reads back as the same values: "[0.5,0.25]".
std::string ConstantsToText(absl::Span<const float> constants);

}  // namespace fovea
