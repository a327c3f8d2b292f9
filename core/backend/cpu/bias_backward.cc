// BiasBackward: the sum of dy over all axes but the channels', in any activation layout.
//
// A thread owns channels, so the result does not depend on the width. Short runs are summed in
// float, runs in double.
#include <vector>

#include "core/backend/cpu/host_kernel.h"
#include "core/backend/cpu/layouts.h"
#include "core/backend/cpu/lower.h"
#include "core/tensor/half.h"

namespace fovea::cpu {
namespace {

constexpr int64_t kRun = 256;   // rows whose sum stays in float
constexpr int64_t kLanes = 16;  // channels summed side by side

// sums[lane] += Σ rows[row · stride + lane], for `lanes` ≤ kLanes.
template <typename T>
__attribute__((always_inline)) inline void SumLanesOf(const T* rows, int64_t count, int64_t stride,
                                                      int64_t lanes, double* sums) {
  for (int64_t first = 0; first < count; first += kRun) {
    const int64_t last = std::min(count, first + kRun);
    float run[kLanes] = {};
    if (lanes == kLanes) {
      for (int64_t row = first; row < last; ++row) {
        for (int64_t lane = 0; lane < kLanes; ++lane)
          run[lane] += ToFloat(rows[row * stride + lane]);
      }
    } else {
      for (int64_t row = first; row < last; ++row) {
        for (int64_t lane = 0; lane < lanes; ++lane)
          run[lane] += ToFloat(rows[row * stride + lane]);
      }
    }
    for (int64_t lane = 0; lane < lanes; ++lane) sums[lane] += run[lane];
  }
}

template <typename T>
__attribute__((always_inline)) inline double SumPlaneOf(const T* plane, int64_t count) {
  float lanes[kLanes] = {};
  const int64_t whole = count / kLanes * kLanes;
  for (int64_t i = 0; i < whole; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += ToFloat(plane[i + lane]);
  }
  double sum = 0;
  for (float lane : lanes) sum += lane;
  for (int64_t i = whole; i < count; ++i) sum += ToFloat(plane[i]);
  return sum;
}

FOVEA_MULTIVERSION
void SumLanes(const float* rows, int64_t count, int64_t stride, int64_t lanes, double* sums) {
  SumLanesOf(rows, count, stride, lanes, sums);
}
FOVEA_MULTIVERSION
void SumLanes(const Bf16* rows, int64_t count, int64_t stride, int64_t lanes, double* sums) {
  SumLanesOf(rows, count, stride, lanes, sums);
}

FOVEA_MULTIVERSION
double SumPlane(const float* plane, int64_t count) { return SumPlaneOf(plane, count); }
FOVEA_MULTIVERSION
double SumPlane(const Bf16* plane, int64_t count) { return SumPlaneOf(plane, count); }

struct Extents {
  int64_t n, c, pixels;
  explicit Extents(const Dims& dims) : n(dims[0]), c(dims[1]), pixels(1) {
    for (int axis = 2; axis < dims.rank(); ++axis) pixels *= dims[axis];
  }
};

template <typename T>
void Dense(const T* dy, const Extents& e, float* db) {
  ParallelRanges(e.c, 1, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      double sum = 0;
      for (int64_t n = 0; n < e.n; ++n) sum += SumPlane(dy + (n * e.c + c) * e.pixels, e.pixels);
      db[c] = static_cast<float>(sum);
    }
  });
}

template <typename T>
void Nhwc(const T* dy, const Extents& e, float* db) {
  ParallelRanges(e.c, kLanes, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; c += kLanes) {
      const int64_t lanes = std::min(kLanes, end - c);
      double sums[kLanes] = {};
      SumLanes(dy + c, e.n * e.pixels, e.c, lanes, sums);
      for (int64_t lane = 0; lane < lanes; ++lane) db[c + lane] = static_cast<float>(sums[lane]);
    }
  });
}

template <typename T>
void Blocked(const T* dy, const Extents& e, float* db) {
  const int64_t block = BlockChannels(), blocks = (e.c + block - 1) / block;
  ParallelRanges(blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      double sums[kLanes] = {};
      for (int64_t n = 0; n < e.n; ++n) {
        SumLanes(dy + (n * blocks + b) * e.pixels * block, e.pixels, block, block, sums);
      }
      const int64_t lanes = std::min(block, e.c - b * block);
      for (int64_t lane = 0; lane < lanes; ++lane) {
        db[b * block + lane] = static_cast<float>(sums[lane]);
      }
    }
  });
}

template <typename T>
Lowered BiasBackwardOf(const Type& type) {
  const Extents extents(type.dims);
  const Layout layout = type.layout;
  return LowerHost("fovea:bias_backward", [=](Addresses in, Addresses out) {
    const T* dy = At<T>(in, 0);
    float* db = At<float>(out, 0);
    if (layout == kBlocked) return Blocked(dy, extents, db);
    if (layout == kNhwc || extents.pixels == 1) return Nhwc(dy, extents, db);
    Dense(dy, extents, db);
  });
}

}  // namespace

absl::StatusOr<Lowered> LowerBiasBackward(const NodeView& view) {
  const Type type = view.in(0);
  return type.dtype == DType::kBF16 ? BiasBackwardOf<Bf16>(type) : BiasBackwardOf<float>(type);
}

}  // namespace fovea::cpu
