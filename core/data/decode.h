// From encoded bytes to pixels: JPEG, PNG, WebP and BMP, told apart by their content.
//
// Bytes come from strangers: the header is read and held against limits before anything is
// decoded, and a truncated file is refused although the decoders would fill in grey.
// All functions are pure and thread-safe; each decodes on the calling thread only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/data/image.h"

namespace fovea {

enum class ImageFormat { kJpeg, kPng, kWebp, kBmp };

const char* ImageFormatName(ImageFormat format);  // "JPEG", …

// What a header says.
struct ImageInfo {
  ImageFormat format = ImageFormat::kJpeg;
  int width = 0;  // as stored; the EXIF orientation that DecodeImage obeys may swap the two
  int height = 0;
  int channels = 0;   // natural: 1 grey, 3 colour (palette, CMYK and alpha decode to these)
  int bit_depth = 8;  // bits of a stored sample, 1 to 16
  bool has_alpha = false;
  bool is_cmyk = false;
};

struct DecodeLimits {
  int64_t max_bytes = int64_t{32} << 20;  // of the encoded picture
  int64_t max_pixels = int64_t{1} << 26;  // width x height of the decoded picture
};

// The format the first bytes announce; absent when it is none of the four.
std::optional<ImageFormat> DetectImageFormat(absl::string_view bytes);

// Reads the header only; never allocates for pixels. InvalidArgument: empty, unknown format, or a
// damaged header. Unimplemented: a kind that is not read (12-bit or lossless JPEG, animated WebP).
absl::StatusOr<ImageInfo> ProbeImage(absl::string_view bytes);

// OutOfRange, naming the found value and the limit, when the picture is larger than allowed.
absl::Status CheckDecodeLimits(const ImageInfo& info, absl::string_view bytes,
                               const DecodeLimits& limits);

// Decodes to 8 bits. channels: 1 grey, 3 RGB, 0 as the picture has them. Grey of colour is the
// luma of ITU-R BT.601. 16-bit samples are scaled (v / 257, rounded). Alpha is composited over
// white, so that what nobody sees cannot be learned. CMYK becomes RGB without a colour profile.
// EXIF orientation is obeyed.
// Errors: those of ProbeImage and CheckDecodeLimits; InvalidArgument when truncated or corrupt.
absl::StatusOr<Image> DecodeImage(absl::string_view bytes, const DecodeLimits& limits,
                                  int channels = 0);

// Lossless; what imports of raw pixels (IDX) are stored as. InvalidArgument when the image's size
// and its number of bytes disagree.
absl::StatusOr<std::string> EncodePng(const Image& image);

}  // namespace fovea
