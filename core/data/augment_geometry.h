// Random resized crop, affine map and rotation: one warp of the picture.
//
// A point p = (x, y) has pixel (i, j)'s centre at (i, j); the middle of a picture is
// ((W - 1) / 2, (H - 1) / 2). Values between pixels are interpolated linearly.
#pragma once

#include <array>
#include <cstdint>

#include "absl/status/status.h"
#include "core/base/random.h"
#include "core/data/augment_crop.h"
#include "core/data/image.h"

namespace fovea {

struct GeometryOptions {
  // Szegedy et al. (2015), section 6: area uniform, logarithm of width / height uniform.
  double crop_probability = 0;
  double crop_min_scale = 0.08, crop_max_scale = 1;           // share of the picture's area
  double crop_min_ratio = 3.0 / 4, crop_max_ratio = 4.0 / 3;  // width over height
  // p' = c + t + s (1, tan a; tan b, 1) (p - c).
  double affine_probability = 0;
  double translate = 0.1;  // largest |t| as a share of the side
  double min_scale = 0.9, max_scale = 1.1;
  double shear_degrees = 0;  // largest |a| and |b|
  // About the middle; positive is counter-clockwise as one looks at the picture.
  double rotate_probability = 0;
  double rotate_degrees = 15;  // largest angle

  bool enabled() const {
    return crop_probability > 0 || affine_probability > 0 || rotate_probability > 0;
  }
};

// From a point of the new picture to the point of the old one that it shows:
// (x, y) -> (m[0] x + m[1] y + m[2], m[3] x + m[4] y + m[5]).
struct Warp {
  std::array<double, 6> m = {1, 0, 0, 0, 1, 0};

  bool IsIdentity() const { return *this == Warp(); }
  bool operator==(const Warp&) const = default;
};

// `first`, then `second`, as one warp.
Warp Compose(const Warp& first, const Warp& second);

// Shows the rectangle of size width x height whose left upper corner (of the pixel, not its centre)
// is (left, top).
Warp CropWarp(const PixelShape& shape, double left, double top, double width, double height);
Warp RotationWarp(const PixelShape& shape, double degrees);
// Angles in degrees; translations in pixels.
Warp AffineWarp(const PixelShape& shape, double translate_x, double translate_y, double scale,
                double shear_x, double shear_y);

// Draws crop, affine map and rotation, in this order. Each happens with its probability times
// `strength`.
Warp ChooseWarp(const GeometryOptions& options, const PixelShape& shape, double strength,
                Random random);

// Writes the warped picture; source and destination are uint8 [H, W, C] and do not overlap.
absl::Status ApplyWarp(const Warp& warp, PadMode pad_mode, const PixelShape& shape,
                       const uint8_t* source, uint8_t* destination);

}  // namespace fovea
