// Program: the prologue and the ordered kernel calls of one graph, with planned addresses.
//
// Immutable, holds no weights, shared between threads. Compile() makes it (core/compile).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/backend/backend.h"
#include "core/graph/graph.h"

namespace fovea {

// Where a value lives at run time.
struct Location {
  enum class Kind : uint8_t {
    kArena,     // offset into the executor's arena
    kRegion,    // offset into a region of the Weights
    kPrepared,  // `index` of the prologue's results
  };
  Kind kind = Kind::kArena;
  Role role = Role::kTemporary;  // kRegion: which
  size_t offset = 0;             // bytes
  size_t bytes = 0;
  int index = -1;
};

struct Step {
  std::string name;         // the node's
  std::string op;           // "Conv"
  std::string kernel_name;  // what runs it
  double flops = 0;
  std::shared_ptr<const Kernel> kernel;
  std::vector<Location> inputs;
  std::vector<Location> outputs;
  size_t scratch_offset = 0;  // in the arena
  size_t scratch_bytes = 0;
};

// A named value that a caller writes before, or reads after a run.
struct Port {
  std::string name;
  Type type;  // dense
  Location location;
};

// One result of the prologue.
struct PreparedValue {
  std::string key;  // equal keys mean equal contents, across the Programs of one Weights
  size_t bytes = 0;
};

class Program {
 public:
  const Backend& backend() const { return *backend_; }
  const Graph& graph() const { return graph_; }  // as lowered, with layouts
  const std::vector<Step>& prologue() const { return prologue_; }
  const std::vector<Step>& steps() const { return steps_; }
  const std::vector<Port>& inputs() const { return inputs_; }
  const std::vector<Port>& outputs() const { return outputs_; }
  const std::vector<PreparedValue>& prepared() const { return prepared_; }
  size_t arena_bytes() const { return arena_bytes_; }
  size_t prologue_arena_bytes() const { return prologue_arena_bytes_; }
  // The sum of all temporaries and scratch without sharing.
  size_t unshared_bytes() const { return unshared_bytes_; }
  double flops() const { return flops_; }
  int width() const { return width_; }
  LayoutPlan layout_plan() const { return layout_plan_; }
  // Index of a port by name, −1 when there is none.
  int FindInput(absl::string_view name) const;
  int FindOutput(absl::string_view name) const;

 private:
  friend class ProgramBuilder;
  const Backend* backend_ = nullptr;
  Graph graph_;
  std::vector<Step> prologue_, steps_;
  std::vector<Port> inputs_, outputs_;
  std::vector<PreparedValue> prepared_;
  size_t arena_bytes_ = 0, prologue_arena_bytes_ = 0, unshared_bytes_ = 0;
  double flops_ = 0;
  int width_ = 0;
  LayoutPlan layout_plan_ = LayoutPlan::kDefault;
};

}  // namespace fovea
