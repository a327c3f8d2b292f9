// Backend: a device. Its memory, its layout plan, and how one node becomes a kernel.
//
// Planning, order, tracing and checks are written once, above it (core/compile, core/runtime). A
// backend is extended by a new node kind, not by a new virtual function.
//
// Kernel is what Lower makes of a node: immutable, shared between threads, free of addresses.
// BoundKernel is a kernel with its addresses and stream: one executor's, run by one thread at a
// time; Run allocates nothing and creates no primitive.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/graph/graph.h"

namespace fovea {

struct Quantization;  // core/graph/quantization.h

// Which whole-graph layout plan Prepare follows, where a backend knows several.
// kBlockedWinograd: kBlocked, with Winograd's algorithm for the convolutions that gain by it: a
// mix, convolution by convolution, by a rule on their shapes. Where none gains, it is kBlocked.
enum class LayoutPlan : uint8_t { kDefault, kNhwc, kBlocked, kBlockedWinograd };
inline constexpr LayoutPlan kLayoutPlans[] = {LayoutPlan::kDefault, LayoutPlan::kNhwc,
                                              LayoutPlan::kBlocked, LayoutPlan::kBlockedWinograd};
const char* LayoutPlanName(LayoutPlan plan);  // "default", "nhwc", …

struct CompileOptions {
  bool training = false;  // keep the passes of training graphs; primitives kept for backward
  LayoutPlan layout_plan = LayoutPlan::kDefault;
  // What an f32 graph computes in where the backend can: kF32; kBF16, in which parameters, their
  // gradients, statistics, losses, updates, inputs and outputs stay f32; or, for inference, kI8, in
  // which convolutions and dense layers multiply integers of 8 bits.
  DType compute_type = DType::kF32;
  std::shared_ptr<const Quantization> quantization = nullptr;  // with kI8
  // Threads that will run the program; primitives are created for it. 0: all of the CPU budget.
  int width = 0;
  // Accept a convolution or dense that only a slow kernel can run.
  bool allow_slow_kernels = false;
  // Run the inference passes (fold, fuse). Off: the graph is lowered as it stands.
  bool optimize = true;
};

// Device memory. Move-only; freed at destruction. `address` is a host pointer on host backends.
class Buffer {
 public:
  virtual ~Buffer() = default;
  void* address() const { return address_; }
  size_t bytes() const { return bytes_; }

 protected:
  Buffer(void* address, size_t bytes) : address_(address), bytes_(bytes) {}
  void* address_;
  size_t bytes_;
};

// The order in which bound kernels run. Host backends run at once; Synchronize is then a no-op.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual absl::Status Synchronize() = 0;
};

class BoundKernel {
 public:
  virtual ~BoundKernel() = default;
  virtual absl::Status Run() = 0;
};

class Kernel {
 public:
  virtual ~Kernel() = default;
  // Addresses in the order of the node's inputs and outputs; `scratch` has the lowered bytes.
  virtual absl::StatusOr<std::unique_ptr<BoundKernel>> Bind(Stream& stream,
                                                            absl::Span<void* const> inputs,
                                                            absl::Span<void* const> outputs,
                                                            void* scratch) const = 0;
};

struct Lowered {
  std::shared_ptr<const Kernel> kernel;
  std::string kernel_name;  // the library's own name for the implementation
  size_t scratch_bytes = 0;
  // Whether all such kernels of a program have their scratch at one address, so that each thread
  // finds its part of it in the cache of its own core.
  bool scratch_stays = false;
  // Bytes of each output where they differ from Backend::Bytes (opaque ones); empty or one each.
  std::vector<size_t> output_bytes;
  // Output 0 must have the address of this input (a residual that is summed in place); −1: none.
  int in_place_input = -1;
  // Output 0 may have the address of this input when it is the input's last use; −1: none.
  int may_overwrite_input = -1;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual const char* name() const = 0;
  // The kernels' names and versions: a timing holds as long as this stays the same.
  virtual std::string KernelVersions() const { return name(); }

  // Memory aligned to 64 bytes, zeroed. ResourceExhausted when there is not enough.
  virtual absl::StatusOr<std::unique_ptr<Buffer>> Allocate(size_t bytes) const = 0;
  virtual absl::Status Upload(const void* source, void* address, size_t bytes) const = 0;
  virtual absl::Status Download(const void* address, void* target, size_t bytes) const = 0;
  // Whether an address can be read and written by the host directly.
  virtual bool host_memory() const = 0;
  // Bytes that a value of this type takes here (padded channels, packed weights).
  virtual size_t Bytes(const Type& type) const = 0;

  // Whether the backend would take this node as it stands (types dense, layouts not yet chosen).
  virtual bool Supports(const Graph& graph, const Node& node) const = 0;
  // Chooses layouts of temporaries and inserts Reorder nodes.
  virtual absl::StatusOr<Graph> Prepare(Graph graph, const CompileOptions& options) const {
    (void)options;
    return graph;
  }
  // Unimplemented names the op and the backend.
  virtual absl::StatusOr<Lowered> Lower(const Graph& graph, const Node& node,
                                        const CompileOptions& options) const = 0;
  virtual absl::StatusOr<std::unique_ptr<Stream>> NewStream() const = 0;
};

// The backends in this build, by name ("reference", "cpu"). NotFound lists the known names.
// Backends live as long as the process.
absl::StatusOr<const Backend*> FindBackend(absl::string_view name);

}  // namespace fovea
