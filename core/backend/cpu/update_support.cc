// What stands around an update: the norm of the gradients, their sum over batches, and the moving
// average of the weights. One pass over whole regions each.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/backend/cpu/host_kernel.h"
#include "core/backend/cpu/lower.h"

namespace fovea::cpu {
namespace {

constexpr int64_t kGrain = 4096;

// The sum of squares is taken in parts that do not depend on the number of threads, each in
// kLanes interleaved sums that the compiler keeps in vectors, and then over all parts in order: the
// same bits at every width. The sums are double, since float loses the small gradients of a large
// net.
constexpr int64_t kParts = 64;
constexpr int64_t kLanes = 16;

FOVEA_MULTIVERSION
double SumOfSquares(const float* values, float limit, int64_t count) {
  double sums[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const float g = values[i + lane];
      const double clipped = std::abs(g) > limit ? limit : g;
      sums[lane] += clipped * clipped;
    }
  }
  double sum = 0;
  for (; i < count; ++i) {
    const double clipped = std::abs(values[i]) > limit ? limit : values[i];
    sum += clipped * clipped;
  }
  for (const double lane : sums) sum += lane;
  return sum;
}

double Norm(const float* values, float limit, int64_t count) {
  // Multiples of the lanes, so that all parts but the last are whole vectors.
  const int64_t part = (count + kParts * kLanes - 1) / (kParts * kLanes) * kLanes;
  std::array<double, kParts> sums = {};
  ParallelRanges(kParts, std::max<int64_t>(1, kGrain / std::max<int64_t>(part, 1)),
                 [&](int64_t first, int64_t last) {
                   for (int64_t k = first; k < last; ++k) {
                     const int64_t begin = std::min(k * part, count);
                     const int64_t end = std::min(begin + part, count);
                     sums[k] = SumOfSquares(values + begin, limit, end - begin);
                   }
                 });
  double sum = 0;
  for (const double one : sums) sum += one;
  return std::sqrt(sum);
}

FOVEA_MULTIVERSION
void AddShare(const float* gradient, float* __restrict sum, float share, bool first,
              int64_t count) {
  if (first) {
    for (int64_t i = 0; i < count; ++i) sum[i] = gradient[i] / share;
  } else {
    for (int64_t i = 0; i < count; ++i) sum[i] += gradient[i] / share;
  }
}

FOVEA_MULTIVERSION
void Blend(const float* values, float* __restrict average, float weight, int64_t count) {
  for (int64_t i = 0; i < count; ++i) average[i] += weight * (values[i] - average[i]);
}

}  // namespace

absl::StatusOr<Lowered> LowerNormScale(const NodeView& view, const NormScale& op) {
  const int64_t count = view.in(0).dims.count();
  const float limit = op.clip_value > 0 ? op.clip_value : std::numeric_limits<float>::infinity();
  return LowerHost("fovea:norm_scale", [=](Addresses in, Addresses out) {
    const double norm = Norm(At<float>(in, 0), limit, count);
    *At<float>(out, 0) = norm <= op.max_norm ? 1.0f : static_cast<float>(op.max_norm / norm);
  });
}

absl::StatusOr<Lowered> LowerSumGradients(const NodeView& view, const SumGradients& op) {
  const int64_t count = view.in(0).dims.count();
  return LowerHost("fovea:sum_gradients", [=](Addresses in, Addresses out) {
    const float* gradient = At<float>(in, 0);
    float* sum = InPlace(At<float>(in, 1), At<float>(out, 0), count);
    const bool first = *At<int64_t>(in, 2) % op.count == 0;
    ParallelRanges(count, kGrain, [&](int64_t begin, int64_t end) {
      AddShare(gradient + begin, sum + begin, static_cast<float>(op.count), first, end - begin);
    });
  });
}

absl::StatusOr<Lowered> LowerMovingAverage(const NodeView& view) {
  const int64_t count = view.in(0).dims.count();
  return LowerHost("fovea:moving_average", [=](Addresses in, Addresses out) {
    const float* values = At<float>(in, 0);
    float* average = InPlace(At<float>(in, 1), At<float>(out, 0), count);
    const float weight = *At<float>(in, 2);
    ParallelRanges(count, kGrain, [&](int64_t begin, int64_t end) {
      Blend(values + begin, average + begin, weight, end - begin);
    });
  });
}

}  // namespace fovea::cpu
