// Calibrator: finds the Quantization of a net by running it on examples.
//
// Weights get the scale that holds the largest one of each output channel. Of all other values the
// range is the magnitude that a share of them does not exceed: a few outliers would cost all others
// their precision. Source: Wu et al. 2020, "Integer quantization for deep learning inference",
// section 3.2 (per channel) and 3.3 (percentile).
// Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/compile/value_range.h"
#include "core/graph/graph.h"
#include "core/graph/quantization.h"
#include "core/runtime/executor.h"
#include "core/runtime/weights.h"

namespace fovea {

class Calibrator {
 public:
  // `graph`: of inference, with one input, u8. width: threads; 0: all of the CPU budget.
  static absl::StatusOr<std::unique_ptr<Calibrator>> Create(const Graph& graph,
                                                            std::shared_ptr<Weights> weights,
                                                            int width);

  // Runs one example and looks at every value.
  absl::Status Observe(const uint8_t* pixels);

  // `share`, in (0, 1], of a tensor's values are within its range. FailedPrecondition: nothing was
  // observed.
  absl::StatusOr<Quantization> Find(double share) const;

 private:
  Calibrator() = default;

  std::unique_ptr<Executor> executor_;
  std::vector<bool> is_weight_;     // by output
  std::vector<ValueRange> ranges_;  // by output; of weights unused
  int64_t examples_ = 0;
};

}  // namespace fovea
