#include "core/compile/memory_plan.h"

#include <algorithm>
#include <numeric>

namespace fovea {
namespace {

constexpr size_t kAlignment = 64;

size_t Align(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

bool Overlap(const Usage& a, const Usage& b) { return a.first <= b.last && b.first <= a.last; }

}  // namespace

MemoryPlan PlanMemory(absl::Span<const Usage> usages) {
  std::vector<size_t> order(usages.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return usages[a].bytes > usages[b].bytes; });

  MemoryPlan plan;
  plan.offsets.assign(usages.size(), 0);
  std::vector<size_t> placed;  // sorted by offset
  for (size_t index : order) {
    const size_t bytes = Align(usages[index].bytes);
    size_t offset = 0;
    for (size_t other : placed) {
      if (!Overlap(usages[index], usages[other])) continue;
      if (offset + bytes <= plan.offsets[other]) break;  // fits before `other`
      offset = std::max(offset, plan.offsets[other] + Align(usages[other].bytes));
    }
    plan.offsets[index] = offset;
    plan.total_bytes = std::max(plan.total_bytes, offset + bytes);
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), index,
                         [&](size_t a, size_t b) { return plan.offsets[a] < plan.offsets[b]; }),
        index);
  }
  return plan;
}

}  // namespace fovea
