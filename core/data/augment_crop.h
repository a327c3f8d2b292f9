// Pad-and-crop and flips: exact moves of pixels, in one pass.
#pragma once

#include <cstdint>

#include "core/base/random.h"
#include "core/data/image.h"

namespace fovea {

enum class PadMode {
  kZero,     // black
  kReflect,  // mirrored at the edge, the edge itself not repeated
};

struct CropOptions {
  int pad_pixels = 0;          // pads each side, then cuts the input size at a random place; 0: off
  double flip_horizontal = 0;  // probability of a mirror image, left to right
  double flip_vertical = 0;    // probability of a mirror image, top to bottom
  // Mirrors, left to right, in every second epoch; instead of flip_horizontal.
  bool alternating_flip = false;

  bool enabled() const {
    return pad_pixels > 0 || flip_horizontal > 0 || flip_vertical > 0 || alternating_flip;
  }
};

// What one picture undergoes.
struct CropChoice {
  int shift_x = 0;  // the cut begins shift pixels right of the picture's own corner: [-pad, pad]
  int shift_y = 0;
  bool flip_horizontal = false;
  bool flip_vertical = false;

  bool operator==(const CropChoice&) const = default;
};

// Draws from `random`; all draws are made whatever the options, so that switching one off leaves
// the others alone. `turn` is the hash of the example plus the epoch: alternating_flip mirrors when
// it is even (Jordan 2024, listing 2). With `strength` below 1 each part happens that much more
// rarely.
CropChoice ChooseCrop(const CropOptions& options, double strength, uint64_t turn, Random random);

// Writes the changed picture: source and destination are uint8 [H, W, C] of `shape` and do not
// overlap. First pad and cut, then flip.
void ApplyCrop(const CropChoice& choice, PadMode pad_mode, const PixelShape& shape,
               const uint8_t* source, uint8_t* destination);

}  // namespace fovea
