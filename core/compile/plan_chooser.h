// PlanChooser: the layout plan by which each batch of a net runs fastest here, found by timing and
// remembered.
//
// Shared by all loads. Timings disturb each other, so one load at a time is timed; a load whose
// plans are remembered does not wait for it. Thread-safe.
#pragma once

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "core/backend/backend.h"
#include "core/base/cancel.h"
#include "core/compile/compile_all.h"
#include "core/compile/fastest.h"
#include "core/compile/plan_cache.h"
#include "core/graph/graph.h"
#include "core/runtime/program.h"
#include "core/runtime/weights.h"

namespace fovea {

// The program of one batch size.
struct BucketProgram {
  int batch = 1;
  std::shared_ptr<const Program> program;
  double seconds = 0;  // of a run when its plan was chosen; 0: it was not timed
};

class PlanChooser {
 public:
  struct Options {
    const PlanCache* cache = nullptr;     // null: nothing is remembered
    CoreGate gate = nullptr;              // every compilation and every timed run goes through it
    const CancelToken* cancel = nullptr;  // null: never
    RaceOptions race = {};                // of each batch
  };
  explicit PlanChooser(Options options) : options_(std::move(options)) {}

  // The programs of an inference graph with one input, for rising batch sizes. The candidates are
  // the plans of kLayoutPlans that differ in what runs, in that order; `compile` gives the rest. A
  // batch too large to be timed within `race` has the plan of the batch before it.
  // Runs on `weights`, which no other executor may use meanwhile and which keep packed copies for
  // the returned programs only. At a time there are the executors of two candidates, in one arena.
  // Cancelled; else the errors of Compile (when no plan compiles) and Executor.
  absl::StatusOr<std::vector<BucketProgram>> Choose(const Graph& graph,
                                                    const std::vector<int>& batches,
                                                    const std::shared_ptr<Weights>& weights,
                                                    const CompileOptions& compile)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  TimedPlans Remembered(const PlanKey& key) const;
  void Remember(const PlanKey& key, const TimedPlans& plans) const;

  const Options options_;
  absl::Mutex mutex_;  // held while timing
};

}  // namespace fovea
