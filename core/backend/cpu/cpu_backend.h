// The cpu backend: oneDNN where it is fast, own loops over memory where those are leaner.
//
// Layouts of 4-D values: dense (nchw), nhwc, or blocked by 16 channels (8 without AVX-512); packed
// weights have interned layouts (layouts.h). Prepare follows LayoutPlan::kNhwc, kBlocked or
// kBlockedWinograd; the default is blocked for training and nhwc for inference. Convolutions are
// direct but for those that kBlockedWinograd computes by Winograd's algorithm (winograd.cc); both
// blocked plans compute those of few channels a group by a kernel of our own (grouped_conv.cc).
// With AVX512_BF16, what training needs has kernels for bf16 as well (bf16.cc).
// OpenMP runs the kernels at the width of the calling thread (ScopedWidth), which must be the same
// when a program is compiled and when it runs.
#pragma once

#include "core/backend/backend.h"

namespace fovea {

const Backend& CpuBackend();

}  // namespace fovea
