// What one request may ask for.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/data/decode.h"

namespace fovea {

struct Limits {
  int max_message_bytes = 64 << 20;  // of one gRPC message, in both directions
  int max_images = 256;              // of one Predict
  int max_imports = 8;               // Import streams at a time
  int max_watchers = 1024;           // Train and Watch streams at a time
  DecodeLimits decode;               // of one picture
};

}  // namespace fovea
