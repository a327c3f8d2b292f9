// Add, activations and their gradients, in one pass over the padded memory of equal layouts.
//
// Padding stays zero: where f(0) is not 0, the padded channels are cleared afterwards.
#include "core/backend/cpu/host_kernel.h"
#include "core/backend/cpu/layouts.h"
#include "core/backend/cpu/lower.h"
#include "core/ops/activation.h"

namespace fovea::cpu {
namespace {

constexpr int64_t kGrain = 4096;  // floats a thread takes at least: 16 KiB

// Calls f(spec) with a spec whose kind the compiler knows, so that the loop in f has no branch.
template <typename F>
__attribute__((always_inline)) inline void WithKind(const ActivationSpec& spec, F f) {
  const float alpha = spec.alpha, beta = spec.beta;
  switch (spec.kind) {
    case Activation::kNone:
      return f(ActivationSpec{Activation::kNone, alpha, beta});
    case Activation::kRelu:
      return f(ActivationSpec{Activation::kRelu, alpha, beta});
    case Activation::kLeakyRelu:
      return f(ActivationSpec{Activation::kLeakyRelu, alpha, beta});
    case Activation::kSigmoid:
      return f(ActivationSpec{Activation::kSigmoid, alpha, beta});
    case Activation::kTanh:
      return f(ActivationSpec{Activation::kTanh, alpha, beta});
    case Activation::kClip:
      return f(ActivationSpec{Activation::kClip, alpha, beta});
  }
}

FOVEA_MULTIVERSION
void ActivateRange(const ActivationSpec& spec, const float* x, float* y, int64_t count) {
  WithKind(
      spec, [&](ActivationSpec kind) __attribute__((always_inline)) {
        for (int64_t i = 0; i < count; ++i) y[i] = ops::ApplyActivation(kind, x[i]);
      });
}

FOVEA_MULTIVERSION
void AddRange(const ActivationSpec& spec, const float* a, const float* b, float* y, int64_t count) {
  WithKind(
      spec, [&](ActivationSpec kind) __attribute__((always_inline)) {
        for (int64_t i = 0; i < count; ++i) y[i] = ops::ApplyActivation(kind, a[i] + b[i]);
      });
}

FOVEA_MULTIVERSION
void ActivateBackwardRange(const ActivationSpec& spec, const float* y, const float* dy, float* dx,
                           int64_t count) {
  WithKind(
      spec, [&](ActivationSpec kind) __attribute__((always_inline)) {
        for (int64_t i = 0; i < count; ++i) dx[i] = ops::ActivationGradient(kind, y[i], dy[i]);
      });
}

// Clears the channels behind the last one, in the last block of every example.
void ZeroPaddedChannels(const Type& type, float* y) {
  const int64_t block = BlockChannels(), used = type.dims[1] % block;
  const int64_t blocks = (type.dims[1] + block - 1) / block;
  const int64_t pixels = type.dims[2] * type.dims[3];
  ParallelRanges(type.dims[0], 1, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      float* last = y + ((n + 1) * blocks - 1) * pixels * block;
      for (int64_t p = 0; p < pixels; ++p) {
        std::fill(last + p * block + used, last + (p + 1) * block, 0.0f);
      }
    }
  });
}

bool NeedsZeroing(const Type& type, const ActivationSpec& spec) {
  return HasPaddedChannels(type) && ops::ApplyActivation(spec, 0.0f) != 0.0f;
}

}  // namespace

absl::StatusOr<Lowered> LowerAdd(const NodeView& view, const Add& add) {
  const Type type = view.out(0);
  const int64_t count = PaddedCount(type);
  const bool zero = NeedsZeroing(type, add.activation);
  Lowered lowered = LowerHost("fovea:add", [=](Addresses in, Addresses out) {
    const float *a = At<float>(in, 0), *b = At<float>(in, 1);
    float* y = At<float>(out, 0);
    ParallelRanges(count, kGrain, [&](int64_t begin, int64_t end) {
      AddRange(add.activation, a + begin, b + begin, y + begin, end - begin);
    });
    if (zero) ZeroPaddedChannels(type, y);
  });
  lowered.may_overwrite_input = 0;
  return lowered;
}

absl::StatusOr<Lowered> LowerActivate(const NodeView& view, const Activate& activate) {
  const Type type = view.out(0);
  const int64_t count = PaddedCount(type);
  const bool zero = NeedsZeroing(type, activate.activation);
  Lowered lowered = LowerHost("fovea:activate", [=](Addresses in, Addresses out) {
    const float* x = At<float>(in, 0);
    float* y = At<float>(out, 0);
    ParallelRanges(count, kGrain, [&](int64_t begin, int64_t end) {
      ActivateRange(activate.activation, x + begin, y + begin, end - begin);
    });
    if (zero) ZeroPaddedChannels(type, y);
  });
  lowered.may_overwrite_input = 0;
  return lowered;
}

absl::StatusOr<Lowered> LowerActivateBackward(const NodeView& view,
                                              const ActivateBackward& activate) {
  const int64_t count = PaddedCount(view.out(0));
  Lowered lowered = LowerHost("fovea:activate_backward", [=](Addresses in, Addresses out) {
    const float *y = At<float>(in, 0), *dy = At<float>(in, 1);
    float* dx = At<float>(out, 0);
    ParallelRanges(count, kGrain, [&](int64_t begin, int64_t end) {
      ActivateBackwardRange(activate.activation, y + begin, dy + begin, dx + begin, end - begin);
    });
  });
  lowered.may_overwrite_input = 1;
  return lowered;
}

}  // namespace fovea::cpu
