// PNG (ISO/IEC 15948): a signature, then chunks <length> <type> <data> <CRC-32>.
#include <zlib.h>

#include <optional>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/data/byte_reader.h"
#include "core/data/probe.h"

namespace fovea::internal {
namespace {

constexpr size_t kSignatureBytes = 8;
constexpr size_t kChunkOverhead = 12;  // length, type, CRC
constexpr uint32_t kMaxSide = 0x7fffffff;

struct Chunk {
  absl::string_view type;
  absl::string_view data;
  absl::string_view type_and_data;
  uint32_t crc = 0;
};

// The chunk at `at`; absent when the bytes end before it does.
std::optional<Chunk> ChunkAt(absl::string_view b, size_t at) {
  if (!HasBytes(b, at, kChunkOverhead)) return std::nullopt;
  const uint32_t length = BigEndian32(b, at);
  if (!HasBytes(b, at, kChunkOverhead + size_t{length})) return std::nullopt;
  return Chunk{b.substr(at + 4, 4), b.substr(at + 8, length), b.substr(at + 4, 4 + size_t{length}),
               BigEndian32(b, at + 8 + length)};
}

absl::Status Truncated(absl::string_view bytes, absl::string_view before) {
  return absl::InvalidArgumentError(
      absl::StrCat("PNG is truncated: ", bytes.size(), " bytes end before ", before));
}

absl::StatusOr<ImageInfo> InfoOfHeader(absl::string_view header) {
  enum : uint8_t { kGrey = 0, kRgb = 2, kPalette = 3, kGreyAlpha = 4, kRgbAlpha = 6 };
  const uint32_t width = BigEndian32(header, 0);
  const uint32_t height = BigEndian32(header, 4);
  const uint8_t colour = ByteAt(header, 9);
  if (width > kMaxSide || height > kMaxSide) {
    return absl::InvalidArgumentError(absl::StrCat("PNG is damaged: its size is ", width, " x ",
                                                   height, ", each side at most ", kMaxSide));
  }
  if (colour > kRgbAlpha || colour == 1 || colour == 5) {
    return absl::InvalidArgumentError(
        absl::StrCat("PNG is damaged: its colour type is ", colour, ", expected 0, 2, 3, 4 or 6"));
  }
  ImageInfo info;
  info.format = ImageFormat::kPng;
  info.width = static_cast<int>(width);
  info.height = static_cast<int>(height);
  info.bit_depth = ByteAt(header, 8);
  info.channels = colour == kGrey || colour == kGreyAlpha ? 1 : 3;
  info.has_alpha = colour == kGreyAlpha || colour == kRgbAlpha;
  if (info.bit_depth != 1 && info.bit_depth != 2 && info.bit_depth != 4 && info.bit_depth != 8 &&
      info.bit_depth != 16) {
    return absl::InvalidArgumentError(absl::StrCat("PNG is damaged: its bit depth is ",
                                                   info.bit_depth, ", expected 1, 2, 4, 8 or 16"));
  }
  return info;
}

}  // namespace

absl::StatusOr<ImageInfo> ProbePng(absl::string_view bytes) {
  size_t at = kSignatureBytes;
  const std::optional<Chunk> header = ChunkAt(bytes, at);
  if (!header) return Truncated(bytes, "the end of its header");
  if (header->type != "IHDR" || header->data.size() != 13) {
    return absl::InvalidArgumentError(
        absl::StrCat("PNG is damaged: its first chunk is \"", absl::CHexEscape(header->type),
                     "\" of ", header->data.size(), " bytes, expected \"IHDR\" of 13"));
  }
  ASSIGN_OR_RETURN(ImageInfo info, InfoOfHeader(header->data));
  // Transparency of a palette or of one colour stands between header and picture data.
  while (const std::optional<Chunk> chunk = ChunkAt(bytes, at)) {
    if (chunk->type == "IDAT") break;
    if (chunk->type == "tRNS") info.has_alpha = true;
    at += kChunkOverhead + chunk->data.size();
  }
  return info;
}

absl::Status CheckPngComplete(absl::string_view bytes) {
  bool has_data = false;
  size_t at = kSignatureBytes;
  while (const std::optional<Chunk> chunk = ChunkAt(bytes, at)) {
    const uint32_t crc = static_cast<uint32_t>(
        crc32_z(0, reinterpret_cast<const Bytef*>(chunk->type_and_data.data()),
                chunk->type_and_data.size()));
    if (crc != chunk->crc) {
      return absl::InvalidArgumentError(
          absl::StrCat("PNG is damaged: chunk \"", absl::CHexEscape(chunk->type), "\" at byte ", at,
                       " has checksum ", absl::Hex(crc), ", expected ", absl::Hex(chunk->crc)));
    }
    if (chunk->type == "IDAT") has_data = true;
    if (chunk->type == "IEND") {
      if (has_data) return absl::OkStatus();
      return absl::InvalidArgumentError("PNG is damaged: it ends without any picture data");
    }
    at += kChunkOverhead + chunk->data.size();
  }
  return Truncated(bytes, "its end chunk");
}

}  // namespace fovea::internal
