// Pictures for tests: made, encoded, and broken in ways that encoders refuse to.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/data/image.h"

namespace fovea::testing {

// Smooth content that differs from seed to seed.
Image MakeImage(int width, int height, int channels, int seed = 0);

// `extension`: ".png", ".jpg", ".webp" (lossless), ".bmp".
std::string Encode(const Image& image, const std::string& extension);

// A PNG of any colour type and bit depth. `rows`: big-endian samples, without filter bytes.
std::string MakePng(uint32_t width, uint32_t height, int bit_depth, int colour_type,
                    const std::string& rows, const std::string& extra_chunks = "");
std::string PngChunk(absl::string_view type, const std::string& data);

// A 16 x 16 CMYK JPEG (Adobe, inverted) of one colour: about half cyan, no black.
std::string CmykJpeg();

// The JPEG with an EXIF orientation.
std::string WithOrientation(const std::string& jpeg, int orientation);

// `bytes` compressed with gzip.
std::string Gzip(const std::string& bytes);

}  // namespace fovea::testing
