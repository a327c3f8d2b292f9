// ProgramBuilder: from a lowered graph to a Program. Private to core/compile.
//
// Order of work: Lower every node; find the prologue; group values that share an address
// (reshapes, in-place outputs) into storages; plan the arena; write the steps.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "core/backend/backend.h"
#include "core/runtime/program.h"

namespace fovea {

class ProgramBuilder {
 public:
  // `graph` has been prepared by the backend.
  ProgramBuilder(Graph graph, const Backend& backend, const CompileOptions& options);
  absl::StatusOr<std::shared_ptr<const Program>> Build();

 private:
  // Memory that one or more values share.
  struct Storage {
    int first = 0, last = 0;  // positions among the nodes of its phase
    size_t bytes = 0;
    Location location;
    bool placed = false;  // in a region or prepared: not planned
  };

  absl::Status LowerNodes();
  void FindPrologue();
  void MakeStorages();
  void AddStorage(ValueId value, int first, size_t bytes);
  void Share(ValueId value, ValueId with);
  absl::Status PlaceOutputs(NodeId id);
  bool MayOverwrite(NodeId id, ValueId input) const;
  void FindLastReads();
  void PlanArena(bool prologue, size_t* arena_bytes);
  void WriteSteps();
  void WritePorts();
  std::string PreparedKey(ValueId value) const;

  const Backend& backend_;
  const CompileOptions options_;
  std::shared_ptr<Program> program_;
  const Graph& graph_;             // the program's
  std::vector<Lowered> lowered_;   // per node; no kernel for a reshape
  std::vector<bool> in_prologue_;  // per node
  std::vector<int> storage_of_;    // per value, −1: none
  std::vector<int> last_read_;     // per value: node, or number of nodes for outputs
  std::vector<Storage> storages_;
  std::vector<bool> storage_in_prologue_;
  std::vector<size_t> scratch_offset_;  // per node
  std::vector<NodeId> producers_;
};

}  // namespace fovea
