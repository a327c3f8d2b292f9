// Random changes of training pictures, as pure functions of a key: the same key gives the same
// picture on every thread and after every resume.
#pragma once

#include <cstdint>

#include "core/data/image.h"

namespace fovea {

enum class PadMode {
  kZero,     // black
  kReflect,  // mirrored at the edge, the edge itself not repeated
};

struct AugmentOptions {
  int pad_pixels = 0;  // pads each side, then cuts the input size at a random place; 0: off
  PadMode pad_mode = PadMode::kZero;
  double flip_horizontal = 0;  // probability of a mirror image, left to right
  double flip_vertical = 0;    // probability of a mirror image, top to bottom

  bool enabled() const { return pad_pixels > 0 || flip_horizontal > 0 || flip_vertical > 0; }
};

// What one picture undergoes.
struct AugmentChoice {
  int shift_x = 0;  // the cut begins shift pixels right of the picture's own corner: [-pad, pad]
  int shift_y = 0;
  bool flip_horizontal = false;
  bool flip_vertical = false;
};

// Draws the choice of one example at one step.
AugmentChoice ChooseAugment(const AugmentOptions& options, uint64_t seed, int64_t step,
                            int64_t example);

// Writes the changed picture: source and destination are uint8 [H, W, C] of `shape` and do not
// overlap. First pad and cut, then flip.
void ApplyAugment(const AugmentChoice& choice, PadMode pad_mode, const PixelShape& shape,
                  const uint8_t* source, uint8_t* destination);

}  // namespace fovea
