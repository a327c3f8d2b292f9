#include "core/compile/program_builder.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/sha256.h"
#include "core/base/status.h"
#include "core/compile/memory_plan.h"
#include "core/graph/op_def.h"

namespace fovea {
namespace {

bool IsView(const Node& node) { return std::holds_alternative<Reshape>(node.attrs); }

// A convolution or dense: an op that must not run on a slow kernel unnoticed.
bool IsHeavy(const Graph& graph, const Node& node) {
  return OpOf(node.attrs).flops(node, graph.InputTypes(node)) > 0;
}

// Empty for nodes without constants.
std::string ConstantsKey(const Node& node) {
  return node.constants.empty() ? "" : Sha256Hex(ConstantsToText(node.constants));
}

bool IsSlow(const std::string& kernel_name) { return kernel_name.find("ref") != std::string::npos; }

}  // namespace

ProgramBuilder::ProgramBuilder(Graph graph, const Backend& backend, const CompileOptions& options)
    : backend_(backend),
      options_(options),
      program_(std::make_shared<Program>()),
      graph_(program_->graph_) {
  program_->graph_ = std::move(graph);
  program_->backend_ = &backend;
  program_->width_ = options.width;
  program_->layout_plan_ = options.layout_plan;
}

absl::StatusOr<std::shared_ptr<const Program>> ProgramBuilder::Build() {
  RETURN_IF_ERROR(LowerNodes());
  FindPrologue();
  MakeStorages();
  for (NodeId id = 0; id < static_cast<NodeId>(graph_.nodes().size()); ++id) {
    RETURN_IF_ERROR(PlaceOutputs(id));
  }
  scratch_offset_.assign(graph_.nodes().size(), 0);
  PlanArena(/*prologue=*/true, &program_->prologue_arena_bytes_);
  PlanArena(/*prologue=*/false, &program_->arena_bytes_);
  WriteSteps();
  WritePorts();
  return std::shared_ptr<const Program>(std::move(program_));
}

absl::Status ProgramBuilder::LowerNodes() {
  const bool oracle = absl::string_view(backend_.name()) == "reference";
  for (const Node& node : graph_.nodes()) {
    if (IsView(node)) {
      lowered_.emplace_back();
      continue;
    }
    ASSIGN_OR_RETURN(Lowered lowered, backend_.Lower(graph_, node, options_));
    if (!oracle && !options_.allow_slow_kernels && IsSlow(lowered.kernel_name) &&
        IsHeavy(graph_, node)) {
      return absl::UnimplementedError(
          absl::StrCat(OpOf(node.attrs).name, " \"", node.name, "\" has only the slow kernel \"",
                       lowered.kernel_name, "\" on backend \"", backend_.name(),
                       "\"; allow_slow_kernels accepts it"));
    }
    lowered_.push_back(std::move(lowered));
  }
  return absl::OkStatus();
}

// The prologue: nodes that depend on parameters, states and other prologue nodes only, and
// overwrite nothing. Training recomputes everything each step and has none.
void ProgramBuilder::FindPrologue() {
  in_prologue_.assign(graph_.nodes().size(), false);
  producers_ = graph_.Producers();
  if (options_.training) return;
  std::vector<bool> constant(graph_.values().size(), false);
  for (Role role : {Role::kParameter, Role::kState}) {
    for (ValueId id : graph_.ValuesOf(role)) constant[id] = true;
  }
  for (size_t i = 0; i < graph_.nodes().size(); ++i) {
    const Node& node = graph_.nodes()[i];
    const bool pure = !node.inputs.empty() &&
                      std::all_of(node.inputs.begin(), node.inputs.end(),
                                  [&](ValueId id) { return constant[id]; }) &&
                      std::all_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
                        return graph_.value(id).role == Role::kTemporary && !graph_.IsOutput(id);
                      });
    if (!pure) continue;
    in_prologue_[i] = true;
    for (ValueId id : node.outputs) constant[id] = true;
  }
}

void ProgramBuilder::FindLastReads() {
  const int end = static_cast<int>(graph_.nodes().size());
  last_read_.assign(graph_.values().size(), -1);
  const auto readers = graph_.Readers();
  for (size_t id = 0; id < readers.size(); ++id) {
    for (NodeId reader : readers[id]) last_read_[id] = std::max<int>(last_read_[id], reader);
    if (graph_.IsOutput(static_cast<ValueId>(id))) last_read_[id] = end;
  }
}

void ProgramBuilder::AddStorage(ValueId value, int first, size_t bytes) {
  storage_of_[value] = static_cast<int>(storages_.size());
  Storage storage;
  storage.first = first;
  storage.last = std::max(first, last_read_[value]);
  storage.bytes = bytes;
  storage.location.bytes = bytes;
  storages_.push_back(storage);
  const NodeId producer = producers_[value];
  storage_in_prologue_.push_back(producer >= 0 && in_prologue_[producer]);
}

void ProgramBuilder::Share(ValueId value, ValueId with) {
  storage_of_[value] = storage_of_[with];
  Storage& storage = storages_[storage_of_[with]];
  storage.last = std::max(storage.last, last_read_[value]);
}

// Storages of everything that no node produces.
void ProgramBuilder::MakeStorages() {
  FindLastReads();
  storage_of_.assign(graph_.values().size(), -1);
  for (size_t i = 0; i < graph_.values().size(); ++i) {
    const ValueId id = static_cast<ValueId>(i);
    const Value& value = graph_.value(id);
    if (value.role == Role::kTemporary) continue;
    if (value.role == Role::kInput) {
      if (last_read_[id] >= 0) AddStorage(id, 0, backend_.Bytes(value.type));
      continue;
    }
    AddStorage(id, 0, value.type.dense_bytes());
    Storage& storage = storages_.back();
    storage.placed = true;
    storage.location.kind = Location::Kind::kRegion;
    storage.location.role = value.role;
    storage.location.offset = static_cast<size_t>(value.offset) * DTypeBytes(value.type.dtype);
  }
}

bool ProgramBuilder::MayOverwrite(NodeId id, ValueId input) const {
  const Storage& storage = storages_[storage_of_[input]];
  if (storage.placed || storage.last > id) return false;
  if (storage_in_prologue_[storage_of_[input]] != in_prologue_[id]) return false;
  const std::vector<ValueId>& inputs = graph_.nodes()[id].inputs;
  return std::count_if(inputs.begin(), inputs.end(), [&](ValueId other) {
           return storage_of_[other] == storage_of_[input];
         }) == 1;
}

absl::Status ProgramBuilder::PlaceOutputs(NodeId id) {
  const Node& node = graph_.nodes()[id];
  const Lowered& lowered = lowered_[id];
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    const ValueId value = node.outputs[i];
    if (storage_of_[value] >= 0) continue;  // memory that outlives a run
    if (IsView(node)) {
      Share(value, node.inputs[0]);
      continue;
    }
    const size_t bytes =
        lowered.output_bytes.empty() ? backend_.Bytes(graph_.type(value)) : lowered.output_bytes[i];
    if (i == 0 && lowered.in_place_input >= 0) {
      const ValueId residual = node.inputs[lowered.in_place_input];
      if (!MayOverwrite(id, residual)) {
        return absl::InternalError(absl::StrCat("node \"", node.name, "\" must overwrite \"",
                                                graph_.value(residual).name,
                                                "\", which is still read"));
      }
      Share(value, residual);
      continue;
    }
    if (i == 0 && lowered.may_overwrite_input >= 0) {
      const ValueId input = node.inputs[lowered.may_overwrite_input];
      if (MayOverwrite(id, input) && storages_[storage_of_[input]].bytes >= bytes) {
        Share(value, input);
        continue;
      }
    }
    AddStorage(value, id, bytes);
  }
  // The prologue's results that the main steps read outlive it.
  if (!in_prologue_[id]) {
    for (ValueId value : node.inputs) {
      Storage& storage = storages_[storage_of_[value]];
      if (!storage_in_prologue_[storage_of_[value]] || storage.placed) continue;
      storage.placed = true;
      storage.location.kind = Location::Kind::kPrepared;
      storage.location.index = static_cast<int>(program_->prepared_.size());
      program_->prepared_.push_back({PreparedKey(value), storage.bytes});
    }
  }
  return absl::OkStatus();
}

// What a prologue value is computed from, spelled out: equal for equal contents.
std::string ProgramBuilder::PreparedKey(ValueId value) const {
  const NodeId producer = producers_[value];
  if (producer < 0) return graph_.value(value).name;
  const Node& node = graph_.nodes()[producer];
  const size_t output =
      std::find(node.outputs.begin(), node.outputs.end(), value) - node.outputs.begin();
  std::string key = absl::StrCat(AttrsToText(node.attrs), ConstantsKey(node), "#", output, ":",
                                 graph_.type(value).ToString(), "(");
  for (ValueId input : node.inputs) absl::StrAppend(&key, PreparedKey(input), ",");
  return key + ")";
}

void ProgramBuilder::PlanArena(bool prologue, size_t* arena_bytes) {
  std::vector<Usage> usages;
  std::vector<size_t*> offsets;  // of each usage
  const auto add = [&](const Usage& usage, size_t* offset) {
    if (usage.bytes == 0) return;
    usages.push_back(usage);
    offsets.push_back(offset);
  };
  for (size_t i = 0; i < storages_.size(); ++i) {
    Storage& storage = storages_[i];
    if (storage.placed || storage_in_prologue_[i] != prologue) continue;
    add({storage.first, storage.last, storage.bytes}, &storage.location.offset);
  }
  const int nodes = static_cast<int>(lowered_.size());
  Usage staying = {0, nodes - 1, 0};
  size_t staying_offset = 0;
  for (int i = 0; i < nodes; ++i) {
    if (in_prologue_[i] != prologue) continue;
    if (lowered_[i].scratch_stays) {
      staying.bytes = std::max(staying.bytes, lowered_[i].scratch_bytes);
    } else {
      add({i, i, lowered_[i].scratch_bytes}, &scratch_offset_[i]);
    }
  }
  add(staying, &staying_offset);
  const MemoryPlan plan = PlanMemory(usages);
  for (size_t k = 0; k < usages.size(); ++k) {
    *offsets[k] = plan.offsets[k];
    if (!prologue) program_->unshared_bytes_ += usages[k].bytes;
  }
  for (int i = 0; i < nodes; ++i) {
    if (in_prologue_[i] == prologue && lowered_[i].scratch_stays) {
      scratch_offset_[i] = staying_offset;
    }
  }
  *arena_bytes = plan.total_bytes;
}

void ProgramBuilder::WriteSteps() {
  for (size_t i = 0; i < lowered_.size(); ++i) {
    const Node& node = graph_.nodes()[i];
    if (IsView(node)) continue;
    Step step;
    step.name = node.name;
    step.op = std::string(OpOf(node.attrs).name);
    step.kernel_name = lowered_[i].kernel_name;
    step.flops = OpOf(node.attrs).flops(node, graph_.InputTypes(node));
    step.kernel = lowered_[i].kernel;
    for (ValueId id : node.inputs) step.inputs.push_back(storages_[storage_of_[id]].location);
    for (ValueId id : node.outputs) step.outputs.push_back(storages_[storage_of_[id]].location);
    step.scratch_offset = scratch_offset_[i];
    step.scratch_bytes = lowered_[i].scratch_bytes;
    if (in_prologue_[i]) {
      program_->prologue_.push_back(std::move(step));
    } else {
      program_->flops_ += step.flops;
      program_->steps_.push_back(std::move(step));
    }
  }
}

void ProgramBuilder::WritePorts() {
  const auto port = [&](ValueId id) {
    const Value& value = graph_.value(id);
    return Port{value.name, value.type, storages_[storage_of_[id]].location};
  };
  for (ValueId id : graph_.ValuesOf(Role::kInput)) {
    if (storage_of_[id] >= 0) program_->inputs_.push_back(port(id));
  }
  for (ValueId id : graph_.outputs()) program_->outputs_.push_back(port(id));
}

}  // namespace fovea
