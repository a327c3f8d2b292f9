// The loops of a 3x3 convolution of 2 or 4 channels a group over single rows of a blocked image,
// for AVX-512. Private to this folder.
//
// A block of 16 channels holds whole groups, each within 4 neighbouring lanes, so that one permute
// of a pixel's vector gives every output of the block its group's channel i: the products use every
// lane.
#pragma once

#include <cstdint>

#include "core/graph/attrs.h"

namespace fovea::cpu::rows {

// One block of 16 outputs of one row: y = activation(w x + bias + what y holds, if `adds`).
struct Grouped {
  int group_channels = 4;          // 2 or 4, inputs and outputs alike
  int stride = 1;                  // 1 or 2, along the row
  const float* weights = nullptr;  // [group_channels][3][3][16]
  const float* bias = nullptr;     // [16], or none
  bool adds = false;
  ActivationSpec activation = {};  // one of HasActivation (rows.h)
};

// `x` are the three rows under the window, [pixels and padding][16]; y is [pixels][16].
void RunGrouped(const Grouped& stage, const float* const* x, float* y, int64_t pixels);

}  // namespace fovea::cpu::rows
