// The loops of an inverted residual over single rows of an image, for AVX-512 and blocked images.
// Private to this folder.
//
// A row is [channels/16][pixels][16] floats; `block` is the distance between two blocks of 16
// channels, in floats. Packed weights are [outputs/16][inputs][16], zeros behind the last output.
#pragma once

#include <cstdint>

#include "core/graph/attrs.h"

namespace fovea::cpu::rows {

template <typename T>
struct Row {
  T* data = nullptr;
  int64_t block = 0;
};

// What a stage adds to its sums before they are stored.
struct Epilogue {
  const float* bias = nullptr;  // [outputs]
  ActivationSpec activation;    // one of HasActivation (rows.h)
};

// y = activation(w x + bias + residual) for `pixels` pixels and outputs [16 begin, 16 end) below
// `outputs`; y and the residual begin at output 0.
struct Pointwise {
  int64_t inputs = 0, outputs = 0;
  const float* weights = nullptr;
  Epilogue epilogue;
};
void RunPointwise(const Pointwise& stage, Row<const float> x, Row<const float> residual,
                  Row<float> y, int64_t pixels, int64_t begin, int64_t end);

// One block of channels of a depthwise convolution: `rows` are the rows under the window, [pixels
// and padding][16]; weights [kernel][kernel][16]; y [pixels][16]; at most 16 channels.
inline constexpr int kMaxKernel = 5;
struct Depthwise {
  int kernel = 3;  // 3 or 5
  int stride = 1;  // 1 or 2
  int channels = 16;
  const float* weights = nullptr;
  Epilogue epilogue;
};
void RunDepthwise(const Depthwise& stage, const float* const* rows, float* y, int64_t pixels);

}  // namespace fovea::cpu::rows
