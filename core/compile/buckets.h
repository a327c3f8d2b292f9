// Batch buckets: one Program per batch size (1, 2, 4, … max) over one set of weights.
//
// BucketPrograms compiles the programs, each by the layout plan that suits it, and shares them;
// BucketExecutor is one thread's memory for them.
// n examples are split into full buckets, largest first; only the rest is padded.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/backend/backend.h"
#include "core/compile/plan_chooser.h"
#include "core/graph/graph.h"
#include "core/runtime/executor.h"
#include "core/runtime/program.h"
#include "core/runtime/weights.h"

namespace fovea {

// The bucket that the first of n >= 1 examples run in; larger than n where the rest of it is
// padded. Pure. max_batch is a power of two.
int NextBucket(int n, int max_batch);
// The bucket sizes that run n examples, in order; the last may be larger than what is left of n.
std::vector<int> SplitIntoBuckets(int n, int max_batch);

// Programs of an inference graph with one input, pixels u8 [N,H,W,C] (or f32), and the outputs its
// graph marks (each [N, …]). All are compiled at creation, side by side. Immutable.
class BucketPrograms {
 public:
  struct Options {
    int max_batch = 32;  // rounded down to a power of two
    CompileOptions compile;
    // Chooses the layout plan of each batch, in place of compile's; null: nothing is timed.
    PlanChooser* plans = nullptr;
  };
  // InvalidArgument: max_batch is below 1, or the graph has no single input. Else the errors of
  // Compile and PlanChooser::Choose.
  static absl::StatusOr<std::shared_ptr<BucketPrograms>> Create(Graph graph,
                                                                std::shared_ptr<Weights> weights,
                                                                Options options);

  // By rising batch: 1, 2, 4, … max.
  const std::vector<BucketProgram>& buckets() const { return buckets_; }
  int max_batch() const { return max_batch_; }
  const std::shared_ptr<Weights>& weights() const { return weights_; }
  const Graph& graph() const { return graph_; }
  size_t example_bytes() const;                        // of the input, one example
  int64_t output_count(absl::string_view name) const;  // elements of an output, one example
  int64_t row_count() const;                           // elements of all outputs, one example

 private:
  BucketPrograms() = default;
  Graph graph_;
  std::shared_ptr<Weights> weights_;
  int max_batch_ = 1;
  std::vector<BucketProgram> buckets_;
};

// One thread's executors; their arenas overlap. Not thread-safe.
class BucketExecutor {
 public:
  static absl::StatusOr<std::unique_ptr<BucketExecutor>> Create(
      std::shared_ptr<BucketPrograms> programs);

  // Runs examples.size() examples; each pointer is one example's input, example_bytes() long.
  // Writes the outputs of the graph to `output`, row by row, one behind the other within a row (n ×
  // row_count floats).
  absl::Status Run(absl::Span<const uint8_t* const> examples, float* output);

  // FLOPs that the last Run executed, padding included.
  double last_flops() const { return last_flops_; }

 private:
  BucketExecutor() = default;
  std::shared_ptr<BucketPrograms> programs_;
  std::map<int, std::unique_ptr<Executor>> executors_;  // by batch
  double last_flops_ = 0;
};

}  // namespace fovea
