#include "core/data/mix.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace fovea {
namespace {

constexpr uint64_t kMixStream = 0x6d6978;

// log of a draw of Gamma(alpha, 1).
double LogGamma(double alpha, Random& random) {
  // Below 1: Gamma(alpha) = Gamma(alpha + 1) U^(1 / alpha).
  if (alpha < 1) {
    const double boost = std::log(1 - random.Uniform()) / alpha;
    return LogGamma(alpha + 1, random) + boost;
  }
  const double d = alpha - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  while (true) {
    const double x = random.Normal(), v = std::pow(1 + c * x, 3);
    const double u = 1 - random.Uniform();
    if (v > 0 && std::log(u) < 0.5 * x * x + d - d * v + d * std::log(v)) return std::log(d * v);
  }
}

PixelBox ChooseBox(double lambda, const PixelShape& shape, Random& random) {
  const double side = std::sqrt(1 - lambda);
  const int w = static_cast<int>(shape.width * side), h = static_cast<int>(shape.height * side);
  const int x = static_cast<int>(random.Below(static_cast<uint64_t>(shape.width)));
  const int y = static_cast<int>(random.Below(static_cast<uint64_t>(shape.height)));
  const int left = x - w / 2, top = y - h / 2;
  return {std::max(left, 0), std::max(top, 0), std::min(left + w, shape.width),
          std::min(top + h, shape.height)};
}

void BlendPair(float lambda, size_t bytes, uint8_t* a, uint8_t* b) {
  for (size_t i = 0; i < bytes; ++i) {
    const float x = a[i], y = b[i];
    const float mixed = lambda * x + (1 - lambda) * y + 0.5f;  // never negative: truncation rounds
    const float other = lambda * y + (1 - lambda) * x + 0.5f;
    a[i] = static_cast<uint8_t>(mixed);
    b[i] = static_cast<uint8_t>(other);
  }
}

void SwapBox(const PixelBox& box, const PixelShape& shape, uint8_t* a, uint8_t* b) {
  const size_t channels = static_cast<size_t>(shape.channels);
  const size_t bytes = static_cast<size_t>(box.right - box.left) * channels;
  for (int y = box.top; y < box.bottom; ++y) {
    const size_t at = (static_cast<size_t>(y) * static_cast<size_t>(shape.width) +
                       static_cast<size_t>(box.left)) *
                      channels;
    std::swap_ranges(a + at, a + at + bytes, b + at);
  }
}

}  // namespace

double DrawBeta(double alpha, Random& random) {
  const double x = LogGamma(alpha, random), y = LogGamma(alpha, random);
  return 1 / (1 + std::exp(y - x));
}

MixChoice ChooseMix(const MixOptions& options, const PixelShape& shape, uint64_t seed,
                    int64_t step) {
  Random random(HashKey(seed, kMixStream, static_cast<uint64_t>(step)));
  const double kind = random.Uniform();
  MixChoice choice;
  if (kind < options.cutmix_probability) {
    choice.kind = MixKind::kCutMix;
    choice.box = ChooseBox(DrawBeta(options.cutmix_alpha, random), shape, random);
    choice.lambda = 1 - static_cast<double>(choice.box.area()) /
                            (static_cast<double>(shape.width) * shape.height);
  } else if (kind < options.cutmix_probability + options.mixup_probability) {
    choice.kind = MixKind::kMixup;
    choice.lambda = DrawBeta(options.mixup_alpha, random);
  }
  return choice;
}

void ApplyMix(const MixChoice& choice, const PixelShape& shape, int64_t n, uint8_t* pixels,
              int64_t labels, float* targets) {
  if (choice.kind == MixKind::kNone) return;
  const size_t bytes = shape.bytes();
  const float lambda = static_cast<float>(choice.lambda);
  for (int64_t i = 0; i < n / 2; ++i) {
    uint8_t *a = pixels + static_cast<size_t>(i) * bytes,
            *b = pixels + static_cast<size_t>(n - 1 - i) * bytes;
    if (choice.kind == MixKind::kMixup) {
      BlendPair(lambda, bytes, a, b);
    } else {
      SwapBox(choice.box, shape, a, b);
    }
    float *t = targets + i * labels, *u = targets + (n - 1 - i) * labels;
    for (int64_t l = 0; l < labels; ++l) {
      const float x = t[l], y = u[l];
      t[l] = lambda * x + (1 - lambda) * y;
      u[l] = lambda * y + (1 - lambda) * x;
    }
  }
}

}  // namespace fovea
