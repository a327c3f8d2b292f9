// Local response normalisation and its gradient: a plane of pixels at a time, on dense images.
#include <algorithm>
#include <cmath>

#include "core/backend/cpu/host_kernel.h"
#include "core/backend/cpu/lower.h"

namespace fovea::cpu {
namespace {

struct Extents {
  explicit Extents(const Dims& x) : batch(x[0]), channels(x[1]), plane(x[2] * x[3]) {}
  int64_t batch, channels, plane;
};

// sums = bias + factor Σ x² over planes [first, last], `plane` apart.
FOVEA_MULTIVERSION
void Scales(const float* x, int64_t first, int64_t last, int64_t plane, float bias, float factor,
            float* sums) {
  std::fill_n(sums, plane, 0.0f);
  for (int64_t c = first; c <= last; ++c) {
    const float* row = x + c * plane;
    for (int64_t p = 0; p < plane; ++p) sums[p] += row[p] * row[p];
  }
  for (int64_t p = 0; p < plane; ++p) sums[p] = bias + factor * sums[p];
}

// powers = scales^−beta; Krizhevsky's 3/4 by two roots, which vectorise.
FOVEA_MULTIVERSION
void Powers(const float* scales, float beta, int64_t count, float* powers) {
  if (beta == 0.75f) {
    for (int64_t i = 0; i < count; ++i) {
      const float root = std::sqrt(scales[i]);
      powers[i] = 1 / (root * std::sqrt(root));
    }
  } else {
    for (int64_t i = 0; i < count; ++i) powers[i] = std::pow(scales[i], -beta);
  }
}

FOVEA_MULTIVERSION
void Multiply(const float* a, const float* b, float* y, int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] = a[i] * b[i];
}

// terms = dy x s^(−β−1).
FOVEA_MULTIVERSION
void Terms(const float* dy, const float* x, const float* power, const float* scale, float* terms,
           int64_t count) {
  for (int64_t i = 0; i < count; ++i) terms[i] = dy[i] * x[i] * power[i] / scale[i];
}

// dx = dy power − factor x Σ terms.
FOVEA_MULTIVERSION
void Gradient(const float* dy, const float* power, const float* x, const float* sum, float factor,
              float* dx, int64_t count) {
  for (int64_t i = 0; i < count; ++i) dx[i] = dy[i] * power[i] - factor * x[i] * sum[i];
}

FOVEA_MULTIVERSION
void SumPlanes(const float* rows, int64_t first, int64_t last, int64_t plane, float* sum) {
  std::fill_n(sum, plane, 0.0f);
  for (int64_t c = first; c <= last; ++c) {
    for (int64_t p = 0; p < plane; ++p) sum[p] += rows[c * plane + p];
  }
}

struct Band {
  Band(const LocalResponseNorm& norm, int64_t channels, int64_t c)
      : first(std::max<int64_t>(0, c - norm.size / 2)),
        last(std::min<int64_t>(channels - 1, c + norm.size / 2)) {}
  int64_t first, last;
};

}  // namespace

absl::StatusOr<Lowered> LowerLocalResponseNorm(const NodeView& view,
                                               const LocalResponseNorm& norm) {
  const Extents e(view.in(0).dims);
  const size_t scratch = e.batch * e.channels * e.plane * sizeof(float);
  return LowerHost(
      "fovea:local_response_norm", scratch, [=](Addresses in, Addresses out, void* memory) {
        ParallelRanges(e.batch * e.channels, 1, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) {
            const int64_t n = i / e.channels, c = i % e.channels;
            const float* x = At<float>(in, 0) + n * e.channels * e.plane;
            float* scale = static_cast<float*>(memory) + i * e.plane;
            float* y = At<float>(out, 0) + i * e.plane;
            const Band band(norm, e.channels, c);
            Scales(x, band.first, band.last, e.plane, norm.bias, norm.alpha / norm.size, scale);
            Powers(scale, norm.beta, e.plane, scale);
            Multiply(x + c * e.plane, scale, y, e.plane);
          }
        });
      });
}

absl::StatusOr<Lowered> LowerLocalResponseNormBackward(const NodeView& view,
                                                       const LocalResponseNorm& norm) {
  const Extents e(view.in(0).dims);
  const int64_t example = e.channels * e.plane;
  const size_t scratch = 3 * e.batch * example * sizeof(float);
  const float factor = 2 * norm.alpha * norm.beta / norm.size;
  return LowerHost("fovea:local_response_norm_backward", scratch,
                   [=](Addresses in, Addresses out, void* memory) {
                     ParallelRanges(e.batch, 1, [&](int64_t begin, int64_t end) {
                       for (int64_t n = begin; n < end; ++n) {
                         const float *x = At<float>(in, 0) + n * example,
                                     *dy = At<float>(in, 1) + n * example;
                         float* dx = At<float>(out, 0) + n * example;
                         float* scales = static_cast<float*>(memory) + 3 * n * example;
                         float *powers = scales + example, *terms = powers + example;
                         for (int64_t c = 0; c < e.channels; ++c) {
                           const Band band(norm, e.channels, c);
                           Scales(x, band.first, band.last, e.plane, norm.bias,
                                  norm.alpha / norm.size, scales + c * e.plane);
                         }
                         Powers(scales, norm.beta, example, powers);
                         Terms(dy, x, powers, scales, terms, example);
                         for (int64_t c = 0; c < e.channels; ++c) {
                           const Band band(norm, e.channels, c);
                           const int64_t at = c * e.plane;
                           float* sum = scales;  // no longer needed
                           SumPlanes(terms, band.first, band.last, e.plane, sum);
                           Gradient(dy + at, powers + at, x + at, sum, factor, dx + at, e.plane);
                         }
                       }
                     });
                   });
}

}  // namespace fovea::cpu
