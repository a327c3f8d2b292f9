// The verifier: one function per rule of graph.h.
#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/status.h"
#include "core/graph/graph.h"
#include "core/graph/op_def.h"

namespace fovea {
namespace {

template <typename... Parts>
absl::Status Wrong(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

std::string Quoted(absl::string_view name) { return absl::StrCat("\"", name, "\""); }

bool IsPersistent(Role role) { return role != Role::kTemporary && role != Role::kInput; }

absl::Status CheckIds(const Graph& graph) {
  const ValueId count = static_cast<ValueId>(graph.values().size());
  const auto check = [count](const std::vector<ValueId>& ids, const std::string& where) {
    for (ValueId id : ids) {
      if (id < 0 || id >= count) {
        return Wrong(where, " names value ", id, "; there are ", count, " values");
      }
    }
    return absl::OkStatus();
  };
  for (const Node& node : graph.nodes()) {
    RETURN_IF_ERROR(check(node.inputs, absl::StrCat("node ", Quoted(node.name))));
    RETURN_IF_ERROR(check(node.outputs, absl::StrCat("node ", Quoted(node.name))));
  }
  return check(graph.outputs(), "the list of outputs");
}

template <typename Items>
absl::Status CheckNames(const Items& items, absl::string_view what) {
  std::set<absl::string_view> names;
  for (const auto& item : items) {
    if (item.name.empty()) return Wrong("a ", what, " has no name");
    if (!names.insert(item.name).second) {
      return Wrong("two ", what, "s are named ", Quoted(item.name));
    }
  }
  return absl::OkStatus();
}

// ---- Types.

absl::Status CheckNodeTypes(const Graph& graph, const Node& node) {
  ASSIGN_OR_RETURN(const std::vector<Type> types, InferTypes(graph, node));
  if (types.size() != node.outputs.size()) {
    return Wrong("node ", Quoted(node.name), " has ", node.outputs.size(), " outputs, expected ",
                 types.size());
  }
  const OpDef& op = OpOf(node.attrs);
  for (size_t i = 0; i < types.size(); ++i) {
    const Value& output = graph.value(node.outputs[i]);
    if (output.type.dtype != types[i].dtype || output.type.dims != types[i].dims) {
      return Wrong("node ", Quoted(node.name), ": output ", Quoted(output.name), " has type ",
                   output.type.ToString(), ", inferred ", types[i].ToString());
    }
    if (std::holds_alternative<Reorder>(node.attrs) && output.type.layout != types[i].layout) {
      return Wrong("node ", Quoted(node.name), ": output ", Quoted(output.name), " has layout ",
                   output.type.layout, ", the reorder gives ", types[i].layout);
    }
    if (output.opaque != ((op.opaque_outputs >> i & 1) != 0)) {
      return Wrong("node ", Quoted(node.name), ": output ", Quoted(output.name),
                   output.opaque ? " is opaque, " : " is not opaque, ", op.name, " says otherwise");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckLayouts(const Graph& graph) {
  for (size_t id = 0; id < graph.values().size(); ++id) {
    const Value& value = graph.values()[id];
    const bool is_output = graph.IsOutput(static_cast<ValueId>(id));
    if (value.type.layout == kDense || (value.role == Role::kTemporary && !is_output)) continue;
    return Wrong(is_output ? "output" : RoleName(value.role), " ", Quoted(value.name),
                 " has layout ", value.type.layout, "; only temporaries may differ from dense");
  }
  return absl::OkStatus();
}

absl::Status CheckOpaque(const Graph& graph) {
  for (const Node& node : graph.nodes()) {
    const bool is_gradient = std::holds_alternative<PoolBackward>(node.attrs) ||
                             std::holds_alternative<BatchNormBackward>(node.attrs);
    for (ValueId id : node.inputs) {
      if (graph.value(id).opaque && !is_gradient) {
        return Wrong("node ", Quoted(node.name), " reads the opaque value ",
                     Quoted(graph.value(id).name), "; only the gradient of its node may");
      }
    }
  }
  for (ValueId id : graph.outputs()) {
    if (graph.value(id).opaque) {
      return Wrong("output ", Quoted(graph.value(id).name), " is opaque");
    }
  }
  return absl::OkStatus();
}

// ---- Order and writers.

// Who touches a value: its own name and, for a member of a region, the spanning value's.
struct Uses {
  std::vector<NodeId> readers;  // ascending
  std::vector<NodeId> writers;
};

// The values an operand stands for: itself, and for a spanning value every member of its region.
std::vector<ValueId> Members(const Graph& graph, ValueId id) {
  std::vector<ValueId> members = {id};
  if (graph.value(id).spans_region) {
    const std::vector<ValueId> all = graph.ValuesOf(graph.value(id).role);
    members.insert(members.end(), all.begin(), all.end());
  }
  return members;
}

std::vector<Uses> CollectUses(const Graph& graph) {
  std::vector<Uses> uses(graph.values().size());
  for (size_t n = 0; n < graph.nodes().size(); ++n) {
    for (ValueId operand : graph.nodes()[n].inputs) {
      for (ValueId id : Members(graph, operand)) {
        uses[id].readers.push_back(static_cast<NodeId>(n));
      }
    }
    for (ValueId operand : graph.nodes()[n].outputs) {
      for (ValueId id : Members(graph, operand)) {
        uses[id].writers.push_back(static_cast<NodeId>(n));
      }
    }
  }
  return uses;
}

absl::Status CheckOrder(const Graph& graph, ValueId id, const Uses& uses) {
  const Value& value = graph.value(id);
  const auto node_name = [&](NodeId node) { return Quoted(graph.nodes()[node].name); };
  const std::string label = absl::StrCat(RoleName(value.role), " ", Quoted(value.name));
  if (value.role == Role::kInput && !uses.writers.empty()) {
    return Wrong("node ", node_name(uses.writers[0]), " overwrites ", label);
  }
  if (uses.writers.size() > 1) {
    return Wrong(label, " is written by ", node_name(uses.writers[0]), " and by ",
                 node_name(uses.writers[1]), "; one writer is allowed");
  }
  if (value.role == Role::kTemporary && uses.writers.empty()) {
    if (!uses.readers.empty()) {
      return Wrong("node ", node_name(uses.readers[0]), " reads ", label, ", which nothing makes");
    }
    if (graph.IsOutput(id)) return Wrong("output ", Quoted(value.name), " is made by nothing");
  }
  if (uses.writers.empty() || uses.readers.empty()) return absl::OkStatus();
  const NodeId writer = uses.writers[0];
  const NodeId first = uses.readers.front(), last = uses.readers.back();
  if (value.role == Role::kTemporary && first <= writer) {
    return Wrong("node ", node_name(first), " reads ", label, " before ", node_name(writer),
                 " makes it");
  }
  if (value.role == Role::kGradient && first < writer) {
    return Wrong("node ", node_name(first), " reads ", label, " before ", node_name(writer),
                 " writes it");
  }
  if (value.role != Role::kTemporary && value.role != Role::kGradient && last > writer) {
    return Wrong("node ", node_name(last), " reads ", label, " after ", node_name(writer),
                 " overwrote it");
  }
  return absl::OkStatus();
}

// ---- Regions.

absl::Status CheckRegionValue(const Graph& graph, ValueId id) {
  const Value& value = graph.value(id);
  const std::string label = absl::StrCat(RoleName(value.role), " ", Quoted(value.name));
  const int64_t region = graph.region_count(value.role);
  if (value.type.dtype != graph.float_type()) {
    return Wrong(label, " is ", DTypeName(value.type.dtype), ", the regions of the graph are ",
                 DTypeName(graph.float_type()));
  }
  if (value.spans_region || value.role == Role::kSlot) {
    const bool placed =
        value.spans_region ? value.offset == 0 : region == 0 || value.offset % region == 0;
    if (value.type.dims == Dims{region} && placed) return absl::OkStatus();
    return Wrong(label, " has ", value.type.dims.ToString(), " at offset ", value.offset,
                 "; it must span a region of ", region, " elements");
  }
  if (value.role == Role::kAverage && value.offset + value.type.dims.count() > region) {
    return Wrong(label, " has ", value.type.dims.ToString(), " at offset ", value.offset,
                 ", the region ", region, " elements");
  }
  if (value.offset < 0 || value.offset % 16 != 0) {
    return Wrong(label, " has offset ", value.offset, ", expected a multiple of 16");
  }
  if (value.role != Role::kGradient) return absl::OkStatus();
  const ValueId parameter = graph.parameter_of(id);
  if (parameter == kNoValue) return Wrong(label, " belongs to no parameter");
  const Value& owner = graph.value(parameter);
  if (owner.offset != value.offset || owner.type.dims != value.type.dims) {
    return Wrong(label, " is ", value.type.dims.ToString(), " at offset ", value.offset,
                 ", its parameter ", Quoted(owner.name), " is ", owner.type.dims.ToString(),
                 " at offset ", owner.offset);
  }
  return absl::OkStatus();
}

// Members lie side by side, and parameters of rank ≥ 2 before the others.
absl::Status CheckPlacement(const Graph& graph, Role role) {
  std::vector<ValueId> ids = graph.ValuesOf(role);
  std::stable_sort(ids.begin(), ids.end(), [&](ValueId a, ValueId b) {
    return graph.value(a).offset < graph.value(b).offset;
  });
  for (size_t i = 1; i < ids.size(); ++i) {
    const Value& before = graph.value(ids[i - 1]);
    const Value& value = graph.value(ids[i]);
    if (before.offset + before.type.dims.count() > value.offset) {
      return Wrong(RoleName(role), " ", Quoted(value.name), " at offset ", value.offset,
                   " overlaps ", Quoted(before.name), " at offset ", before.offset, " with ",
                   before.type.dims.count(), " elements; call AssignRegions");
    }
    if (role == Role::kParameter && before.type.dims.rank() < 2 && value.type.dims.rank() >= 2) {
      return Wrong("parameter ", Quoted(value.name), " of rank ", value.type.dims.rank(),
                   " stands behind ", Quoted(before.name), " of rank ", before.type.dims.rank(),
                   "; those that decay come first");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckRegions(const Graph& graph) {
  for (size_t id = 0; id < graph.values().size(); ++id) {
    if (!IsPersistent(graph.values()[id].role)) continue;
    RETURN_IF_ERROR(CheckRegionValue(graph, static_cast<ValueId>(id)));
  }
  for (Role role : {Role::kParameter, Role::kState, Role::kGradient, Role::kSlot, Role::kAverage}) {
    RETURN_IF_ERROR(CheckPlacement(graph, role));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Verify(const Graph& graph) {
  RETURN_IF_ERROR(CheckIds(graph));
  RETURN_IF_ERROR(CheckNames(graph.values(), "value"));
  RETURN_IF_ERROR(CheckNames(graph.nodes(), "node"));
  const std::vector<Uses> uses = CollectUses(graph);
  for (size_t id = 0; id < uses.size(); ++id) {
    RETURN_IF_ERROR(CheckOrder(graph, static_cast<ValueId>(id), uses[id]));
  }
  for (const Node& node : graph.nodes()) RETURN_IF_ERROR(CheckNodeTypes(graph, node));
  RETURN_IF_ERROR(CheckLayouts(graph));
  RETURN_IF_ERROR(CheckOpaque(graph));
  return CheckRegions(graph);
}

}  // namespace fovea
