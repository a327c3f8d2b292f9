// From a picture to what a net reads: the same for training, evaluation and serving, so that all
// three see the same pixels.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/data/decode.h"
#include "core/data/image.h"

namespace fovea {

// Brings `image` to exactly `shape` and writes it to `out`, uint8 [height, width, channels],
// shape.bytes() long. The aspect ratio is not kept. A shrinking side is averaged over areas, a
// growing one interpolated linearly; equal sizes copy. RGB to grey is the luma of ITU-R BT.601;
// grey to RGB repeats the channel. Deterministic; thread-safe.
// InvalidArgument when `image` or `shape` is empty, inconsistent, or has other than 1 or 3
// channels.
absl::Status Preprocess(const Image& image, const PixelShape& shape, uint8_t* out);

// The same of an encoded picture, with the errors of DecodeImage: Preprocess of what DecodeImage
// gives, but colour goes straight to `out`, without a copy of the whole picture on the way.
absl::Status PreprocessEncoded(absl::string_view bytes, const DecodeLimits& limits,
                               const PixelShape& shape, uint8_t* out);

}  // namespace fovea
