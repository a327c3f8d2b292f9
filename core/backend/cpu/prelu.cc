// PReLU and its gradient, in any activation layout.
//
// The slope's gradient is summed block by block, then over the examples in their order, so it does
// not depend on the width.
#include <algorithm>

#include "core/backend/cpu/channel_blocks.h"
#include "core/backend/cpu/lower.h"

namespace fovea::cpu {
namespace {

FOVEA_MULTIVERSION
void ForwardBlock(const float* x, const float* slope, int64_t pixels, int64_t lanes, float* y) {
  ForBlock(
      pixels, lanes, [=](int64_t i, int64_t lane) __attribute__((always_inline)) {
        y[i] = x[i] > 0 ? x[i] : slope[lane] * x[i];
      });
}

FOVEA_MULTIVERSION
void BackwardBlock(const float* x, const float* slope, const float* dy, int64_t pixels,
                   int64_t lanes, float* dx, double* sums) {
  SumBlock(
      pixels, lanes, sums, [=](int64_t i, int64_t) __attribute__((always_inline)) {
        return std::min(x[i], 0.0f) * dy[i];  // with ?: GCC 12 adds wrongly for AVX2
      });
  ForBlock(
      pixels, lanes, [=](int64_t i, int64_t lane) __attribute__((always_inline)) {
        dx[i] = x[i] > 0 ? dy[i] : slope[lane] * dy[i];
      });
}

constexpr int64_t kMaxBlock = 16;  // lanes of a blocked layout

// The slopes of a block; those of padded channels are 0.
struct Slopes {
  Slopes(const ChannelBlocks& blocks, int64_t block, const float* slopes)
      : values(slopes + blocks.first_channel(block)) {
    if (blocks.used(block) == blocks.lanes) return;
    std::copy_n(values, blocks.used(block), padded);
    values = padded;
  }
  float padded[kMaxBlock] = {};
  const float* values;
};

// dslope[c] = Σ over the examples of the sums of their blocks.
void SumExamples(const ChannelBlocks& blocks, const double* sums, float* dslope) {
  const int64_t row = blocks.per_example * blocks.lanes;
  for (int64_t c = 0; c < blocks.channels; ++c) {
    double sum = 0;
    for (int64_t n = 0; n < blocks.batch; ++n) sum += sums[n * row + c];
    dslope[c] = static_cast<float>(sum);
  }
}

}  // namespace

absl::StatusOr<Lowered> LowerPRelu(const NodeView& view) {
  const ChannelBlocks blocks(view.in(0));
  Lowered lowered = LowerHost("fovea:prelu", [=](Addresses in, Addresses out) {
    const float* x = At<float>(in, 0);
    float* y = At<float>(out, 0);
    ParallelRanges(blocks.count(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b) {
        const Slopes slopes(blocks, b, At<float>(in, 1));
        ForwardBlock(x + blocks.offset(b), slopes.values, blocks.pixels, blocks.lanes,
                     y + blocks.offset(b));
      }
    });
  });
  lowered.may_overwrite_input = 0;
  return lowered;
}

absl::StatusOr<Lowered> LowerPReluBackward(const NodeView& view) {
  const ChannelBlocks blocks(view.in(0));
  const size_t scratch = blocks.count() * blocks.lanes * sizeof(double);
  Lowered lowered =
      LowerHost("fovea:prelu_backward", scratch, [=](Addresses in, Addresses out, void* memory) {
        const float *x = At<float>(in, 0), *dy = At<float>(in, 2);
        float* dx = At<float>(out, 0);
        auto* sums = static_cast<double*>(memory);
        ParallelRanges(blocks.count(), 1, [&](int64_t begin, int64_t end) {
          std::fill(sums + begin * blocks.lanes, sums + end * blocks.lanes, 0.0);
          for (int64_t b = begin; b < end; ++b) {
            const Slopes slopes(blocks, b, At<float>(in, 1));
            const int64_t at = blocks.offset(b);
            BackwardBlock(x + at, slopes.values, dy + at, blocks.pixels, blocks.lanes, dx + at,
                          sums + b * blocks.lanes);
          }
        });
        SumExamples(blocks, sums, At<float>(out, 1));
      });
  return lowered;
}

}  // namespace fovea::cpu
