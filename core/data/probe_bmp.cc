// BMP: a file header of 14 bytes, then an info header that begins with its own size.
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/data/byte_reader.h"
#include "core/data/probe.h"

namespace fovea::internal {
namespace {

constexpr size_t kInfo = 14;

struct BmpHeader {
  uint32_t pixels_at = 0;
  int64_t width = 0;
  int64_t height = 0;
  uint32_t bits = 0;
  uint32_t compression = 0;
};

absl::StatusOr<BmpHeader> ReadHeader(absl::string_view b) {
  if (!HasBytes(b, 0, kInfo + 12)) {
    return absl::InvalidArgumentError(
        absl::StrCat("BMP is truncated: ", b.size(), " bytes end before its size"));
  }
  BmpHeader header;
  header.pixels_at = LittleEndian32(b, 10);
  const uint32_t info_bytes = LittleEndian32(b, kInfo);
  if (info_bytes == 12) {  // OS/2: 16-bit sides
    header.width = LittleEndian16(b, kInfo + 4);
    header.height = LittleEndian16(b, kInfo + 6);
    header.bits = LittleEndian16(b, kInfo + 10);
    return header;
  }
  if (info_bytes < 36) {
    return absl::InvalidArgumentError(absl::StrCat(
        "BMP is damaged: its info header has ", info_bytes, " bytes, expected 12 or at least 36"));
  }
  if (!HasBytes(b, kInfo, 36)) {
    return absl::InvalidArgumentError(
        absl::StrCat("BMP is truncated: ", b.size(), " bytes end inside its info header"));
  }
  header.width = static_cast<int32_t>(LittleEndian32(b, kInfo + 4));
  // Negative: rows from top to bottom.
  header.height = std::abs(int64_t{static_cast<int32_t>(LittleEndian32(b, kInfo + 8))});
  header.bits = LittleEndian16(b, kInfo + 14);
  header.compression = LittleEndian32(b, kInfo + 16);
  return header;
}

}  // namespace

absl::StatusOr<ImageInfo> ProbeBmp(absl::string_view bytes) {
  ASSIGN_OR_RETURN(const BmpHeader header, ReadHeader(bytes));
  if (header.width < 0 || header.height > INT32_MAX) {
    return absl::InvalidArgumentError(
        absl::StrCat("BMP is damaged: its size is ", header.width, " x ", header.height));
  }
  ImageInfo info;
  info.format = ImageFormat::kBmp;
  info.width = static_cast<int>(header.width);
  info.height = static_cast<int>(header.height);
  info.channels = 3;
  info.bit_depth = header.bits < 8 ? static_cast<int>(header.bits) : 8;
  return info;
}

absl::Status CheckBmpComplete(absl::string_view bytes) {
  ASSIGN_OR_RETURN(const BmpHeader header, ReadHeader(bytes));
  constexpr uint32_t kUncompressed = 0, kBitFields = 3;
  // The length of run-length coded data is not known without decoding.
  if (header.compression != kUncompressed && header.compression != kBitFields) {
    return absl::OkStatus();
  }
  const uint64_t row_bytes = (static_cast<uint64_t>(header.width) * header.bits + 31) / 32 * 4;
  const uint64_t expected = header.pixels_at + row_bytes * static_cast<uint64_t>(header.height);
  if (bytes.size() >= expected) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("BMP is truncated: found ", bytes.size(),
                                                 " bytes, its header announces ", expected));
}

}  // namespace fovea::internal
