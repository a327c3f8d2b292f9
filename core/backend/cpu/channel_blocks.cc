#include "core/backend/cpu/channel_blocks.h"

namespace fovea::cpu {
namespace {

FOVEA_MULTIVERSION
void AddBlock(const float* bias, int64_t pixels, int64_t lanes, int64_t used, float* y) {
  if (lanes == 1) {
    for (int64_t i = 0; i < pixels; ++i) y[i] += *bias;
    return;
  }
  for (int64_t p = 0; p < pixels; ++p) {
    for (int64_t lane = 0; lane < used; ++lane) y[p * lanes + lane] += bias[lane];
  }
}

}  // namespace

ChannelBlocks::ChannelBlocks(const Type& type) : batch(type.dims[0]), channels(type.dims[1]) {
  for (int axis = 2; axis < type.dims.rank(); ++axis) pixels *= type.dims[axis];
  if (type.layout == kBlocked) {
    lanes = BlockChannels();
    per_example = (channels + lanes - 1) / lanes;
  } else if (type.layout == kNhwc || pixels == 1) {
    lanes = channels;
  } else {
    per_example = channels;
  }
}

HostFunction AddChannels(const ChannelBlocks& blocks, int bias) {
  return [=](Addresses in, Addresses out) {
    const float* b = At<float>(in, bias);
    float* y = At<float>(out, 0);
    ParallelRanges(blocks.count(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        AddBlock(b + blocks.first_channel(i), blocks.pixels, blocks.lanes, blocks.used(i),
                 y + blocks.offset(i));
      }
    });
  };
}

}  // namespace fovea::cpu
