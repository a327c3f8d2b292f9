// From a decoded picture to what a net reads: one function for training, evaluation and serving,
// so that all three see the same pixels.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "core/data/image.h"

namespace fovea {

// Brings `image` to exactly `shape` and writes it to `out`, uint8 [height, width, channels],
// shape.bytes() long. The aspect ratio is not kept. A shrinking side is averaged over areas, a
// growing one interpolated linearly; equal sizes copy. RGB to grey is the luma of ITU-R BT.601;
// grey to RGB repeats the channel. Deterministic; thread-safe.
// InvalidArgument when `image` or `shape` is empty, inconsistent, or has other than 1 or 3
// channels.
absl::Status Preprocess(const Image& image, const PixelShape& shape, uint8_t* out);

}  // namespace fovea
