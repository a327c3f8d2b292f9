// Reads numbers from bytes of a file, never beyond their end.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace fovea::internal {

inline uint8_t ByteAt(absl::string_view b, size_t at) { return static_cast<uint8_t>(b[at]); }

// Whether `count` bytes can be read at `at`.
inline bool HasBytes(absl::string_view b, size_t at, size_t count) {
  return at <= b.size() && b.size() - at >= count;
}

inline uint32_t BigEndian16(absl::string_view b, size_t at) {
  return uint32_t{ByteAt(b, at)} << 8 | ByteAt(b, at + 1);
}
inline uint32_t BigEndian32(absl::string_view b, size_t at) {
  return BigEndian16(b, at) << 16 | BigEndian16(b, at + 2);
}
inline uint32_t LittleEndian16(absl::string_view b, size_t at) {
  return uint32_t{ByteAt(b, at + 1)} << 8 | ByteAt(b, at);
}
inline uint32_t LittleEndian24(absl::string_view b, size_t at) {
  return uint32_t{ByteAt(b, at + 2)} << 16 | LittleEndian16(b, at);
}
inline uint32_t LittleEndian32(absl::string_view b, size_t at) {
  return LittleEndian16(b, at + 2) << 16 | LittleEndian16(b, at);
}

}  // namespace fovea::internal
