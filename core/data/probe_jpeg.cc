// JPEG (ITU-T T.81): segments 0xFF <marker> <length>, then entropy-coded data behind SOS.
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status.h"
#include "core/data/byte_reader.h"
#include "core/data/probe.h"

namespace fovea::internal {
namespace {

constexpr uint8_t kEndOfImage = 0xd9;
constexpr uint8_t kStartOfScan = 0xda;

// A frame header, SOF0 … SOF15 without DHT, JPG and DAC.
bool IsFrame(uint8_t marker) {
  return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

// RSTn, TEM and SOI stand alone.
bool HasNoLength(uint8_t marker) { return (marker >= 0xd0 && marker <= 0xd8) || marker == 0x01; }

struct Segment {
  uint8_t marker = 0;
  size_t payload = 0;  // where the payload begins
  size_t end = 0;      // where the next segment begins
};

// The segment at `at`, after fill bytes. Absent at the end of the bytes or of a cut segment.
absl::StatusOr<std::optional<Segment>> SegmentAt(absl::string_view b, size_t at) {
  if (!HasBytes(b, at, 2)) return std::nullopt;
  if (ByteAt(b, at) != 0xff) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "JPEG is damaged: found 0x%02x at byte %d, expected a marker", ByteAt(b, at), at));
  }
  while (HasBytes(b, at, 2) && ByteAt(b, at + 1) == 0xff) ++at;
  if (!HasBytes(b, at, 2)) return std::nullopt;
  Segment segment = {ByteAt(b, at + 1), at + 2, at + 2};
  if (HasNoLength(segment.marker) || segment.marker == kEndOfImage) return segment;
  if (!HasBytes(b, at + 2, 2)) return std::nullopt;
  const uint32_t length = BigEndian16(b, at + 2);
  if (length < 2) {
    return absl::InvalidArgumentError(
        absl::StrFormat("JPEG is damaged: segment 0x%02x has length %d, at least 2 expected",
                        segment.marker, length));
  }
  segment.payload = at + 4;
  segment.end = at + 2 + length;
  if (segment.end > b.size()) return std::nullopt;
  return segment;
}

absl::StatusOr<ImageInfo> InfoOfFrame(absl::string_view b, const Segment& frame) {
  if (frame.end - frame.payload < 6) {
    return absl::InvalidArgumentError("JPEG is damaged: its frame header is too short");
  }
  const int bits = ByteAt(b, frame.payload);
  const int components = ByteAt(b, frame.payload + 5);
  const bool is_lossy = frame.marker <= 0xc2 || frame.marker == 0xc9 || frame.marker == 0xca;
  if (bits != 8 || !is_lossy) {
    return absl::UnimplementedError(absl::StrFormat(
        "JPEG has %d bits a sample in process 0x%02x; baseline, extended and progressive JPEG of 8 "
        "bits are read",
        bits, frame.marker));
  }
  if (components != 1 && components != 3 && components != 4) {
    return absl::UnimplementedError(
        absl::StrCat("JPEG has ", components, " components, expected 1, 3 or 4"));
  }
  ImageInfo info;
  info.format = ImageFormat::kJpeg;
  info.height = static_cast<int>(BigEndian16(b, frame.payload + 1));
  info.width = static_cast<int>(BigEndian16(b, frame.payload + 3));
  info.channels = components == 1 ? 1 : 3;
  info.is_cmyk = components == 4;
  return info;
}

}  // namespace

absl::StatusOr<ImageInfo> ProbeJpeg(absl::string_view bytes) {
  size_t at = 2;  // behind SOI
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<Segment> segment, SegmentAt(bytes, at));
    if (!segment) {
      return absl::InvalidArgumentError(
          absl::StrCat("JPEG is truncated: ", bytes.size(), " bytes end before its frame header"));
    }
    if (IsFrame(segment->marker)) return InfoOfFrame(bytes, *segment);
    if (segment->marker == kStartOfScan || segment->marker == kEndOfImage) {
      return absl::InvalidArgumentError("JPEG is damaged: it has no frame header before its data");
    }
    at = segment->end;
  }
}

absl::Status CheckJpegComplete(absl::string_view bytes) {
  bool has_scan = false;
  size_t at = 2;
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<Segment> segment, SegmentAt(bytes, at));
    if (!segment) break;
    if (segment->marker == kEndOfImage) {
      if (has_scan) return absl::OkStatus();
      return absl::InvalidArgumentError("JPEG is damaged: it ends without any picture data");
    }
    at = segment->end;
    if (segment->marker != kStartOfScan) continue;
    has_scan = true;
    // Entropy-coded data: 0xFF 0x00 is a data byte, 0xFF RSTn a restart; all else ends it.
    while (HasBytes(bytes, at, 2) && (ByteAt(bytes, at) != 0xff || ByteAt(bytes, at + 1) == 0 ||
                                      HasNoLength(ByteAt(bytes, at + 1)))) {
      const size_t next = bytes.find('\xff', ByteAt(bytes, at) == 0xff ? at + 2 : at + 1);
      at = next == absl::string_view::npos ? bytes.size() : next;
    }
  }
  return absl::InvalidArgumentError(absl::StrCat("JPEG is truncated: ", bytes.size(),
                                                 " bytes end without the end-of-image marker"));
}

}  // namespace fovea::internal
