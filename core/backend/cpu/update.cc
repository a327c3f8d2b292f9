// The optimizers' updates: one pass over the whole regions.
#include <cstring>

#include "core/backend/cpu/host_kernel.h"
#include "core/backend/cpu/lower.h"
#include "core/ops/update_rules.h"

namespace fovea::cpu {
namespace {

constexpr int64_t kGrain = 4096;

FOVEA_MULTIVERSION
void SgdRange(const SgdMomentum& rule, float decay, float rate, const float* gradient,
              float* __restrict parameter, float* __restrict velocity, int64_t count) {
  const float momentum = rule.momentum;
  if (rule.nesterov) {
    for (int64_t i = 0; i < count; ++i) {
      ops::SgdMomentumRule(gradient[i], decay, momentum, true, rate, &parameter[i], &velocity[i]);
    }
  } else {
    for (int64_t i = 0; i < count; ++i) {
      ops::SgdMomentumRule(gradient[i], decay, momentum, false, rate, &parameter[i], &velocity[i]);
    }
  }
}

struct AdamStep {
  float beta1, beta2, epsilon, correction1, correction2, rate;
};

FOVEA_MULTIVERSION
void AdamRange(const AdamStep& step, float decay, const float* gradient,
               float* __restrict parameter, float* __restrict first, float* __restrict second,
               int64_t count) {
  const AdamStep s = step;
  for (int64_t i = 0; i < count; ++i) {
    ops::AdamRule(gradient[i], decay, s.beta1, s.beta2, s.epsilon, s.correction1, s.correction2,
                  s.rate, &parameter[i], &first[i], &second[i]);
  }
}

// Calls update(begin, end, decay) on ranges in parallel; weight decay stops at `decayed`.
template <typename Update>
void ForRegion(int64_t count, int64_t decayed, float weight_decay, const Update& update) {
  ParallelRanges(count, kGrain, [&](int64_t begin, int64_t end) {
    const int64_t middle = std::clamp(decayed, begin, end);
    if (begin < middle) update(begin, middle, weight_decay);
    if (middle < end) update(middle, end, 0.0f);
  });
}

// Input and output are one region, which the rules overwrite in place; where they are two, the
// output begins as a copy.
float* InPlace(const float* input, float* output, int64_t count) {
  if (input != output) std::memcpy(output, input, count * sizeof(float));
  return output;
}

}  // namespace

absl::StatusOr<Lowered> LowerSgdMomentum(const NodeView& view, const SgdMomentum& rule) {
  const int64_t count = view.in(0).dims.count();
  return LowerHost("fovea:sgd_momentum", [=](Addresses in, Addresses out) {
    const float* gradient = At<float>(in, 1);
    const float rate = *At<float>(in, 3);
    float* parameter = InPlace(At<float>(in, 0), At<float>(out, 0), count);
    float* velocity = InPlace(At<float>(in, 2), At<float>(out, 1), count);
    ForRegion(count, rule.decayed, rule.weight_decay, [&](int64_t begin, int64_t end, float decay) {
      SgdRange(rule, decay, rate, gradient + begin, parameter + begin, velocity + begin,
               end - begin);
    });
  });
}

absl::StatusOr<Lowered> LowerAdam(const NodeView& view, const Adam& rule) {
  const int64_t count = view.in(0).dims.count();
  return LowerHost("fovea:adam", [=](Addresses in, Addresses out) {
    const float* gradient = At<float>(in, 1);
    const int64_t step = *At<int64_t>(in, 5);
    float* parameter = InPlace(At<float>(in, 0), At<float>(out, 0), count);
    float* first = InPlace(At<float>(in, 2), At<float>(out, 1), count);
    float* second = InPlace(At<float>(in, 3), At<float>(out, 2), count);
    const AdamStep s = {rule.beta1,
                        rule.beta2,
                        rule.epsilon,
                        static_cast<float>(ops::AdamCorrection(rule.beta1, step)),
                        static_cast<float>(ops::AdamCorrection(rule.beta2, step)),
                        *At<float>(in, 4)};
    ForRegion(count, rule.decayed, rule.weight_decay, [&](int64_t begin, int64_t end, float decay) {
      AdamRange(s, decay, gradient + begin, parameter + begin, first + begin, second + begin,
                end - begin);
    });
  });
}

}  // namespace fovea::cpu
