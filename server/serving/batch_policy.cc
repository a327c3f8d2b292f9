#include "server/serving/batch_policy.h"

#include <algorithm>
#include <bit>

namespace fovea {
namespace {

// A larger bucket has to be so much faster, image by image, to be waited for: the rest is noise.
constexpr double kWorthWaiting = 1.05;

// A wide run has to be so much faster than a narrow one.
constexpr double kWorthAllCores = 1.25;

// A batch is as good as a larger one that is faster, image by image, by no more than this.
constexpr double kAsGood = 1.03;

// After so many batches of executors a wide run is tried whatever was measured.
constexpr int kTryWideAgain = 64;

int CeilDivide(int a, int b) { return (a + b - 1) / b; }

bool RunsWide(const QueueState& state) {
  if (state.queued > state.wide_batch || !state.cores_free) return false;
  if (state.idle_executors < state.executors) return false;
  if (state.batches_since_wide >= kTryWideAgain) return true;
  const int share = CeilDivide(state.queued, std::max(state.executors, 1));
  return IsClearlyFaster(state.wide_times.Of(state.queued), state.times.Of(share));
}

BatchPlan PlanWithoutTarget(const BatchPolicy& policy, const QueueState& state) {
  int largest = policy.max_batch;
  const auto bucket = static_cast<int>(std::bit_floor(static_cast<unsigned>(policy.max_batch)));
  for (int size = bucket; size >= 1 && state.times.Of(size) > policy.max_compute; size /= 2) {
    largest = std::max(size / 2, 1);
  }
  return {.full = largest, .largest = largest, .delay = policy.max_delay};
}

BatchPlan PlanForTarget(const BatchPolicy& policy, const QueueState& state) {
  const absl::Duration lone = state.times.Of(1);
  if (lone <= absl::ZeroDuration()) return {.largest = policy.max_batch};  // nothing is known yet
  BatchPlan plan;
  for (int size = 1; size <= policy.max_batch; size *= 2) {
    const absl::Duration compute = state.times.Of(size);
    const absl::Duration delay = policy.target_p99 - 2 * compute;
    if (delay < absl::ZeroDuration()) break;
    plan.largest = size;
    const double expected = state.arrival_rate * absl::ToDoubleSeconds(delay);
    const double speedup =
        absl::FDivDuration(state.times.Of(plan.full), compute) * size / plan.full;
    if (expected < size - 1 || speedup < kWorthWaiting) continue;
    plan.full = plan.together = size;
    plan.delay = delay;
  }
  return plan;
}

}  // namespace

bool IsClearlyFaster(absl::Duration wide, absl::Duration narrow) {
  return wide * kWorthAllCores <= narrow;
}

BatchPlan PlanBatches(const BatchPolicy& policy, const QueueState& state) {
  return policy.target_p99 > absl::ZeroDuration() ? PlanForTarget(policy, state)
                                                  : PlanWithoutTarget(policy, state);
}

BatchDecision DecideBatch(const BatchPolicy& policy, const QueueState& state) {
  if (state.queued <= 0 || state.wide_running) return {0, absl::InfiniteDuration()};
  const BatchPlan plan = PlanBatches(policy, state);
  if (state.queued < plan.full) {
    const absl::Duration wait =
        std::min(plan.delay - state.oldest_wait, state.time_left - state.times.Of(state.queued));
    if (wait > absl::ZeroDuration()) return {0, wait};
  }
  if (RunsWide(state)) return {.take = state.queued, .wide = true};
  const int share = CeilDivide(state.queued, std::max(state.executors, 1));
  const int wanted = std::max(share, std::min(state.queued, plan.together));
  return {std::min(wanted, plan.largest), absl::ZeroDuration()};
}

int BestBatch(absl::Span<const absl::Duration> times) {
  const auto of_one = [&](size_t i) { return times[i] / (int64_t{1} << i); };
  absl::Duration shortest = absl::InfiniteDuration();
  for (size_t i = 0; i < times.size(); ++i) {
    if (times[i] > absl::ZeroDuration()) shortest = std::min(shortest, of_one(i));
  }
  for (size_t i = 0; i < times.size(); ++i) {
    if (times[i] > absl::ZeroDuration() && of_one(i) <= shortest * kAsGood) return 1 << i;
  }
  return 1 << (times.size() - 1);
}

int WellFilled(const BatchPolicy& policy, const QueueState& state) {
  return PlanBatches(policy, state).largest * std::max(state.executors, 1);
}

absl::Duration ExpectedTime(const BatchPolicy& policy, const QueueState& state, int count,
                            int undecoded) {
  const int executors = std::max(state.executors, 1);
  return state.times.Of(CeilDivide(count, executors), PlanBatches(policy, state).largest) +
         state.decode_time * CeilDivide(undecoded, executors);
}

namespace {

absl::Duration ExpectedWait(const BatchPolicy& policy, const QueueState& state,
                            const Newcomer& newcomer) {
  return ExpectedTime(policy, state, newcomer.ahead, newcomer.coming_ahead);
}

// From now to its answer.
absl::Duration ExpectedEnd(const BatchPolicy& policy, const QueueState& state,
                           const Newcomer& newcomer) {
  return ExpectedTime(policy, state, newcomer.ahead + newcomer.count,
                      newcomer.coming_ahead + (newcomer.decoded ? 0 : newcomer.count));
}

}  // namespace

Admission Admit(const BatchPolicy& policy, const QueueState& state, const Newcomer& newcomer) {
  const int kept = state.queued + state.coming - newcomer.displaceable;
  if (kept > 0 && kept + newcomer.count > policy.max_queue) return Admission::kFull;
  if (newcomer.ahead > 0 && !newcomer.patient &&
      ExpectedWait(policy, state, newcomer) > policy.max_wait) {
    return Admission::kFull;
  }
  if (newcomer.time_left <= absl::ZeroDuration()) return Admission::kLate;
  if (newcomer.ahead == 0 && state.idle_executors > 0 && !state.wide_running &&
      newcomer.count <= PlanBatches(policy, state).largest) {
    return Admission::kAccept;
  }
  return ExpectedEnd(policy, state, newcomer) > newcomer.time_left ? Admission::kLate
                                                                   : Admission::kAccept;
}

absl::Duration RetryDelay(const BatchPolicy& policy, const QueueState& state,
                          const Newcomer& newcomer, Admission refusal) {
  if (refusal == Admission::kFull) {
    const int waiting = state.queued + state.coming;
    const int excess = std::clamp(waiting + newcomer.count - policy.max_queue, 0, waiting);
    const absl::Duration until_room = ExpectedTime(policy, state, excess);
    if (newcomer.patient) return until_room;
    return std::max(until_room, ExpectedWait(policy, state, newcomer) - policy.max_wait);
  }
  const absl::Duration alone =
      ExpectedTime(policy, state, newcomer.count, newcomer.decoded ? 0 : newcomer.count);
  if (alone > newcomer.time_left) return absl::ZeroDuration();
  return ExpectedEnd(policy, state, newcomer) - newcomer.time_left;
}

}  // namespace fovea
