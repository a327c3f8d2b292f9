// Batch buckets: one Program per batch size (1, 2, 4, … max) over one set of weights.
//
// BucketPrograms compiles and shares the programs; BucketExecutor is one thread's memory for them.
// n examples are split into full buckets, largest first; only the rest is padded.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "core/backend/backend.h"
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
// graph marks (each [N, …]). Thread-safe. Batches 1 and max are compiled at creation, others at
// first use.
class BucketPrograms {
 public:
  struct Options {
    int max_batch = 32;  // rounded down to a power of two
    CompileOptions compile;
  };
  static absl::StatusOr<std::shared_ptr<BucketPrograms>> Create(Graph graph,
                                                                std::shared_ptr<Weights> weights,
                                                                Options options);

  absl::StatusOr<std::shared_ptr<const Program>> Get(int batch);
  int max_batch() const { return options_.max_batch; }
  const std::shared_ptr<Weights>& weights() const { return weights_; }
  const Graph& graph() const { return graph_; }
  size_t example_bytes() const;                        // of the input, one example
  int64_t output_count(absl::string_view name) const;  // elements of an output, one example
  int64_t row_count() const;                           // elements of all outputs, one example

 private:
  BucketPrograms() = default;
  Graph graph_;
  std::shared_ptr<Weights> weights_;
  Options options_;
  absl::Mutex mutex_;
  std::map<int, std::shared_ptr<const Program>> programs_ ABSL_GUARDED_BY(mutex_);
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
  absl::StatusOr<Executor*> Get(int batch);

  std::shared_ptr<BucketPrograms> programs_;
  std::shared_ptr<Buffer> arena_;
  std::map<int, std::unique_ptr<Executor>> executors_;
  double last_flops_ = 0;
};

}  // namespace fovea
