// PlanMemory: which buffers share which bytes. Pure.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/types/span.h"

namespace fovea {

// A buffer that must keep its contents from step `first` to step `last`, both included.
struct Usage {
  int first = 0;
  int last = 0;
  size_t bytes = 0;
};

struct MemoryPlan {
  std::vector<size_t> offsets;  // one per usage, multiples of 64
  size_t total_bytes = 0;
};

// Gives every usage an offset so that usages whose lifetimes overlap do not overlap in memory.
// Greedy by size: the largest first, each at the lowest offset that fits between those already
// placed (Pisarchyk and Lee 2020, "Efficient memory management for deep neural net inference").
MemoryPlan PlanMemory(absl::Span<const Usage> usages);

}  // namespace fovea
