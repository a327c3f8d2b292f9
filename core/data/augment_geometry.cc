#include "core/data/augment_geometry.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "core/data/opencv_private.h"

namespace fovea {
namespace {

constexpr int kCropTries = 10;

double Between(double low, double high, Random& random) {
  return low + (high - low) * random.Uniform();
}

double Radians(double degrees) { return degrees * std::numbers::pi / 180; }

// The warp that shows p' = c + t + a (p - c), of the 2 x 2 matrix a, row by row: its inverse.
Warp AboutTheMiddle(const PixelShape& shape, const std::array<double, 4>& a, double tx, double ty) {
  const double det = a[0] * a[3] - a[1] * a[2];
  const std::array<double, 4> inverse = {a[3] / det, -a[1] / det, -a[2] / det, a[0] / det};
  const double cx = (shape.width - 1) / 2.0, cy = (shape.height - 1) / 2.0;
  const double x = cx + tx, y = cy + ty;
  return {{inverse[0], inverse[1], cx - inverse[0] * x - inverse[1] * y, inverse[2], inverse[3],
           cy - inverse[2] * x - inverse[3] * y}};
}

Warp ChooseCropWarp(const GeometryOptions& options, const PixelShape& shape, Random& random) {
  const double width = shape.width, height = shape.height;
  for (int i = 0; i < kCropTries; ++i) {
    const double area =
        width * height * Between(options.crop_min_scale, options.crop_max_scale, random);
    const double ratio = std::exp(
        Between(std::log(options.crop_min_ratio), std::log(options.crop_max_ratio), random));
    const double w = std::sqrt(area * ratio), h = std::sqrt(area / ratio);
    const double left = random.Uniform() * (width - w), top = random.Uniform() * (height - h);
    if (w <= width && h <= height) return CropWarp(shape, left, top, w, h);
  }
  const double ratio = std::clamp(width / height, options.crop_min_ratio, options.crop_max_ratio);
  const double w = std::min(width, height * ratio), h = std::min(height, width / ratio);
  return CropWarp(shape, (width - w) / 2, (height - h) / 2, w, h);
}

Warp ChooseAffineWarp(const GeometryOptions& options, const PixelShape& shape, Random& random) {
  const double tx = Between(-options.translate, options.translate, random) * shape.width;
  const double ty = Between(-options.translate, options.translate, random) * shape.height;
  const double scale = Between(options.min_scale, options.max_scale, random);
  const double shear_x = Between(-options.shear_degrees, options.shear_degrees, random);
  const double shear_y = Between(-options.shear_degrees, options.shear_degrees, random);
  return AffineWarp(shape, tx, ty, scale, shear_x, shear_y);
}

}  // namespace

Warp Compose(const Warp& first, const Warp& second) {
  const std::array<double, 6>&a = first.m, &b = second.m;
  return {{a[0] * b[0] + a[1] * b[3], a[0] * b[1] + a[1] * b[4], a[0] * b[2] + a[1] * b[5] + a[2],
           a[3] * b[0] + a[4] * b[3], a[3] * b[1] + a[4] * b[4], a[3] * b[2] + a[4] * b[5] + a[5]}};
}

Warp CropWarp(const PixelShape& shape, double left, double top, double width, double height) {
  const double sx = width / shape.width, sy = height / shape.height;
  return {{sx, 0, left + sx / 2 - 0.5, 0, sy, top + sy / 2 - 0.5}};
}

Warp RotationWarp(const PixelShape& shape, double degrees) {
  const double c = std::cos(Radians(degrees)), s = std::sin(Radians(degrees));
  return AboutTheMiddle(shape, {c, s, -s, c}, 0, 0);  // y points down
}

Warp AffineWarp(const PixelShape& shape, double translate_x, double translate_y, double scale,
                double shear_x, double shear_y) {
  const std::array<double, 4> a = {scale, scale * std::tan(Radians(shear_x)),
                                   scale * std::tan(Radians(shear_y)), scale};
  return AboutTheMiddle(shape, a, translate_x, translate_y);
}

Warp ChooseWarp(const GeometryOptions& options, const PixelShape& shape, double strength,
                Random random) {
  // A stream for each, so that switching one off leaves the others alone.
  Random crop(random.Next()), affine(random.Next()), rotation(random.Next());
  Warp warp;
  if (crop.Uniform() < options.crop_probability * strength) {
    warp = ChooseCropWarp(options, shape, crop);
  }
  if (affine.Uniform() < options.affine_probability * strength) {
    warp = Compose(warp, ChooseAffineWarp(options, shape, affine));
  }
  if (rotation.Uniform() < options.rotate_probability * strength) {
    const double degrees = Between(-options.rotate_degrees, options.rotate_degrees, rotation);
    warp = Compose(warp, RotationWarp(shape, degrees));
  }
  return warp;
}

absl::Status ApplyWarp(const Warp& warp, PadMode pad_mode, const PixelShape& shape,
                       const uint8_t* source, uint8_t* destination) {
  return internal::CatchOpenCv("warp image", [&]() -> absl::Status {
    const int type = CV_8UC(shape.channels);
    const cv::Mat from(shape.height, shape.width, type, const_cast<uint8_t*>(source));
    cv::Mat to(shape.height, shape.width, type, destination);
    const cv::Matx23d matrix(warp.m.data());
    cv::warpAffine(from, to, matrix, to.size(), cv::INTER_LINEAR | cv::WARP_INVERSE_MAP,
                   pad_mode == PadMode::kZero ? cv::BORDER_CONSTANT : cv::BORDER_REFLECT_101);
    return absl::OkStatus();
  });
}

}  // namespace fovea
