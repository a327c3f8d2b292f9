// WebP (RFC 9649): a RIFF file whose first chunk is VP8, VP8L or VP8X.
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/data/byte_reader.h"
#include "core/data/probe.h"

namespace fovea::internal {
namespace {

constexpr size_t kFirstChunk = 12;  // behind "RIFF", size, "WEBP"
constexpr size_t kPayload = 20;     // behind the first chunk's name and size

ImageInfo Info(uint32_t width, uint32_t height, bool has_alpha) {
  ImageInfo info;
  info.format = ImageFormat::kWebp;
  info.width = static_cast<int>(width);
  info.height = static_cast<int>(height);
  info.channels = 3;
  info.has_alpha = has_alpha;
  return info;
}

absl::Status Damaged(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("WebP is damaged: ", what));
}

}  // namespace

absl::StatusOr<ImageInfo> ProbeWebp(absl::string_view bytes) {
  if (!HasBytes(bytes, kPayload, 10)) {
    return absl::InvalidArgumentError(
        absl::StrCat("WebP is truncated: ", bytes.size(), " bytes end before its size"));
  }
  const absl::string_view kind = bytes.substr(kFirstChunk, 4);
  if (kind == "VP8 ") {
    // A key frame: tag of 3 bytes, start code, then 14 bits a side and 2 of scale.
    if (bytes.substr(kPayload + 3, 3) != "\x9d\x01\x2a") return Damaged("VP8 has no start code");
    return Info(LittleEndian16(bytes, kPayload + 6) & 0x3fff,
                LittleEndian16(bytes, kPayload + 8) & 0x3fff, false);
  }
  if (kind == "VP8L") {
    if (ByteAt(bytes, kPayload) != 0x2f) return Damaged("VP8L has no signature");
    const uint32_t bits = LittleEndian32(bytes, kPayload + 1);
    return Info((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1, (bits >> 28 & 1) != 0);
  }
  if (kind == "VP8X") {
    const uint8_t flags = ByteAt(bytes, kPayload);
    if (flags & 0x02) {
      return absl::UnimplementedError("WebP is an animation; expected a single picture");
    }
    return Info(LittleEndian24(bytes, kPayload + 4) + 1, LittleEndian24(bytes, kPayload + 7) + 1,
                (flags & 0x10) != 0);
  }
  return Damaged(absl::StrCat("its first chunk is \"", absl::CHexEscape(kind),
                              "\", expected VP8, VP8L or VP8X"));
}

absl::Status CheckWebpComplete(absl::string_view bytes) {
  const uint64_t expected = uint64_t{8} + LittleEndian32(bytes, 4);
  if (bytes.size() >= expected) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("WebP is truncated: found ", bytes.size(),
                                                 " bytes, its header announces ", expected));
}

}  // namespace fovea::internal
