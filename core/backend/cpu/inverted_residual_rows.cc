#include "core/backend/cpu/inverted_residual_rows.h"

#include <algorithm>

#include "core/backend/cpu/rows.h"
#include "core/backend/cpu/vectors.h"

namespace fovea::cpu::rows {
namespace {

// A bias of the last block may end before 16 channels do.
FOVEA_AVX512_INLINE Vector LoadBias(const float* bias, int64_t channels) {
  if (channels >= kLanes) return Load(bias);
  float padded[kLanes] = {};
  std::copy_n(bias, channels, padded);
  return Load(padded);
}

// kBlocks blocks of outputs for kPixels pixels: kBlocks · kPixels sums stay in registers.
template <int kPixels, int kBlocks, bool hard_swish>
FOVEA_AVX512_INLINE void PointwiseTile(const Pointwise& stage, Activate<hard_swish> activate,
                                       Row<const float> x, Row<const float> residual, Row<float> y,
                                       int64_t first) {
  Vector sums[kBlocks][kPixels];
#pragma GCC unroll 2
  for (int b = 0; b < kBlocks; ++b) {
    const int64_t channel = (first + b) * kLanes;
    const Vector bias = LoadBias(stage.epilogue.bias + channel, stage.outputs - channel);
#pragma GCC unroll 16
    for (int p = 0; p < kPixels; ++p) sums[b][p] = bias;
  }
  const float* weights = stage.weights + first * stage.inputs * kLanes;
  const int64_t block_weights = stage.inputs * kLanes;
  for (int64_t begin = 0; begin < stage.inputs; begin += kLanes) {
    const float* pixels = x.data + begin / kLanes * x.block;
    const int64_t inputs = std::min(kLanes, stage.inputs - begin);
    for (int64_t i = 0; i < inputs; ++i, weights += kLanes) {
      Vector w[kBlocks];
#pragma GCC unroll 2
      for (int b = 0; b < kBlocks; ++b) w[b] = Load(weights + b * block_weights);
#pragma GCC unroll 16
      for (int p = 0; p < kPixels; ++p) {
        const Vector value = Broadcast(pixels[p * kLanes + i]);
#pragma GCC unroll 2
        for (int b = 0; b < kBlocks; ++b) sums[b][p] += value * w[b];
      }
    }
  }
#pragma GCC unroll 2
  for (int b = 0; b < kBlocks; ++b) {
    float* const out = y.data + (first + b) * y.block;
#pragma GCC unroll 16
    for (int p = 0; p < kPixels; ++p) {
      Vector sum = sums[b][p];
      if (residual.data != nullptr) {
        sum += Load(residual.data + (first + b) * residual.block + p * kLanes);
      }
      Store(activate(sum), out + p * kLanes);
    }
  }
}

template <int kPixels, bool hard_swish>
FOVEA_AVX512 void PointwiseBlocks(const Pointwise& stage, const Bounds& bounds, Row<const float> x,
                                  Row<const float> residual, Row<float> y, int64_t begin,
                                  int64_t end) {
  const Activate<hard_swish> activate(bounds);
  int64_t b = begin;
  for (; b + 2 <= end; b += 2) {
    PointwiseTile<kPixels, 2, hard_swish>(stage, activate, x, residual, y, b);
  }
  if (b < end) PointwiseTile<kPixels, 1, hard_swish>(stage, activate, x, residual, y, b);
}

template <int kPixels, int kKernel, int kStride, bool hard_swish>
FOVEA_AVX512 void DepthwiseTile(const Depthwise& stage, const Bounds& bounds,
                                const float* const* rows, int64_t offset, float* y) {
  const Activate<hard_swish> activate(bounds);
  Vector sums[kPixels];
  const Vector bias = LoadBias(stage.epilogue.bias, stage.channels);
#pragma GCC unroll 16
  for (int p = 0; p < kPixels; ++p) sums[p] = bias;
  for (int kh = 0; kh < kKernel; ++kh) {
    const float* const row = rows[kh] + offset * kStride * kLanes;
    Vector w[kKernel];
#pragma GCC unroll 8
    for (int kw = 0; kw < kKernel; ++kw) w[kw] = Load(stage.weights + (kh * kKernel + kw) * kLanes);
#pragma GCC unroll 40
    for (int column = 0; column < (kPixels - 1) * kStride + kKernel; ++column) {
      const Vector value = Load(row + column * kLanes);
#pragma GCC unroll 8
      for (int kw = 0; kw < kKernel; ++kw) {
        const int p = (column - kw) / kStride;
        if (column >= kw && (column - kw) % kStride == 0 && p < kPixels) sums[p] += value * w[kw];
      }
    }
  }
#pragma GCC unroll 16
  for (int p = 0; p < kPixels; ++p) Store(activate(sums[p]), y + (offset + p) * kLanes);
}

template <int kKernel, int kStride>
void DepthwiseRow(const Depthwise& stage, const float* const* rows, float* y, int64_t pixels) {
  const Bounds bounds(stage.epilogue.activation);
  ForRuns(pixels, [&](auto run, int64_t offset) {
    if (bounds.hard_swish) {
      DepthwiseTile<run.value, kKernel, kStride, true>(stage, bounds, rows, offset, y);
    } else {
      DepthwiseTile<run.value, kKernel, kStride, false>(stage, bounds, rows, offset, y);
    }
  });
}

}  // namespace

void RunPointwise(const Pointwise& stage, Row<const float> x, Row<const float> residual,
                  Row<float> y, int64_t pixels, int64_t begin, int64_t end) {
  const Bounds bounds(stage.epilogue.activation);
  ForRuns(pixels, [&](auto run, int64_t offset) {
    const int64_t floats = offset * kLanes;
    const Row<const float> from = {x.data + floats, x.block};
    const Row<const float> sum = {residual.data == nullptr ? nullptr : residual.data + floats,
                                  residual.block};
    const Row<float> to = {y.data + floats, y.block};
    if (bounds.hard_swish) {
      PointwiseBlocks<run.value, true>(stage, bounds, from, sum, to, begin, end);
    } else {
      PointwiseBlocks<run.value, false>(stage, bounds, from, sum, to, begin, end);
    }
  });
}

void RunDepthwise(const Depthwise& stage, const float* const* rows, float* y, int64_t pixels) {
  if (stage.kernel == 3) {
    stage.stride == 1 ? DepthwiseRow<3, 1>(stage, rows, y, pixels)
                      : DepthwiseRow<3, 2>(stage, rows, y, pixels);
  } else {
    stage.stride == 1 ? DepthwiseRow<5, 1>(stage, rows, y, pixels)
                      : DepthwiseRow<5, 2>(stage, rows, y, pixels);
  }
}

}  // namespace fovea::cpu::rows
