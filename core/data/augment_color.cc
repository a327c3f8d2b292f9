#include "core/data/augment_color.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "core/base/status.h"
#include "core/data/opencv_private.h"

namespace fovea {
namespace {

uint8_t Round(double value) { return static_cast<uint8_t>(std::clamp(value + 0.5, 0.0, 255.0)); }

// ITU-R BT.601, of one RGB pixel.
double Luma(const uint8_t* p) { return 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]; }

double MeanLuma(const PixelShape& shape, const uint8_t* pixels) {
  const size_t count = static_cast<size_t>(shape.width) * static_cast<size_t>(shape.height);
  std::array<int64_t, 3> sums = {};
  const size_t channels = static_cast<size_t>(shape.channels);
  for (size_t i = 0; i < count; ++i) {
    for (size_t c = 0; c < channels; ++c) sums[c] += pixels[i * channels + c];
  }
  const auto mean = [&](size_t c) {
    return static_cast<double>(sums[c]) / static_cast<double>(count);
  };
  return channels == 1 ? mean(0) : 0.299 * mean(0) + 0.587 * mean(1) + 0.114 * mean(2);
}

// v <- factor v + offset.
void Blend(double factor, double offset, const PixelShape& shape, uint8_t* pixels) {
  std::array<uint8_t, 256> table;
  for (size_t v = 0; v < table.size(); ++v) {
    table[v] = Round(factor * static_cast<double>(v) + offset);
  }
  for (uint8_t *p = pixels, *end = pixels + shape.bytes(); p != end; ++p) *p = table[*p];
}

cv::Mat View(const PixelShape& shape, uint8_t* pixels) {
  return cv::Mat(shape.height, shape.width, CV_8UC(shape.channels), pixels);
}

double Factor(double strength, Random& random) {
  const double low = std::max(0.0, 1 - strength);
  return low + (1 + strength - low) * random.Uniform();
}

}  // namespace

void ScaleBrightness(double factor, const PixelShape& shape, uint8_t* pixels) {
  Blend(factor, 0, shape, pixels);
}

void ScaleContrast(double factor, const PixelShape& shape, uint8_t* pixels) {
  Blend(factor, (1 - factor) * MeanLuma(shape, pixels), shape, pixels);
}

void ScaleSaturation(double factor, const PixelShape& shape, uint8_t* pixels) {
  if (shape.channels == 1) return;
  for (uint8_t *p = pixels, *end = pixels + shape.bytes(); p != end; p += 3) {
    const double grey = (1 - factor) * Luma(p);
    for (int c = 0; c < 3; ++c) p[c] = Round(factor * p[c] + grey);
  }
}

absl::Status ShiftHue(double turns, const PixelShape& shape, uint8_t* pixels,
                      std::vector<uint8_t>* scratch) {
  if (shape.channels == 1) return absl::OkStatus();
  return internal::CatchOpenCv("shift hue", [&]() -> absl::Status {
    // In float: 8 bits of hue, saturation and value do not give back all colours.
    scratch->resize(shape.bytes() * sizeof(float));
    cv::Mat hsv(shape.height, shape.width, CV_32FC3, scratch->data());
    cv::Mat image = View(shape, pixels);
    image.convertTo(hsv, CV_32FC3, 1 / 255.0);
    cv::cvtColor(hsv, hsv, cv::COLOR_RGB2HSV);
    const float degrees = static_cast<float>(turns * 360);
    float* value = hsv.ptr<float>();
    for (float* end = value + shape.bytes(); value != end; value += 3) {
      value[0] += degrees;
      if (value[0] >= 360) value[0] -= 360;
      if (value[0] < 0) value[0] += 360;
    }
    cv::cvtColor(hsv, hsv, cv::COLOR_HSV2RGB);
    hsv.convertTo(image, CV_8UC3, 255);
    return absl::OkStatus();
  });
}

absl::Status Blur(double sigma, const PixelShape& shape, uint8_t* pixels) {
  return internal::CatchOpenCv("blur image", [&]() -> absl::Status {
    cv::Mat image = View(shape, pixels);
    const int side = 2 * static_cast<int>(std::ceil(3 * sigma)) + 1;
    cv::GaussianBlur(image, image, cv::Size(side, side), sigma, sigma, cv::BORDER_REFLECT_101);
    return absl::OkStatus();
  });
}

absl::Status AddNoise(double deviation, uint64_t key, const PixelShape& shape, uint8_t* pixels,
                      std::vector<uint8_t>* scratch) {
  return internal::CatchOpenCv("add noise", [&]() -> absl::Status {
    scratch->resize(shape.bytes() * sizeof(float));
    cv::Mat noise(shape.height, shape.width, CV_32FC(shape.channels), scratch->data());
    cv::RNG(key).fill(noise, cv::RNG::NORMAL, 0, deviation);
    cv::Mat image = View(shape, pixels);
    cv::add(image, noise, image, cv::noArray(), CV_8U);
    return absl::OkStatus();
  });
}

ColorChoice ChooseColor(const ColorOptions& options, double strength, Random random) {
  Random jitter(random.Next()), blur(random.Next()), noise(random.Next());
  ColorChoice choice;
  if (jitter.Uniform() < options.jitter_probability * strength) {
    choice.brightness = Factor(options.brightness, jitter);
    choice.contrast = Factor(options.contrast, jitter);
    choice.saturation = Factor(options.saturation, jitter);
    choice.hue = options.hue * (2 * jitter.Uniform() - 1);
  }
  if (blur.Uniform() < options.blur_probability * strength) {
    choice.sigma = options.min_sigma + (options.max_sigma - options.min_sigma) * blur.Uniform();
  }
  if (noise.Uniform() < options.noise_probability * strength) {
    choice.deviation = 255 * options.noise_deviation * noise.Uniform();
    choice.noise_key = noise.Next();
  }
  return choice;
}

absl::Status ApplyColor(const ColorChoice& choice, const PixelShape& shape, uint8_t* pixels,
                        std::vector<uint8_t>* scratch) {
  if (choice.brightness != 1) ScaleBrightness(choice.brightness, shape, pixels);
  if (choice.contrast != 1) ScaleContrast(choice.contrast, shape, pixels);
  if (choice.saturation != 1) ScaleSaturation(choice.saturation, shape, pixels);
  if (choice.hue != 0) RETURN_IF_ERROR(ShiftHue(choice.hue, shape, pixels, scratch));
  if (choice.sigma > 0) RETURN_IF_ERROR(Blur(choice.sigma, shape, pixels));
  if (choice.deviation > 0) {
    RETURN_IF_ERROR(AddNoise(choice.deviation, choice.noise_key, shape, pixels, scratch));
  }
  return absl::OkStatus();
}

}  // namespace fovea
