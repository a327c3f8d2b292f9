#include "core/data/augment_erasing.h"

#include <algorithm>
#include <cmath>

namespace fovea {
namespace {

constexpr int kTries = 100;
constexpr uint8_t kGrey = 128;

PixelBox ChooseErased(const ErasingOptions& options, const PixelShape& shape, Random& random) {
  const double picture = static_cast<double>(shape.width) * shape.height;
  const double low = std::log(options.min_ratio), high = std::log(options.max_ratio);
  for (int i = 0; i < kTries; ++i) {
    const double share =
        options.min_area + (options.max_area - options.min_area) * random.Uniform();
    const double ratio = std::exp(low + (high - low) * random.Uniform());
    const int h = static_cast<int>(std::lround(std::sqrt(share * picture * ratio)));
    const int w = static_cast<int>(std::lround(std::sqrt(share * picture / ratio)));
    if (w < 1 || h < 1 || w > shape.width || h > shape.height) continue;
    const int left = static_cast<int>(random.Below(static_cast<uint64_t>(shape.width - w) + 1));
    const int top = static_cast<int>(random.Below(static_cast<uint64_t>(shape.height - h) + 1));
    return {left, top, left + w, top + h};
  }
  return {};
}

PixelBox ChooseCutout(int side, const PixelShape& shape, Random& random) {
  const int x = static_cast<int>(random.Below(static_cast<uint64_t>(shape.width)));
  const int y = static_cast<int>(random.Below(static_cast<uint64_t>(shape.height)));
  const int left = x - side / 2, top = y - side / 2;
  return {std::max(left, 0), std::max(top, 0), std::min(left + side, shape.width),
          std::min(top + side, shape.height)};
}

// Calls fill(begin, bytes) for each row of the box.
template <typename Fill>
void ForRows(const PixelBox& box, const PixelShape& shape, uint8_t* pixels, Fill fill) {
  const size_t channels = static_cast<size_t>(shape.channels);
  const size_t bytes = static_cast<size_t>(box.right - box.left) * channels;
  for (int y = box.top; y < box.bottom; ++y) {
    const size_t at =
        static_cast<size_t>(y) * static_cast<size_t>(shape.width) + static_cast<size_t>(box.left);
    fill(pixels + at * channels, bytes);
  }
}

void FillBox(const PixelBox& box, uint8_t value, const PixelShape& shape, uint8_t* pixels) {
  ForRows(box, shape, pixels,
          [value](uint8_t* begin, size_t bytes) { std::fill_n(begin, bytes, value); });
}

}  // namespace

ErasingChoice ChooseErasing(const ErasingOptions& options, const PixelShape& shape, double strength,
                            Random random) {
  Random erase(random.Next()), cutout(random.Next());
  ErasingChoice choice;
  choice.noise_key = random.Next();
  if (erase.Uniform() < options.erase_probability * strength) {
    choice.erased = ChooseErased(options, shape, erase);
  }
  if (cutout.Uniform() < options.cutout_probability * strength) {
    choice.cutout = ChooseCutout(options.cutout_pixels, shape, cutout);
  }
  return choice;
}

void ApplyErasing(const ErasingChoice& choice, ErasingFill fill, const PixelShape& shape,
                  uint8_t* pixels) {
  if (fill == ErasingFill::kNoise) {
    Random random(choice.noise_key);
    ForRows(choice.erased, shape, pixels, [&random](uint8_t* begin, size_t bytes) {
      std::generate_n(begin, bytes, [&random] { return static_cast<uint8_t>(random.Below(256)); });
    });
  } else {
    FillBox(choice.erased, fill == ErasingFill::kGrey ? kGrey : 0, shape, pixels);
  }
  FillBox(choice.cutout, kGrey, shape, pixels);
}

}  // namespace fovea
