// Add, activations and their gradients, in one pass over the padded memory of equal layouts.
//
// Padding stays zero: where f(0) is not 0, the padded channels are cleared afterwards. The loops
// are plain code that vectorises; activations whose exponential would be a call a value are
// oneDNN's (eltwise.cc).
#include <type_traits>

#include "core/backend/cpu/host_kernel.h"
#include "core/backend/cpu/layouts.h"
#include "core/backend/cpu/lower.h"
#include "core/backend/cpu/vectors.h"
#include "core/ops/activation.h"
#include "core/tensor/half.h"

namespace fovea::cpu {
namespace {

constexpr int64_t kGrain = 4096;  // floats a thread takes at least: 16 KiB

// Calls f(kind) with the kind as a constant of its type, so that the loop in f has no branch. A
// spec with the kind in a variable does not do: compilers then leave the branches of ReLU in the
// loop.
template <typename F>
__attribute__((always_inline)) inline void WithKind(Activation kind, F f) {
  switch (kind) {
#define FOVEA_CASE(name) \
  case Activation::name: \
    return f(std::integral_constant<Activation, Activation::name>())
    FOVEA_CASE(kNone);
    FOVEA_CASE(kRelu);
    FOVEA_CASE(kLeakyRelu);
    FOVEA_CASE(kSigmoid);
    FOVEA_CASE(kTanh);
    FOVEA_CASE(kClip);
    FOVEA_CASE(kElu);
    FOVEA_CASE(kSelu);
    FOVEA_CASE(kGelu);
    FOVEA_CASE(kSilu);
    FOVEA_CASE(kHardSigmoid);
    FOVEA_CASE(kHardSwish);
    FOVEA_CASE(kSoftplus);
#undef FOVEA_CASE
  }
}

// One loop for each storage type, each compiled for several instruction sets; arithmetic in float.
template <typename T>
__attribute__((always_inline)) inline void ActivateLoop(const ActivationSpec& spec, const T* x,
                                                        T* y, int64_t count) {
  const float alpha = spec.alpha, beta = spec.beta;
  WithKind(
      spec.kind, [=](auto kind) __attribute__((always_inline)) {
        for (int64_t i = 0; i < count; ++i) {
          const ActivationSpec constant{kind(), alpha, beta};
          y[i] = FromFloat<T>(ops::ApplyActivation(constant, ToFloat(x[i])));
        }
      });
}

template <typename T>
__attribute__((always_inline)) inline void AddLoop(const ActivationSpec& spec, const T* a,
                                                   const T* b, T* y, int64_t count) {
  const float alpha = spec.alpha, beta = spec.beta;
  WithKind(
      spec.kind, [=](auto kind) __attribute__((always_inline)) {
        for (int64_t i = 0; i < count; ++i) {
          const ActivationSpec constant{kind(), alpha, beta};
          y[i] = FromFloat<T>(ops::ApplyActivation(constant, ToFloat(a[i]) + ToFloat(b[i])));
        }
      });
}

template <typename T>
__attribute__((always_inline)) inline void ActivateBackwardLoop(const ActivationSpec& spec,
                                                                const T* v, const T* dy, T* dx,
                                                                int64_t count) {
  const float alpha = spec.alpha, beta = spec.beta;
  WithKind(
      spec.kind, [=](auto kind) __attribute__((always_inline)) {
        for (int64_t i = 0; i < count; ++i) {
          const ActivationSpec constant{kind(), alpha, beta};
          dx[i] = FromFloat<T>(ops::ActivationGradient(constant, ToFloat(v[i]), ToFloat(dy[i])));
        }
      });
}

FOVEA_MULTIVERSION
void ActivateRange(const ActivationSpec& spec, const float* x, float* y, int64_t count) {
  ActivateLoop(spec, x, y, count);
}
FOVEA_MULTIVERSION
void ActivateRange(const ActivationSpec& spec, const Bf16* x, Bf16* y, int64_t count) {
  ActivateLoop(spec, x, y, count);
}

FOVEA_MULTIVERSION
void AddRange(const ActivationSpec& spec, const float* a, const float* b, float* y, int64_t count) {
  AddLoop(spec, a, b, y, count);
}
FOVEA_MULTIVERSION
void AddWithAnyActivation(const ActivationSpec& spec, const Bf16* a, const Bf16* b, Bf16* y,
                          int64_t count) {
  AddLoop(spec, a, b, y, count);
}

// The sums of training in bf16, with the processor's own rounding: half the time of the loops.
template <bool kRelu>
FOVEA_AVX512 void AddVectors(const Bf16* a, const Bf16* b, Bf16* y, int64_t count) {
  const int64_t whole = count / kLanes * kLanes;
  for (int64_t i = 0; i < whole; i += kLanes) {
    const Vector sum = Load(a + i) + Load(b + i);
    Store(kRelu ? (sum > 0 ? sum : Vector{}) : sum, y + i);
  }
  for (int64_t i = whole; i < count; ++i) {
    const float sum = ToFloat(a[i]) + ToFloat(b[i]);
    y[i] = FromFloat<Bf16>(kRelu && sum <= 0 ? 0 : sum);
  }
}

FOVEA_AVX512 void ReluBackwardVectors(const Bf16* v, const Bf16* dy, Bf16* dx, int64_t count) {
  const int64_t whole = count / kLanes * kLanes;
  for (int64_t i = 0; i < whole; i += kLanes) {
    Store(Load(v + i) > 0 ? Load(dy + i) : Vector{}, dx + i);
  }
  for (int64_t i = whole; i < count; ++i) dx[i] = ToFloat(v[i]) > 0 ? dy[i] : Bf16{};
}

void AddRange(const ActivationSpec& spec, const Bf16* a, const Bf16* b, Bf16* y, int64_t count) {
  if (HasBf16() && spec.kind == Activation::kNone) return AddVectors<false>(a, b, y, count);
  if (HasBf16() && spec.kind == Activation::kRelu) return AddVectors<true>(a, b, y, count);
  AddWithAnyActivation(spec, a, b, y, count);
}

FOVEA_MULTIVERSION
void ActivateBackwardRange(const ActivationSpec& spec, const float* v, const float* dy, float* dx,
                           int64_t count) {
  ActivateBackwardLoop(spec, v, dy, dx, count);
}
FOVEA_MULTIVERSION
void AnyActivationBackward(const ActivationSpec& spec, const Bf16* v, const Bf16* dy, Bf16* dx,
                           int64_t count) {
  ActivateBackwardLoop(spec, v, dy, dx, count);
}
void ActivateBackwardRange(const ActivationSpec& spec, const Bf16* v, const Bf16* dy, Bf16* dx,
                           int64_t count) {
  if (HasBf16() && spec.kind == Activation::kRelu) return ReluBackwardVectors(v, dy, dx, count);
  AnyActivationBackward(spec, v, dy, dx, count);
}

// Clears the channels behind the last one, in the last block of every example.
template <typename T>
void ZeroPaddedChannels(const Type& type, T* y) {
  const int64_t block = BlockChannels(), used = type.dims[1] % block;
  const int64_t blocks = (type.dims[1] + block - 1) / block;
  const int64_t pixels = type.dims[2] * type.dims[3];
  ParallelRanges(type.dims[0], 1, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      T* last = y + ((n + 1) * blocks - 1) * pixels * block;
      for (int64_t p = 0; p < pixels; ++p) {
        std::fill(last + p * block + used, last + (p + 1) * block, T{});
      }
    }
  });
}

bool NeedsZeroing(const Type& type, const ActivationSpec& spec) {
  return HasPaddedChannels(type) && ops::ApplyActivation(spec, 0.0f) != 0.0f;
}

template <typename T>
Lowered AddOf(const Type& type, const Add& add) {
  const int64_t count = PaddedCount(type);
  const bool zero = NeedsZeroing(type, add.activation);
  Lowered lowered = LowerHost("fovea:add", [=](Addresses in, Addresses out) {
    const T *a = At<T>(in, 0), *b = At<T>(in, 1);
    T* y = At<T>(out, 0);
    ParallelRanges(count, kGrain, [&](int64_t begin, int64_t end) {
      AddRange(add.activation, a + begin, b + begin, y + begin, end - begin);
    });
    if (zero) ZeroPaddedChannels(type, y);
  });
  lowered.may_overwrite_input = 0;
  return lowered;
}

template <typename T>
Lowered ActivateOf(const Type& type, const Activate& activate) {
  const int64_t count = PaddedCount(type);
  const bool zero = NeedsZeroing(type, activate.activation);
  Lowered lowered = LowerHost("fovea:activate", [=](Addresses in, Addresses out) {
    const T* x = At<T>(in, 0);
    T* y = At<T>(out, 0);
    ParallelRanges(count, kGrain, [&](int64_t begin, int64_t end) {
      ActivateRange(activate.activation, x + begin, y + begin, end - begin);
    });
    if (zero) ZeroPaddedChannels(type, y);
  });
  lowered.may_overwrite_input = 0;
  return lowered;
}

template <typename T>
Lowered ActivateBackwardOf(const Type& type, const ActivateBackward& activate) {
  const int64_t count = PaddedCount(type);
  Lowered lowered = LowerHost("fovea:activate_backward", [=](Addresses in, Addresses out) {
    const T *v = At<T>(in, 0), *dy = At<T>(in, 1);
    T* dx = At<T>(out, 0);
    ParallelRanges(count, kGrain, [&](int64_t begin, int64_t end) {
      ActivateBackwardRange(activate.activation, v + begin, dy + begin, dx + begin, end - begin);
    });
  });
  lowered.may_overwrite_input = 1;
  return lowered;
}

}  // namespace

absl::StatusOr<Lowered> LowerAdd(const NodeView& view, const Add& add) {
  const Type type = view.out(0);
  return type.dtype == DType::kBF16 ? AddOf<Bf16>(type, add) : AddOf<float>(type, add);
}

absl::StatusOr<Lowered> LowerActivate(const NodeView& view, const Activate& activate) {
  if (HasEltwisePrimitive(activate.activation.kind)) return LowerEltwise(view, activate.activation);
  const Type type = view.out(0);
  return type.dtype == DType::kBF16 ? ActivateOf<Bf16>(type, activate)
                                    : ActivateOf<float>(type, activate);
}

absl::StatusOr<Lowered> LowerActivateBackward(const NodeView& view,
                                              const ActivateBackward& activate) {
  const Activation activation = activate.activation.kind;
  if (HasEltwisePrimitive(activation) && DerivativeNeedsInput(activation)) {
    return LowerEltwiseBackward(view, activate.activation);
  }
  const Type type = view.out(0);
  return type.dtype == DType::kBF16 ? ActivateBackwardOf<Bf16>(type, activate)
                                    : ActivateBackwardOf<float>(type, activate);
}

}  // namespace fovea::cpu
