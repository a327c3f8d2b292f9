// PlanCache: the layout plans that were found by timing, in files that the next load reads.
//
// One small text file for each key, named by its hash. A file that is damaged, or is not of this
// key, counts as missing. Thread-safe.
#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/backend/backend.h"
#include "core/base/file_system.h"
#include "core/tensor/type.h"

namespace fovea {

// All that a timing depends on, beside the batch.
struct PlanKey {
  std::string cpu;           // DescribeCpu()
  std::string kernels;       // Backend::KernelVersions()
  std::string graph;         // a hash of its text, before the passes
  int width = 1;             // threads
  DType type = DType::kF32;  // that it computes in

  std::string ToText() const;  // whole lines
};

struct TimedPlan {
  LayoutPlan plan = LayoutPlan::kDefault;
  double seconds = 0;  // of a run; 0: too slow to be timed

  bool operator==(const TimedPlan&) const = default;
};

// By batch.
using TimedPlans = std::map<int, TimedPlan>;

// A file's text, and back: empty when it is not one of this key.
std::string FormatPlans(const PlanKey& key, const TimedPlans& plans);
TimedPlans ParsePlans(const PlanKey& key, absl::string_view text);

class PlanCache {
 public:
  // `folder` is made when there is something to store.
  PlanCache(FileSystem* files, std::string folder) : files_(files), folder_(std::move(folder)) {}

  TimedPlans Find(const PlanKey& key) const;
  // Replaces what was stored. Errors are those of the file system.
  absl::Status Store(const PlanKey& key, const TimedPlans& plans) const;

 private:
  std::string PathOf(const PlanKey& key) const;

  FileSystem* const files_;
  const std::string folder_;
};

}  // namespace fovea
