// Changes of single values and of small neighbourhoods: colour jitter, blur, noise. In place, on
// uint8 [H, W, C], C 1 grey or 3 RGB. Results are rounded and clipped to 8 bits.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "core/base/random.h"
#include "core/data/image.h"

namespace fovea {

// v <- factor v.
void ScaleBrightness(double factor, const PixelShape& shape, uint8_t* pixels);
// v <- factor v + (1 - factor) m, m the mean luma of the picture.
void ScaleContrast(double factor, const PixelShape& shape, uint8_t* pixels);
// v <- factor v + (1 - factor) g, g the luma of the pixel (ITU-R BT.601). Grey stays.
void ScaleSaturation(double factor, const PixelShape& shape, uint8_t* pixels);
// Adds `turns` of the circle to the hue of HSV. Grey stays.
absl::Status ShiftHue(double turns, const PixelShape& shape, uint8_t* pixels,
                      std::vector<uint8_t>* scratch);
// Gaussian of `sigma` pixels, cut off at three of it; mirrored at the edge.
absl::Status Blur(double sigma, const PixelShape& shape, uint8_t* pixels);
// Adds a normal draw of `deviation` levels to each value; the draws are a function of `key`.
absl::Status AddNoise(double deviation, uint64_t key, const PixelShape& shape, uint8_t* pixels,
                      std::vector<uint8_t>* scratch);

struct ColorOptions {
  double jitter_probability = 0;
  // Each factor is uniform in [max(0, 1 - x), 1 + x]; 0: off.
  double brightness = 0, contrast = 0, saturation = 0;
  double hue = 0;  // turns, uniform in [-hue, hue]
  double blur_probability = 0;
  double min_sigma = 0.1, max_sigma = 2;  // pixels
  double noise_probability = 0;
  double noise_deviation = 0.05;  // share of the full scale; uniform in [0, it]

  bool enabled() const {
    return jitter_probability > 0 || blur_probability > 0 || noise_probability > 0;
  }
};

struct ColorChoice {
  double brightness = 1, contrast = 1, saturation = 1;  // factors
  double hue = 0;                                       // turns
  double sigma = 0;                                     // of the blur; 0: none
  double deviation = 0;                                 // of the noise, in levels; 0: none
  uint64_t noise_key = 0;
};

ColorChoice ChooseColor(const ColorOptions& options, double strength, Random random);

// Brightness, contrast, saturation, hue, blur, noise, as far as chosen.
absl::Status ApplyColor(const ColorChoice& choice, const PixelShape& shape, uint8_t* pixels,
                        std::vector<uint8_t>* scratch);

}  // namespace fovea
