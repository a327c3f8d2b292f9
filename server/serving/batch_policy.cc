#include "server/serving/batch_policy.h"

#include <algorithm>

namespace fovea {
namespace {

int CeilDivide(int a, int b) { return (a + b - 1) / b; }

// The most images that one batch takes by size and time.
int LargestBatch(const BatchPolicy& policy, absl::Duration per_example) {
  if (per_example <= absl::ZeroDuration()) return policy.max_batch;
  const double fitting = absl::FDivDuration(policy.target_time, per_example);
  return static_cast<int>(std::clamp(fitting, 1.0, static_cast<double>(policy.max_batch)));
}

}  // namespace

BatchDecision DecideBatch(const BatchPolicy& policy, const QueueState& state) {
  if (state.queued <= 0) return {0, absl::InfiniteDuration()};
  const int largest = LargestBatch(policy, state.per_example);
  if (state.queued < largest && state.oldest_wait < policy.max_delay) {
    return {0, policy.max_delay - state.oldest_wait};
  }
  const int share = CeilDivide(state.queued, std::max(state.idle_executors, 1));
  return {std::min(largest, share), absl::ZeroDuration()};
}

absl::Duration ExpectedTime(const QueueState& state, int count) {
  return state.per_example * CeilDivide(state.queued + count, std::max(state.executors, 1));
}

Admission Admit(const BatchPolicy& policy, const QueueState& state, int count,
                absl::Duration time_left) {
  if (state.queued > 0 && state.queued + count > policy.max_queue) return Admission::kFull;
  if (time_left <= absl::ZeroDuration() || ExpectedTime(state, count) > time_left) {
    return Admission::kLate;
  }
  return Admission::kAccept;
}

}  // namespace fovea
