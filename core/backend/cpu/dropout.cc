// Dropout: the reference's mask, in parallel over dense values.
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

}  // namespace

absl::StatusOr<Lowered> LowerDropout(const NodeView& view, const Dropout& dropout) {
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
