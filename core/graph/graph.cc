#include "core/graph/graph.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/check.h"
#include "core/base/status.h"
#include "core/graph/op_def.h"

namespace fovea {
namespace {

constexpr int64_t kRegionAlignment = 16;  // elements

int64_t Aligned(int64_t count) {
  return (count + kRegionAlignment - 1) / kRegionAlignment * kRegionAlignment;
}

// `name`, or `name` with the first number from 2 on that makes it new.
template <typename Items>
std::string Unique(const Items& items, std::string name) {
  const auto taken = [&](const std::string& candidate) {
    return std::any_of(items.begin(), items.end(),
                       [&](const auto& item) { return item.name == candidate; });
  };
  if (!taken(name)) return name;
  for (int number = 2;; ++number) {
    std::string candidate = absl::StrCat(name, "_", number);
    if (!taken(candidate)) return candidate;
  }
}

// Ops without a floating input make the graph's float type.
void AdoptFloatType(DType float_type, Attrs& attrs) {
  if (auto* fill = std::get_if<Fill>(&attrs); fill && fill->dtype == DType::kF32) {
    fill->dtype = float_type;
  }
  if (auto* normalize = std::get_if<Normalize>(&attrs);
      normalize && normalize->dtype == DType::kF32) {
    normalize->dtype = float_type;
  }
}

}  // namespace

const char* RoleName(Role role) {
  switch (role) {
    case Role::kInput:
      return "input";
    case Role::kParameter:
      return "parameter";
    case Role::kState:
      return "state";
    case Role::kSlot:
      return "slot";
    case Role::kGradient:
      return "gradient";
    case Role::kAverage:
      return "average";
    case Role::kTemporary:
      return "temporary";
  }
  return "?";
}

// ---- Building.

std::string Graph::UniqueName(std::string name) const { return Unique(values_, std::move(name)); }

std::string Graph::UniqueNodeName(std::string name) const {
  return Unique(nodes_, std::move(name));
}

ValueId Graph::AddValue(std::string name, Type type, Role role) {
  Value value;
  value.name = UniqueName(std::move(name));
  value.type = type;
  value.role = role;
  values_.push_back(std::move(value));
  return static_cast<ValueId>(values_.size()) - 1;
}

ValueId Graph::AddInput(std::string name, Type type) {
  return AddValue(std::move(name), type, Role::kInput);
}

ValueId Graph::AddParameter(std::string name, Dims dims) {
  return AddValue(std::move(name), {float_type_, dims}, Role::kParameter);
}

ValueId Graph::AddState(std::string name, Dims dims) {
  return AddValue(std::move(name), {float_type_, dims}, Role::kState);
}

ValueId Graph::AddRegion(Role role) {
  CHECK(role == Role::kParameter || role == Role::kGradient || role == Role::kState);
  for (size_t id = 0; id < values_.size(); ++id) {
    if (values_[id].spans_region && values_[id].role == role) return static_cast<ValueId>(id);
  }
  const Type type = {float_type_, {region_count(role)}};
  const ValueId id = AddValue(absl::StrCat(RoleName(role), "s"), type, role);
  values_[id].spans_region = true;
  return id;
}

ValueId Graph::AddSlot(std::string name) {
  const int64_t count = region_count(Role::kParameter);
  const int64_t before = static_cast<int64_t>(ValuesOf(Role::kSlot).size());
  const ValueId id = AddValue(std::move(name), {float_type_, {count}}, Role::kSlot);
  values_[id].offset = before * count;
  return id;
}

ValueId Graph::AddAverage(Role of) {
  CHECK(of == Role::kParameter || of == Role::kState);
  const Type type = {float_type_, {region_count(of)}};
  const ValueId id = AddValue(absl::StrCat("average_", RoleName(of), "s"), type, Role::kAverage);
  values_[id].offset = of == Role::kState ? region_count(Role::kParameter) : 0;
  return id;
}

absl::StatusOr<std::vector<ValueId>> Graph::Add(std::string name, Attrs attrs,
                                                std::vector<ValueId> inputs,
                                                std::vector<float> constants) {
  AdoptFloatType(float_type_, attrs);
  Node node{UniqueNodeName(std::move(name)), attrs, std::move(inputs), {}, std::move(constants)};
  ASSIGN_OR_RETURN(const std::vector<Type> types, InferTypes(*this, node));
  const uint32_t opaque = OpOf(attrs).opaque_outputs;
  for (size_t i = 0; i < types.size(); ++i) {
    std::string value_name = i == 0 ? node.name : absl::StrCat(node.name, ":", i);
    const ValueId id = AddValue(std::move(value_name), types[i], Role::kTemporary);
    values_[id].opaque = (opaque >> i & 1) != 0;
    node.outputs.push_back(id);
  }
  nodes_.push_back(std::move(node));
  return nodes_.back().outputs;
}

absl::StatusOr<ValueId> Graph::Add1(std::string name, Attrs attrs, std::vector<ValueId> inputs,
                                    std::vector<float> constants) {
  ASSIGN_OR_RETURN(const std::vector<ValueId> outputs,
                   Add(std::move(name), attrs, std::move(inputs), std::move(constants)));
  return outputs.front();
}

absl::Status Graph::AddWriting(std::string name, Attrs attrs, std::vector<ValueId> inputs,
                               std::vector<ValueId> outputs, std::vector<float> constants) {
  AdoptFloatType(float_type_, attrs);
  Node node{UniqueNodeName(std::move(name)), attrs, std::move(inputs), std::move(outputs),
            std::move(constants)};
  ASSIGN_OR_RETURN(const std::vector<Type> types, InferTypes(*this, node));
  if (types.size() != node.outputs.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "node \"", node.name, "\" has ", node.outputs.size(), " outputs, expected ", types.size()));
  }
  for (size_t i = 0; i < types.size(); ++i) {
    const Value& target = values_[node.outputs[i]];
    if (target.role == Role::kInput) {
      return absl::InvalidArgumentError(
          absl::StrCat("node \"", node.name, "\" overwrites the input \"", target.name, "\""));
    }
    if (target.type.dtype != types[i].dtype || target.type.dims != types[i].dims) {
      return absl::InvalidArgumentError(
          absl::StrCat("node \"", node.name, "\" overwrites \"", target.name, "\" of type ",
                       target.type.ToString(), " with ", types[i].ToString()));
    }
  }
  nodes_.push_back(std::move(node));
  return absl::OkStatus();
}

// ---- Regions.

void Graph::AssignRegions() {
  int64_t parameters = 0, states = 0, slots = 0;
  const auto place = [this](ValueId id, int64_t& next) {
    values_[id].offset = next;
    next += Aligned(values_[id].type.dims.count());
  };
  const std::vector<ValueId> all = ValuesOf(Role::kParameter);
  for (ValueId id : all) {
    if (values_[id].type.dims.rank() >= 2) place(id, parameters);
  }
  for (ValueId id : all) {
    if (values_[id].type.dims.rank() < 2) place(id, parameters);
  }
  for (ValueId id : ValuesOf(Role::kState)) place(id, states);
  for (const auto& [gradient, parameter] : gradients_) {
    values_[gradient].offset = values_[parameter].offset;
  }
  for (Value& value : values_) {
    if (value.role == Role::kSlot) {
      value.type.dims = {parameters};
      value.offset = slots++ * parameters;
    }
    if (value.spans_region) value.type.dims = {value.role == Role::kState ? states : parameters};
  }
}

int64_t Graph::region_count(Role role) const {
  if (role == Role::kAverage) return region_count(Role::kParameter) + region_count(Role::kState);
  const Role members = role == Role::kState ? Role::kState : Role::kParameter;
  int64_t end = 0;
  for (ValueId id : ValuesOf(members)) {
    end = std::max(end, values_[id].offset + Aligned(values_[id].type.dims.count()));
  }
  return end;
}

int64_t Graph::decayed_count() const {
  int64_t end = 0;
  for (ValueId id : ValuesOf(Role::kParameter)) {
    const Value& value = values_[id];
    if (value.type.dims.rank() < 2) continue;
    end = std::max(end, value.offset + Aligned(value.type.dims.count()));
  }
  return end;
}

// ---- Reading.

std::vector<Type> Graph::InputTypes(const Node& node) const {
  std::vector<Type> types;
  types.reserve(node.inputs.size());
  for (ValueId id : node.inputs) types.push_back(values_[id].type);
  return types;
}

std::vector<ValueId> Graph::ValuesOf(Role role) const {
  std::vector<ValueId> ids;
  for (size_t id = 0; id < values_.size(); ++id) {
    if (values_[id].role == role && !values_[id].spans_region) {
      ids.push_back(static_cast<ValueId>(id));
    }
  }
  return ids;
}

ValueId Graph::Find(absl::string_view name) const {
  for (size_t id = 0; id < values_.size(); ++id) {
    if (values_[id].name == name) return static_cast<ValueId>(id);
  }
  return kNoValue;
}

std::vector<std::vector<NodeId>> Graph::Readers() const {
  std::vector<std::vector<NodeId>> readers(values_.size());
  for (size_t n = 0; n < nodes_.size(); ++n) {
    for (ValueId id : nodes_[n].inputs) {
      std::vector<NodeId>& list = readers[id];
      if (list.empty() || list.back() != static_cast<NodeId>(n)) {
        list.push_back(static_cast<NodeId>(n));
      }
    }
  }
  return readers;
}

std::vector<NodeId> Graph::Producers() const {
  std::vector<NodeId> producers(values_.size(), -1);
  for (size_t n = 0; n < nodes_.size(); ++n) {
    for (ValueId id : nodes_[n].outputs) {
      const Role role = values_[id].role;
      if (role == Role::kTemporary || role == Role::kGradient) {
        producers[id] = static_cast<NodeId>(n);
      }
    }
  }
  return producers;
}

bool Graph::IsOutput(ValueId id) const {
  return std::find(outputs_.begin(), outputs_.end(), id) != outputs_.end();
}

ValueId Graph::parameter_of(ValueId gradient) const {
  for (const auto& [value, parameter] : gradients_) {
    if (value == gradient) return parameter;
  }
  return kNoValue;
}

// ---- Rewriting.

void Graph::SetGradient(ValueId parameter, ValueId gradient) {
  CHECK(values_[parameter].role == Role::kParameter && !values_[parameter].spans_region);
  CHECK(values_[gradient].role == Role::kTemporary && !values_[gradient].opaque);
  values_[gradient].role = Role::kGradient;
  values_[gradient].offset = values_[parameter].offset;
  gradients_.emplace_back(gradient, parameter);
}

void Graph::ReplaceUses(ValueId from, ValueId to) {
  for (Node& node : nodes_) std::replace(node.inputs.begin(), node.inputs.end(), from, to);
  std::replace(outputs_.begin(), outputs_.end(), from, to);
}

void Graph::Prune() {
  // Backwards: a node lives when something that lives reads it, or when it overwrites memory.
  std::vector<bool> read(values_.size(), false);
  for (ValueId id : outputs_) read[id] = true;
  std::vector<Node> live;
  for (auto node = nodes_.rbegin(); node != nodes_.rend(); ++node) {
    const bool lives = std::any_of(node->outputs.begin(), node->outputs.end(), [&](ValueId id) {
      return read[id] || values_[id].role != Role::kTemporary;
    });
    if (!lives) continue;
    for (ValueId id : node->inputs) read[id] = true;
    live.push_back(std::move(*node));
  }
  std::reverse(live.begin(), live.end());
  nodes_ = std::move(live);

  for (const Node& node : nodes_) {
    for (ValueId id : node.outputs) read[id] = true;
  }
  std::vector<ValueId> new_id(values_.size(), kNoValue);
  std::vector<Value> values;
  for (size_t id = 0; id < values_.size(); ++id) {
    if (!read[id] && values_[id].role == Role::kTemporary) continue;
    new_id[id] = static_cast<ValueId>(values.size());
    values.push_back(std::move(values_[id]));
  }
  values_ = std::move(values);
  for (Node& node : nodes_) {
    for (ValueId& id : node.inputs) id = new_id[id];
    for (ValueId& id : node.outputs) id = new_id[id];
  }
  for (ValueId& id : outputs_) id = new_id[id];
  for (auto& [gradient, parameter] : gradients_) {
    gradient = new_id[gradient];
    parameter = new_id[parameter];
  }
}

}  // namespace fovea
