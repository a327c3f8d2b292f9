// CRC-32C (Castagnoli polynomial, as in iSCSI, RFC 3720 appendix B.4): finds damaged bytes. Not a
// defence against somebody who means harm.
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"

namespace fovea {

// The checksum of `bytes` alone, or of what gave `before` followed by `bytes`.
uint32_t Crc32c(absl::string_view bytes, uint32_t before = 0);

}  // namespace fovea
