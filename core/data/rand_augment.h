// RandAugment (Cubuk et al. 2020): n operations drawn from fourteen, all of one magnitude.
//
// In place, on uint8 [H, W, C]. The strengths are those of the reference implementation at
// magnitude m of 30; see RandAugment in proto/fovea/v1/augmentation.proto.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "core/base/random.h"
#include "core/data/augment_crop.h"
#include "core/data/image.h"

namespace fovea {

enum class RandOp {
  kIdentity,
  kAutoContrast,
  kEqualize,
  kRotate,
  kSolarize,
  kColor,
  kPosterize,
  kContrast,
  kBrightness,
  kSharpness,
  kShearX,
  kShearY,
  kTranslateX,
  kTranslateY,
};
inline constexpr int kRandOps = 14;

struct RandAugmentOptions {
  double probability = 0;
  int operations = 2;
  double magnitude = 9;  // in [0, 30]

  bool enabled() const { return probability > 0; }
};

// Stretches each channel to [0, 255]: v <- 255 (v - min) / (max - min); a flat one stays.
void AutoContrast(const PixelShape& shape, uint8_t* pixels);
// Makes each channel's distribution uniform: v <- (s + (values below v)) / step with step the
// values that do not have the largest level, over 255, rounded down, and s half of it; a channel
// whose step is 0 stays. (As the Python Imaging Library does.)
void Equalize(const PixelShape& shape, uint8_t* pixels);
// v <- 255 - v where v >= threshold.
void Solarize(double threshold, const PixelShape& shape, uint8_t* pixels);
// Keeps the upper `bits`, 1 to 8.
void Posterize(int bits, const PixelShape& shape, uint8_t* pixels);
// v <- factor v + (1 - factor) s, s smoothed with (1 1 1; 1 5 1; 1 1 1) / 13; the outermost pixels
// stay.
void Sharpen(double factor, const PixelShape& shape, uint8_t* pixels,
             std::vector<uint8_t>* scratch);

// One operation at `magnitude`; `sign` is 1 or -1.
absl::Status ApplyRandOp(RandOp op, double magnitude, int sign, PadMode pad_mode,
                         const PixelShape& shape, uint8_t* pixels, std::vector<uint8_t>* scratch);

// Draws and applies, with probability times `strength`.
absl::Status ApplyRandAugment(const RandAugmentOptions& options, PadMode pad_mode, double strength,
                              Random random, const PixelShape& shape, uint8_t* pixels,
                              std::vector<uint8_t>* scratch);

}  // namespace fovea
