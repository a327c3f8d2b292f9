// Mul: the product of two tensors, or of images and a gate a channel; and the gate's gradient.
//
// oneDNN's binary primitive is slow for a gate {N,C,1,1}. Gates are dense, images in any layout.
#include <algorithm>

#include "core/backend/cpu/channel_blocks.h"
#include "core/backend/cpu/lower.h"

namespace fovea::cpu {
namespace {

constexpr int64_t kGrain = 4096;
constexpr int64_t kMaxBlock = 16;  // lanes of a blocked layout

FOVEA_MULTIVERSION
void MulRange(const float* a, const float* b, float* y, int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] = a[i] * b[i];
}

FOVEA_MULTIVERSION
void GateBlock(const float* a, const float* gate, int64_t pixels, int64_t lanes, float* y) {
  if (lanes == 1) {
    const float factor = *gate;
    for (int64_t i = 0; i < pixels; ++i) y[i] = a[i] * factor;
    return;
  }
  ForBlock(
      pixels, lanes, [=](int64_t i, int64_t lane) __attribute__((always_inline)) {
        y[i] = a[i] * gate[lane];
      });
}

FOVEA_MULTIVERSION
void SumProducts(const float* a, const float* dy, int64_t pixels, int64_t lanes, double* sums) {
  SumBlock(
      pixels, lanes,
      sums, [=](int64_t i, int64_t) __attribute__((always_inline)) { return a[i] * dy[i]; });
}

Lowered LowerProduct(const NodeView& view) {
  const int64_t count = PaddedCount(view.out(0));
  return LowerHost("fovea:mul", [=](Addresses in, Addresses out) {
    const float *a = At<float>(in, 0), *b = At<float>(in, 1);
    float* y = At<float>(out, 0);
    ParallelRanges(count, kGrain, [&](int64_t begin, int64_t end) {
      MulRange(a + begin, b + begin, y + begin, end - begin);
    });
  });
}

Lowered LowerGate(const NodeView& view) {
  const ChannelBlocks blocks(view.in(0));
  return LowerHost("fovea:gate", [=](Addresses in, Addresses out) {
    const float *a = At<float>(in, 0), *gates = At<float>(in, 1);
    float* y = At<float>(out, 0);
    ParallelRanges(blocks.count(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b) {
        const float* gate = gates + blocks.example(b) * blocks.channels + blocks.first_channel(b);
        float padded[kMaxBlock] = {};
        if (blocks.used(b) < blocks.lanes) {
          std::copy_n(gate, blocks.used(b), padded);
          gate = padded;
        }
        GateBlock(a + blocks.offset(b), gate, blocks.pixels, blocks.lanes, y + blocks.offset(b));
      }
    });
  });
}

}  // namespace

absl::StatusOr<Lowered> LowerMul(const NodeView& view) {
  const bool gate = view.in(0).dims != view.in(1).dims;
  Lowered lowered = gate ? LowerGate(view) : LowerProduct(view);
  lowered.may_overwrite_input = 0;
  return lowered;
}

absl::StatusOr<Lowered> LowerGateBackward(const NodeView& view) {
  const ChannelBlocks blocks(view.in(0));
  const size_t scratch = blocks.count() * blocks.lanes * sizeof(double);
  return LowerHost("fovea:gate_backward", scratch, [=](Addresses in, Addresses out, void* memory) {
    const float *a = At<float>(in, 0), *dy = At<float>(in, 1);
    float* dgate = At<float>(out, 0);
    ParallelRanges(blocks.count(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b) {
        double* sums = static_cast<double*>(memory) + b * blocks.lanes;
        std::fill_n(sums, blocks.lanes, 0.0);
        SumProducts(a + blocks.offset(b), dy + blocks.offset(b), blocks.pixels, blocks.lanes, sums);
        float* target = dgate + blocks.example(b) * blocks.channels + blocks.first_channel(b);
        for (int64_t lane = 0; lane < blocks.used(b); ++lane) {
          target[lane] = static_cast<float>(sums[lane]);
        }
      }
    });
  });
}

}  // namespace fovea::cpu
