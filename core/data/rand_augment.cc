#include "core/data/rand_augment.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "core/base/status.h"
#include "core/data/augment_color.h"
#include "core/data/augment_geometry.h"

namespace fovea {
namespace {

constexpr double kMaxMagnitude = 30;

using Table = std::array<uint8_t, 256>;

void Map(const Table& table, size_t channel, const PixelShape& shape, uint8_t* pixels) {
  const size_t step = static_cast<size_t>(shape.channels);
  for (size_t i = channel; i < shape.bytes(); i += step) pixels[i] = table[pixels[i]];
}

void MapAll(const Table& table, const PixelShape& shape, uint8_t* pixels) {
  for (size_t i = 0; i < shape.bytes(); ++i) pixels[i] = table[pixels[i]];
}

std::array<int64_t, 256> CountLevels(size_t channel, const PixelShape& shape,
                                     const uint8_t* pixels) {
  std::array<int64_t, 256> counts = {};
  const size_t step = static_cast<size_t>(shape.channels);
  for (size_t i = channel; i < shape.bytes(); i += step) ++counts[pixels[i]];
  return counts;
}

absl::Status WarpInPlace(const Warp& warp, PadMode pad_mode, const PixelShape& shape,
                         uint8_t* pixels, std::vector<uint8_t>* scratch) {
  scratch->assign(pixels, pixels + shape.bytes());
  return ApplyWarp(warp, pad_mode, shape, scratch->data(), pixels);
}

}  // namespace

void AutoContrast(const PixelShape& shape, uint8_t* pixels) {
  for (size_t c = 0; c < static_cast<size_t>(shape.channels); ++c) {
    const std::array<int64_t, 256> counts = CountLevels(c, shape, pixels);
    size_t low = 0, high = 255;
    while (low < 255 && counts[low] == 0) ++low;
    while (high > 0 && counts[high] == 0) --high;
    if (low >= high) continue;
    Table table;
    for (size_t v = 0; v < table.size(); ++v) {
      const double level = 255.0 * (static_cast<double>(v) - static_cast<double>(low)) /
                           static_cast<double>(high - low);
      table[v] = static_cast<uint8_t>(std::clamp(level + 0.5, 0.0, 255.0));
    }
    Map(table, c, shape, pixels);
  }
}

void Equalize(const PixelShape& shape, uint8_t* pixels) {
  for (size_t c = 0; c < static_cast<size_t>(shape.channels); ++c) {
    const std::array<int64_t, 256> counts = CountLevels(c, shape, pixels);
    size_t largest = 255;
    while (counts[largest] == 0) --largest;
    const int64_t total = int64_t{shape.width} * shape.height;
    const int64_t step = (total - counts[largest]) / 255;
    if (step == 0) continue;
    Table table;
    int64_t below = step / 2;
    for (size_t v = 0; v < table.size(); ++v) {
      table[v] = static_cast<uint8_t>(std::min<int64_t>(below / step, 255));
      below += counts[v];
    }
    Map(table, c, shape, pixels);
  }
}

void Solarize(double threshold, const PixelShape& shape, uint8_t* pixels) {
  Table table;
  for (size_t v = 0; v < table.size(); ++v) {
    table[v] = static_cast<uint8_t>(static_cast<double>(v) >= threshold ? 255 - v : v);
  }
  MapAll(table, shape, pixels);
}

void Posterize(int bits, const PixelShape& shape, uint8_t* pixels) {
  const uint8_t mask = static_cast<uint8_t>(0xff << (8 - bits));
  for (size_t i = 0; i < shape.bytes(); ++i) pixels[i] &= mask;
}

void Sharpen(double factor, const PixelShape& shape, uint8_t* pixels,
             std::vector<uint8_t>* scratch) {
  scratch->assign(pixels, pixels + shape.bytes());
  const int64_t step = shape.channels, row = step * shape.width;
  for (int64_t y = 1; y + 1 < shape.height; ++y) {
    for (int64_t x = step; x < row - step; ++x) {
      const uint8_t* p = scratch->data() + y * row + x;
      int sum = 4 * p[0];
      for (int64_t dy = -row; dy <= row; dy += row) sum += p[dy - step] + p[dy] + p[dy + step];
      const double smooth = sum / 13.0;
      const double value = factor * p[0] + (1 - factor) * smooth;
      pixels[y * row + x] = static_cast<uint8_t>(std::clamp(value + 0.5, 0.0, 255.0));
    }
  }
}

absl::Status ApplyRandOp(RandOp op, double magnitude, int sign, PadMode pad_mode,
                         const PixelShape& shape, uint8_t* pixels, std::vector<uint8_t>* scratch) {
  const double share = magnitude / kMaxMagnitude;
  const double factor = 1 + sign * 0.9 * share;
  const double degrees = std::atan(sign * 0.3 * share) * 180 / std::numbers::pi;  // of a shear
  const double shift = sign * 0.45 * share;
  const auto warp = [&](const Warp& w) { return WarpInPlace(w, pad_mode, shape, pixels, scratch); };
  switch (op) {
    case RandOp::kIdentity:
      break;
    case RandOp::kAutoContrast:
      AutoContrast(shape, pixels);
      break;
    case RandOp::kEqualize:
      Equalize(shape, pixels);
      break;
    case RandOp::kRotate:
      return warp(RotationWarp(shape, sign * 30 * share));
    case RandOp::kSolarize:
      Solarize(255 * (1 - share), shape, pixels);
      break;
    case RandOp::kColor:
      ScaleSaturation(factor, shape, pixels);
      break;
    case RandOp::kPosterize:
      Posterize(8 - static_cast<int>(std::lround(4 * share)), shape, pixels);
      break;
    case RandOp::kContrast:
      ScaleContrast(factor, shape, pixels);
      break;
    case RandOp::kBrightness:
      ScaleBrightness(factor, shape, pixels);
      break;
    case RandOp::kSharpness:
      Sharpen(factor, shape, pixels, scratch);
      break;
    case RandOp::kShearX:
      return warp(AffineWarp(shape, 0, 0, 1, degrees, 0));
    case RandOp::kShearY:
      return warp(AffineWarp(shape, 0, 0, 1, 0, degrees));
    case RandOp::kTranslateX:
      return warp(AffineWarp(shape, shift * shape.width, 0, 1, 0, 0));
    case RandOp::kTranslateY:
      return warp(AffineWarp(shape, 0, shift * shape.height, 1, 0, 0));
  }
  return absl::OkStatus();
}

absl::Status ApplyRandAugment(const RandAugmentOptions& options, PadMode pad_mode, double strength,
                              Random random, const PixelShape& shape, uint8_t* pixels,
                              std::vector<uint8_t>* scratch) {
  if (random.Uniform() >= options.probability * strength) return absl::OkStatus();
  for (int i = 0; i < options.operations; ++i) {
    const RandOp op = static_cast<RandOp>(random.Below(kRandOps));
    const int sign = random.Below(2) == 0 ? 1 : -1;
    RETURN_IF_ERROR(ApplyRandOp(op, options.magnitude, sign, pad_mode, shape, pixels, scratch));
  }
  return absl::OkStatus();
}

}  // namespace fovea
