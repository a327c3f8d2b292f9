#include "core/backend/cpu/grouped_conv_rows.h"

#include "core/backend/cpu/rows.h"
#include "core/backend/cpu/vectors.h"

namespace fovea::cpu::rows {
namespace {

constexpr int kKernel = 3;

// Every lane gets channel `i` of its group of `kWidth` lanes.
template <int kWidth, int i>
FOVEA_AVX512_INLINE Vector Spread(Vector x) {
  constexpr auto from = [](int lane) { return lane / kWidth * kWidth + i; };
  return __builtin_shufflevector(x, x, from(0), from(1), from(2), from(3), from(4), from(5),
                                 from(6), from(7), from(8), from(9), from(10), from(11), from(12),
                                 from(13), from(14), from(15));
}

// The same for an `i` that unrolling makes constant.
template <int kWidth>
FOVEA_AVX512_INLINE Vector ChannelOfEachGroup(Vector x, int i) {
  switch (i) {
    case 0:
      return Spread<kWidth, 0>(x);
    case 1:
      return Spread<kWidth, 1>(x);
    case 2:
      return Spread<kWidth, 2>(x);
    default:
      return Spread<kWidth, 3>(x);
  }
}

// The products of one row of the window. Its weights and the sums stay in registers, and the taps
// share each vector of x.
template <int kPixels, int kWidth, int kStride>
FOVEA_AVX512_INLINE void AddRow(const float* weights, const float* x, Vector (&sums)[kPixels]) {
  Vector w[kWidth][kKernel];
#pragma GCC unroll 4
  for (int i = 0; i < kWidth; ++i) {
#pragma GCC unroll 3
    for (int kw = 0; kw < kKernel; ++kw) {
      w[i][kw] = Load(weights + (i * kKernel * kKernel + kw) * kLanes);
    }
  }
#pragma GCC unroll 32
  for (int column = 0; column < (kPixels - 1) * kStride + kKernel; ++column) {
    const Vector pixel = Load(x + column * kLanes);
#pragma GCC unroll 4
    for (int i = 0; i < kWidth; ++i) {
      const Vector value = ChannelOfEachGroup<kWidth>(pixel, i);
#pragma GCC unroll 3
      for (int kw = 0; kw < kKernel; ++kw) {
        const int p = (column - kw) / kStride;
        if (column >= kw && (column - kw) % kStride == 0 && p < kPixels) {
          sums[p] += value * w[i][kw];
        }
      }
    }
  }
}

template <int kPixels, bool hard_swish>
FOVEA_AVX512_INLINE void StoreRun(const Grouped& stage, const Bounds& bounds,
                                  const Vector (&sums)[kPixels], float* y) {
  const Activate<hard_swish> activate(bounds);
#pragma GCC unroll 16
  for (int p = 0; p < kPixels; ++p) {
    Vector sum = sums[p];
    if (stage.adds) sum += Load(y + p * kLanes);
    Store(activate(sum), y + p * kLanes);
  }
}

template <int kPixels, int kWidth, int kStride>
FOVEA_AVX512 void GroupedRun(const Grouped& stage, const Bounds& bounds, const float* const* x,
                             int64_t offset, float* y) {
  Vector sums[kPixels];
  const Vector bias = stage.bias == nullptr ? Vector{} : Load(stage.bias);
#pragma GCC unroll 16
  for (int p = 0; p < kPixels; ++p) sums[p] = bias;
  for (int kh = 0; kh < kKernel; ++kh) {
    AddRow<kPixels, kWidth, kStride>(stage.weights + kh * kKernel * kLanes,
                                     x[kh] + offset * kStride * kLanes, sums);
  }
  if (bounds.hard_swish) {
    StoreRun<kPixels, true>(stage, bounds, sums, y + offset * kLanes);
  } else {
    StoreRun<kPixels, false>(stage, bounds, sums, y + offset * kLanes);
  }
}

template <int kWidth, int kStride>
void GroupedRow(const Grouped& stage, const float* const* x, float* y, int64_t pixels) {
  const Bounds bounds(stage.activation);
  ForRuns(pixels, [&](auto run, int64_t offset) {
    GroupedRun<run.value, kWidth, kStride>(stage, bounds, x, offset, y);
  });
}

}  // namespace

void RunGrouped(const Grouped& stage, const float* const* x, float* y, int64_t pixels) {
  if (stage.group_channels == 4) {
    stage.stride == 1 ? GroupedRow<4, 1>(stage, x, y, pixels)
                      : GroupedRow<4, 2>(stage, x, y, pixels);
  } else {
    stage.stride == 1 ? GroupedRow<2, 1>(stage, x, y, pixels)
                      : GroupedRow<2, 2>(stage, x, y, pixels);
  }
}

}  // namespace fovea::cpu::rows
