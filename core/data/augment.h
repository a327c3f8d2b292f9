// Random changes of training pictures, as pure functions of a key: the same key gives the same
// picture on every thread and after every resume.
//
// The families have files of their own, and act in this order: warp (augment_geometry.h), crop and
// flips (augment_crop.h), RandAugment (rand_augment.h), colour, blur and noise (augment_color.h),
// erasing and cutout (augment_erasing.h). Each draws from a stream of its own, so that switching
// one on leaves the others as they were. What mixes pictures of a batch is in mix.h.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "core/data/augment_color.h"
#include "core/data/augment_crop.h"
#include "core/data/augment_erasing.h"
#include "core/data/augment_geometry.h"
#include "core/data/image.h"
#include "core/data/rand_augment.h"

namespace fovea {

struct AugmentOptions {
  PadMode pad_mode = PadMode::kZero;  // of crop and warps
  CropOptions crop;
  GeometryOptions geometry;
  RandAugmentOptions rand;
  ColorOptions color;
  ErasingOptions erasing;

  bool enabled() const {
    return crop.enabled() || geometry.enabled() || rand.enabled() || color.enabled() ||
           erasing.enabled();
  }
};

// What the changes of one picture are a function of.
struct AugmentKey {
  uint64_t seed = 0;
  int64_t step = 0;
  int64_t epoch = 0;    // for the alternating flip
  int64_t example = 0;  // index into the data set
  int repeat = 0;       // how often the example stood earlier in the same batch
};

// Applies the options to one picture after another. Holds scratch memory: one thread at a time.
class Augmenter {
 public:
  // All pictures are of `shape`.
  Augmenter(const AugmentOptions& options, const PixelShape& shape)
      : options_(options), shape_(shape) {}

  // Writes the changed picture; source and destination are uint8 [H, W, C] and do not overlap.
  // `strength`, in [0, 1], multiplies every probability, and pad-and-crop, which has none, happens
  // with probability `strength`. ResourceExhausted: out of memory.
  absl::Status Apply(const AugmentKey& key, double strength, const uint8_t* source,
                     uint8_t* destination);

 private:
  const AugmentOptions options_;
  const PixelShape shape_;
  std::vector<uint8_t> warped_;
  std::vector<uint8_t> scratch_;
};

}  // namespace fovea
