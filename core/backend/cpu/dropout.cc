// Dropout: the reference's mask, in parallel over dense values, or example by example in any
// layout.
#include <cstring>

#include "core/backend/cpu/host_kernel.h"
#include "core/backend/cpu/lower.h"
#include "core/base/random.h"

namespace fovea::cpu {
namespace {

FOVEA_MULTIVERSION
void DropoutRange(uint64_t key, float rate, const float* x, float* y, int64_t begin, int64_t end) {
  const float scale = 1.0f / (1.0f - rate);
  for (int64_t i = begin; i < end; ++i) {
    const float draw = UniformFloat(HashKey(key, static_cast<uint64_t>(i)));
    y[i] = draw >= rate ? x[i] * scale : 0.0f;
  }
}

FOVEA_MULTIVERSION
void ScaleExample(float scale, const float* x, float* y, int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] = x[i] * scale;
}

// Stochastic depth: examples lie one behind the other in every layout.
Lowered LowerDropExamples(const NodeView& view, const Dropout& dropout) {
  const int64_t examples = view.in(0).dims[0], count = PaddedCount(view.in(0)) / examples;
  const bool training = view.node.inputs.size() == 3;
  Lowered lowered = LowerHost("fovea:drop_examples", [=](Addresses in, Addresses out) {
    const float* x = At<float>(in, 0);
    float* y = At<float>(out, 0);
    if (!training) {
      if (x != y) std::memcpy(y, x, examples * count * sizeof(float));
      return;
    }
    const uint64_t seed = *At<uint64_t>(in, 1), step = *At<uint64_t>(in, 2);
    const uint64_t key = HashKey(seed, step, dropout.salt);
    const float scale = 1.0f / (1.0f - dropout.rate);
    ParallelRanges(examples, 1, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const bool kept = UniformFloat(HashKey(key, static_cast<uint64_t>(n))) >= dropout.rate;
        if (kept) {
          ScaleExample(scale, x + n * count, y + n * count, count);
        } else {
          std::memset(y + n * count, 0, count * sizeof(float));
        }
      }
    });
  });
  lowered.may_overwrite_input = 0;
  return lowered;
}

}  // namespace

absl::StatusOr<Lowered> LowerDropout(const NodeView& view, const Dropout& dropout) {
  if (dropout.per_example) return LowerDropExamples(view, dropout);
  const int64_t count = view.in(0).dims.count();
  const bool training = view.node.inputs.size() == 3;
  Lowered lowered = LowerHost("fovea:dropout", [=](Addresses in, Addresses out) {
    const float* x = At<float>(in, 0);
    float* y = At<float>(out, 0);
    if (!training) {
      if (x != y) std::memcpy(y, x, count * sizeof(float));
      return;
    }
    const uint64_t seed = *At<uint64_t>(in, 1), step = *At<uint64_t>(in, 2);
    const uint64_t key = HashKey(seed, step, dropout.salt);
    ParallelRanges(count, 1024, [&](int64_t begin, int64_t end) {
      DropoutRange(key, dropout.rate, x, y, begin, end);
    });
  });
  lowered.may_overwrite_input = 0;
  return lowered;
}

}  // namespace fovea::cpu
