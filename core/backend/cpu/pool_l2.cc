// L2 pooling and its gradient: a plane of pixels at a time, on dense images.
#include <algorithm>
#include <cmath>

#include "core/backend/cpu/host_kernel.h"
#include "core/backend/cpu/lower.h"

namespace fovea::cpu {
namespace {

// The window over one plane of x [H,W] that gives a plane of y.
struct Geometry {
  Geometry(const Pool& pool, const Dims& x, const Dims& y) : window(pool.window) {
    if (pool.global) {
      window = {};
      window.kernel = {static_cast<int32_t>(x[2]), static_cast<int32_t>(x[3])};
    }
    height = x[2], width = x[3], rows = y[2], columns = y[3];
    planes = x[0] * x[1];
  }

  // Calls f(index in x) for the taps of the window at (row, column) inside the plane.
  template <typename F>
  void ForTaps(int64_t row, int64_t column, F f) const {
    const int64_t top = row * window.stride[0] - window.pad[0];
    const int64_t left = column * window.stride[1] - window.pad[1];
    for (int64_t kh = 0; kh < window.kernel[0]; ++kh) {
      const int64_t h = top + kh * window.dilation[0];
      if (h < 0 || h >= height) continue;
      for (int64_t kw = 0; kw < window.kernel[1]; ++kw) {
        const int64_t w = left + kw * window.dilation[1];
        if (w >= 0 && w < width) f(h * width + w);
      }
    }
  }

  Window window;
  int64_t planes = 0, height = 0, width = 0, rows = 0, columns = 0;
};

void ForwardPlane(const Geometry& g, const float* x, float* y) {
  for (int64_t row = 0; row < g.rows; ++row) {
    for (int64_t column = 0; column < g.columns; ++column) {
      float sum = 0;
      g.ForTaps(row, column, [&](int64_t i) { sum += x[i] * x[i]; });
      y[row * g.columns + column] = std::sqrt(sum);
    }
  }
}

void BackwardPlane(const Geometry& g, const float* dy, const float* x, const float* y, float* dx) {
  std::fill_n(dx, g.height * g.width, 0.0f);
  for (int64_t row = 0; row < g.rows; ++row) {
    for (int64_t column = 0; column < g.columns; ++column) {
      const int64_t at = row * g.columns + column;
      if (!(y[at] > 0)) continue;
      const float factor = dy[at] / y[at];
      g.ForTaps(row, column, [&](int64_t i) { dx[i] += factor * x[i]; });
    }
  }
}

}  // namespace

absl::StatusOr<Lowered> LowerL2Pool(const NodeView& view, const Pool& pool) {
  const Geometry g(pool, view.in(0).dims, view.out(0).dims);
  return LowerHost("fovea:l2_pool", [=](Addresses in, Addresses out) {
    ParallelRanges(g.planes, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        ForwardPlane(g, At<float>(in, 0) + i * g.height * g.width,
                     At<float>(out, 0) + i * g.rows * g.columns);
      }
    });
  });
}

absl::StatusOr<Lowered> LowerL2PoolBackward(const NodeView& view, const PoolBackward& pool) {
  const Geometry g(pool.forward, view.out(0).dims, view.in(0).dims);
  return LowerHost("fovea:l2_pool_backward", [=](Addresses in, Addresses out) {
    ParallelRanges(g.planes, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t x = i * g.height * g.width, y = i * g.rows * g.columns;
        BackwardPlane(g, At<float>(in, 0) + y, At<float>(in, 1) + x, At<float>(in, 2) + y,
                      At<float>(out, 0) + x);
      }
    });
  });
}

}  // namespace fovea::cpu
