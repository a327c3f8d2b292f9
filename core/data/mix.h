// Mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019): training pictures that are a bit of two.
//
// Example i of a batch of n is mixed with example n - 1 - i; batches are shuffled, so that is a
// random partner, and both of a pair are changed in place at once. The middle one of an odd batch
// is its own partner. What a batch becomes is a function of (seed, step).
#pragma once

#include <cstdint>

#include "core/base/random.h"
#include "core/data/augment_erasing.h"
#include "core/data/image.h"

namespace fovea {

struct MixOptions {
  double mixup_probability = 0;  // of a batch; the two make at most 1
  double mixup_alpha = 0.2;
  double cutmix_probability = 0;
  double cutmix_alpha = 1;

  bool enabled() const { return mixup_probability > 0 || cutmix_probability > 0; }
};

enum class MixKind { kNone, kMixup, kCutMix };

// What one batch undergoes.
struct MixChoice {
  MixKind kind = MixKind::kNone;
  double lambda =
      1;         // share of the example itself in its target: after CutMix, 1 - area of the box
  PixelBox box;  // CutMix: what comes from the partner
};

// A draw of Beta(alpha, alpha), in [0, 1]; alpha > 0. As X / (X + Y) of two Gamma draws (Marsaglia
// and Tsang 2000), in logarithms, so that small alphas do not underflow.
double DrawBeta(double alpha, Random& random);

MixChoice ChooseMix(const MixOptions& options, const PixelShape& shape, uint64_t seed,
                    int64_t step);

// Mixes a whole batch: pixels uint8 [n, H, W, C], targets [n, labels]. Mixed pixels are rounded to
// 8 bits; targets become soft.
void ApplyMix(const MixChoice& choice, const PixelShape& shape, int64_t n, uint8_t* pixels,
              int64_t labels, float* targets);

}  // namespace fovea
