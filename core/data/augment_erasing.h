// Random erasing (Zhong et al. 2020) and cutout (DeVries and Taylor 2017): a part of the picture is
// overwritten, in place.
#pragma once

#include <cstdint>

#include "core/base/random.h"
#include "core/data/image.h"

namespace fovea {

enum class ErasingFill { kNoise, kGrey, kBlack };

struct ErasingOptions {
  double erase_probability = 0;
  double min_area = 0.02, max_area = 0.4;       // share of the picture's area
  double min_ratio = 0.3, max_ratio = 1 / 0.3;  // height over width
  ErasingFill fill = ErasingFill::kNoise;
  double cutout_probability = 0;
  int cutout_pixels = 1;  // side of the square

  bool enabled() const { return erase_probability > 0 || cutout_probability > 0; }
};

// Pixels [left, right) x [top, bottom), inside the picture; empty: none.
struct PixelBox {
  int left = 0, top = 0, right = 0, bottom = 0;

  int64_t area() const { return int64_t{right - left} * (bottom - top); }
  bool operator==(const PixelBox&) const = default;
};

struct ErasingChoice {
  PixelBox erased, cutout;
  uint64_t noise_key = 0;
};

ErasingChoice ChooseErasing(const ErasingOptions& options, const PixelShape& shape, double strength,
                            Random random);

// Random erasing first, then cutout with grey.
void ApplyErasing(const ErasingChoice& choice, ErasingFill fill, const PixelShape& shape,
                  uint8_t* pixels);

}  // namespace fovea
