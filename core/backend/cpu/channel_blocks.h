// Activations as blocks of channels, so that one loop serves every layout. Private to this folder.
//
// A block holds `lanes` channels side by side at each of `pixels` places: dense images have a block
// of one lane for each channel, nhwc images and rows [N,K] one block of all channels for each
// example, blocked images several of BlockChannels() lanes, the last one padded with zeros.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/backend/cpu/host_kernel.h"
#include "core/backend/cpu/layouts.h"

namespace fovea::cpu {

struct ChannelBlocks {
  // Of a value [N,C] or [N,C,H,W] in any activation layout.
  explicit ChannelBlocks(const Type& type);

  int64_t count() const { return batch * per_example; }
  int64_t example(int64_t block) const { return block / per_example; }
  int64_t first_channel(int64_t block) const { return block % per_example * lanes; }
  // Channels of the block that are no padding.
  int64_t used(int64_t block) const { return std::min(lanes, channels - first_channel(block)); }
  int64_t size() const { return pixels * lanes; }
  int64_t offset(int64_t block) const { return block * size(); }

  int64_t batch = 1, channels = 1, pixels = 1;
  int64_t lanes = 1;
  int64_t per_example = 1;
};

// Adds a bias [C], which is this input, to output 0.
HostFunction AddChannels(const ChannelBlocks& blocks, int bias);

inline constexpr int64_t kSumLanes = 16;  // partial sums kept side by side
inline constexpr int64_t kSumRun = 256;   // places whose sum stays in float

// sums[lane] += Σ term(index, lane) over the places of a block; `index` counts its elements. Runs
// are summed in float, their sums in double. The order does not depend on the width.
template <typename Term>
__attribute__((always_inline)) inline void SumBlock(int64_t pixels, int64_t lanes, double* sums,
                                                    const Term& term) {
  if (lanes == 1) {
    for (int64_t first = 0; first < pixels; first += kSumRun * kSumLanes) {
      const int64_t last = std::min(pixels, first + kSumRun * kSumLanes);
      float run[kSumLanes] = {};
      int64_t i = first;
      for (; i + kSumLanes <= last; i += kSumLanes) {
        for (int64_t lane = 0; lane < kSumLanes; ++lane) run[lane] += term(i + lane, 0);
      }
      for (; i < last; ++i) run[0] += term(i, 0);
      for (float partial : run) sums[0] += partial;
    }
    return;
  }
  for (int64_t base = 0; base < lanes; base += kSumLanes) {
    const int64_t width = std::min(kSumLanes, lanes - base);
    for (int64_t first = 0; first < pixels; first += kSumRun) {
      const int64_t last = std::min(pixels, first + kSumRun);
      float run[kSumLanes] = {};
      if (width == kSumLanes) {
        for (int64_t p = first; p < last; ++p) {
          for (int64_t lane = 0; lane < kSumLanes; ++lane) {
            run[lane] += term(p * lanes + base + lane, base + lane);
          }
        }
      } else {
        for (int64_t p = first; p < last; ++p) {
          for (int64_t lane = 0; lane < width; ++lane) {
            run[lane] += term(p * lanes + base + lane, base + lane);
          }
        }
      }
      for (int64_t lane = 0; lane < width; ++lane) sums[base + lane] += run[lane];
    }
  }
}

// Calls each(index, lane) for the elements of a block, the lanes innermost.
template <typename Each>
__attribute__((always_inline)) inline void ForBlock(int64_t pixels, int64_t lanes,
                                                    const Each& each) {
  if (lanes == 1) {
    for (int64_t i = 0; i < pixels; ++i) each(i, 0);
    return;
  }
  for (int64_t p = 0; p < pixels; ++p) {
    for (int64_t lane = 0; lane < lanes; ++lane) each(p * lanes + lane, lane);
  }
}

}  // namespace fovea::cpu
