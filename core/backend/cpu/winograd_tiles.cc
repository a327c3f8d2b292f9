#include "core/backend/cpu/winograd_tiles.h"

#include <algorithm>

#include "core/backend/cpu/vectors.h"

namespace fovea::cpu::winograd {
namespace {

constexpr float kSixth = 1.0f / 6;

// ---- One dimension of each transform; `step` is the distance between the values read.

// Bᵀ: 6 to 6.
FOVEA_AVX512_INLINE void InputTransform(const Vector* d, int step, Vector* v) {
  const Vector d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step],
               d5 = d[5 * step];
  v[0] = 4 * d0 + (d4 - 5 * d2);
  const Vector even1 = d4 - 4 * d2, odd1 = d3 - 4 * d1;
  v[1] = even1 + odd1;
  v[2] = even1 - odd1;
  const Vector even2 = d4 - d2, odd2 = d3 - d1;
  v[3] = even2 + 2 * odd2;
  v[4] = even2 - 2 * odd2;
  v[5] = 4 * d1 + (d5 - 5 * d3);
}

// Aᵀ: 6 to 4.
FOVEA_AVX512_INLINE void OutputTransform(const Vector* m, int step, Vector* y) {
  const Vector m0 = m[0], m1 = m[step], m2 = m[2 * step], m3 = m[3 * step], m4 = m[4 * step],
               m5 = m[5 * step];
  const Vector sum1 = m1 + m2, difference1 = m1 - m2, sum2 = m3 + m4, difference2 = m3 - m4;
  y[0] = m0 + sum1 + sum2;
  y[1] = difference1 + 2 * difference2;
  y[2] = sum1 + 4 * sum2;
  y[3] = difference1 + m5 + 8 * difference2;
}

// A: 4 to 6.
FOVEA_AVX512_INLINE void GradientTransform(const Vector* y, int step, Vector* z) {
  const Vector y0 = y[0], y1 = y[step], y2 = y[2 * step], y3 = y[3 * step];
  const Vector even1 = y0 + y2, odd1 = y1 + y3, even2 = y0 + 4 * y2, odd2 = y1 + 4 * y3;
  z[0] = y0;
  z[1] = even1 + odd1;
  z[2] = even1 - odd1;
  z[3] = even2 + 2 * odd2;
  z[4] = even2 - 2 * odd2;
  z[5] = y3;
}

// Gᵀ: 6 to 3.
FOVEA_AVX512_INLINE void WeightGradientTransform(const Vector* u, int step, Vector* w) {
  const Vector u0 = u[0], u1 = u[step], u2 = u[2 * step], u3 = u[3 * step], u4 = u[4 * step],
               u5 = u[5 * step];
  const Vector sum1 = (u1 + u2) * kSixth, difference1 = u2 - u1;
  const Vector sum2 = (u3 + u4) * kSixth, difference2 = u3 - u4;
  w[0] = u0 * 0.25f - sum1 + sum2 * 0.25f;
  w[1] = difference1 * kSixth + difference2 * (kSixth / 2);
  w[2] = sum2 - sum1 + u5;
}

// G: 3 to 6.
FOVEA_AVX512_INLINE void WeightTransform(const Vector* w, int step, Vector* u) {
  const Vector w0 = w[0], w1 = w[step], w2 = w[2 * step];
  const Vector even1 = (w0 + w2) * -kSixth, odd1 = w1 * kSixth;
  const Vector even2 = w0 * (kSixth / 4) + w2 * kSixth, odd2 = w1 * (kSixth / 2);
  u[0] = w0 * 0.25f;
  u[1] = even1 - odd1;
  u[2] = even1 + odd1;
  u[3] = even2 + odd2;
  u[4] = even2 - odd2;
  u[5] = w2;
}

// ---- Tiles.

// Where a tile lies: its image, and its first output row and column.
struct Place {
  int64_t image, row, column;
};

Place PlaceOf(const Problem& problem, int64_t tile) {
  const int64_t columns = problem.tile_columns(), rows = problem.tile_rows();
  return {tile / (rows * columns), tile / columns % rows * 4, tile % columns * 4};
}

// The place of the tile after it.
inline void Advance(const Problem& problem, Place* place) {
  place->column += 4;
  if (place->column < problem.y.width) return;
  place->column = 0;
  place->row += 4;
  if (place->row < problem.y.height) return;
  place->row = 0;
  ++place->image;
}

// Asks for the values that the tile below, or the next plane's first tiles, will read or write.
template <bool kWrite, typename T>
FOVEA_AVX512_INLINE void PrefetchBelow(const T* corner, int64_t width) {
  for (int64_t i = 4; i < 8; ++i) {
    for (int64_t j = 0; j < 4; ++j) __builtin_prefetch(corner + (i * width + j) * kLanes, kWrite);
  }
}

// Bᵀ of the six values [row, row + 6) of a column; those outside of the plane are 0.
template <typename T>
FOVEA_AVX512_INLINE void LoadColumn(const T* plane, const Images& images, int64_t row,
                                    int64_t column, Vector* to) {
  Vector values[6] = {};
  if (column >= 0 && column < images.width) {
    const T* from = plane + (row * images.width + column) * kLanes;
    if (row >= 0 && row + 6 <= images.height) {
      for (int i = 0; i < 6; ++i) values[i] = Load(from + i * images.width * kLanes);
    } else {
      for (int i = 0; i < 6; ++i) {
        if (row + i >= 0 && row + i < images.height) {
          values[i] = Load(from + i * images.width * kLanes);
        }
      }
    }
  }
  InputTransform(values, 1, to);
}

template <typename T>
FOVEA_AVX512_INLINE void TransformInputsOf(const Problem& problem, const T* x, Tiles tiles,
                                           int64_t stride, float* points) {
  const int64_t channels = problem.x.channels, blocks = channels / kLanes;
  const int64_t size = problem.x.height * problem.x.width * kLanes;
  for (int64_t b = 0; b < blocks; ++b) {
    Place place = PlaceOf(problem, tiles.first);
    Vector columns[6][6];  // a tile's, of which its right neighbour has the last two first
    for (int64_t t = 0; t < tiles.count; ++t, Advance(problem, &place)) {
      const T* plane = x + (place.image * blocks + b) * size;
      const int64_t row = place.row - problem.pad[0], column = place.column - problem.pad[1];
      const bool has_neighbour = t > 0 && place.column > 0;
      if (has_neighbour) {
        for (int j = 0; j < 2; ++j) {
          for (int i = 0; i < 6; ++i) columns[j][i] = columns[j + 4][i];
        }
      }
      for (int j = has_neighbour ? 2 : 0; j < 6; ++j) {
        LoadColumn(plane, problem.x, row, column + j, columns[j]);
      }
      PrefetchBelow<false>(plane + ((row + 2) * problem.x.width + column + 1) * kLanes,
                           problem.x.width);
      float* to = points + t * channels + b * kLanes;
      for (int i = 0; i < 6; ++i) {
        Vector line[6];
        InputTransform(columns[0] + i, 6, line);
        for (int j = 0; j < 6; ++j) Store(line[j], to + (6 * i + j) * stride * channels);
      }
    }
  }
}

// The outputs' gradients of a tile; those outside of the plane are 0.
template <typename T>
FOVEA_AVX512_INLINE void LoadGradients(const T* corner, int64_t width, int64_t rows,
                                       int64_t columns, Vector* tile) {
  for (int i = 0; i < 4; ++i) {
    for (int j = 0; j < 4; ++j) {
      const bool inside = i < rows && j < columns;
      tile[4 * i + j] = inside ? Load(corner + (i * width + j) * kLanes) : Vector{};
    }
  }
}

template <typename T>
FOVEA_AVX512_INLINE void TransformGradientsOf(const Problem& problem, const T* dy, Tiles tiles,
                                              int64_t stride, float* points) {
  const int64_t channels = problem.y.channels, blocks = channels / kLanes;
  const int64_t width = problem.y.width, size = problem.y.height * width * kLanes;
  for (int64_t b = 0; b < blocks; ++b) {
    Place place = PlaceOf(problem, tiles.first);
    for (int64_t t = 0; t < tiles.count; ++t, Advance(problem, &place)) {
      const T* corner =
          dy + (place.image * blocks + b) * size + (place.row * width + place.column) * kLanes;
      const int64_t rows = problem.y.height - place.row, columns = width - place.column;
      Vector tile[16], half[24], line[6];
      if (rows >= 4 && columns >= 4) {
        LoadGradients(corner, width, 4, 4, tile);
      } else {
        LoadGradients(corner, width, rows, columns, tile);
      }
      PrefetchBelow<false>(corner, width);
      for (int j = 0; j < 4; ++j) GradientTransform(tile + j, 4, half + 6 * j);
      float* to = points + t * channels + b * kLanes;
      for (int i = 0; i < 6; ++i) {
        GradientTransform(half + i, 6, line);
        for (int j = 0; j < 6; ++j) Store(line[j], to + (6 * i + j) * stride * channels);
      }
    }
  }
}

// kRows tiles at one point, kVectors vectors of outputs.
template <int kVectors>
FOVEA_AVX512_INLINE void MultiplyRows(const float* x, const float* w, int64_t in, int64_t out,
                                      float* y) {
  Vector sums[kRows][kVectors];
  for (auto& row : sums) {
    for (Vector& sum : row) sum = Vector{};
  }
  for (int64_t c = 0; c < in; ++c) {
    Vector weights[kVectors];
    for (int v = 0; v < kVectors; ++v) weights[v] = Load(w + c * out + v * kLanes);
#pragma GCC unroll 14
    for (int64_t t = 0; t < kRows; ++t) {
      for (int v = 0; v < kVectors; ++v) sums[t][v] += x[t * in + c] * weights[v];
    }
  }
  for (int64_t t = 0; t < kRows; ++t) {
    for (int v = 0; v < kVectors; ++v) Store(sums[t][v], y + t * out + v * kLanes);
  }
}

// 16 inputs by one vector of outputs, summed over the tiles.
FOVEA_AVX512_INLINE void MultiplyColumns(const float* x, const float* dy, int64_t in, int64_t out,
                                         int64_t tiles, float* dw) {
  Vector sums[kLanes];
  for (int c = 0; c < kLanes; ++c) sums[c] = Load(dw + c * out);
  for (int64_t t = 0; t < tiles; ++t) {
    const Vector gradient = Load(dy + t * out);
#pragma GCC unroll 16
    for (int c = 0; c < kLanes; ++c) sums[c] += x[t * in + c] * gradient;
  }
  for (int c = 0; c < kLanes; ++c) Store(sums[c], dw + c * out);
}

}  // namespace

FOVEA_AVX512 void TransformInputs(const Problem& problem, const float* x, Tiles tiles,
                                  int64_t stride, float* points) {
  TransformInputsOf(problem, x, tiles, stride, points);
}
FOVEA_AVX512 void TransformInputs(const Problem& problem, const Bf16* x, Tiles tiles,
                                  int64_t stride, float* points) {
  TransformInputsOf(problem, x, tiles, stride, points);
}
FOVEA_AVX512 void TransformGradients(const Problem& problem, const float* dy, Tiles tiles,
                                     int64_t stride, float* points) {
  TransformGradientsOf(problem, dy, tiles, stride, points);
}
FOVEA_AVX512 void TransformGradients(const Problem& problem, const Bf16* dy, Tiles tiles,
                                     int64_t stride, float* points) {
  TransformGradientsOf(problem, dy, tiles, stride, points);
}

FOVEA_AVX512 void TransformOutputs(const Problem& problem, const float* points, Tiles tiles,
                                   int64_t stride, float* y) {
  const int64_t channels = problem.y.channels, blocks = channels / kLanes;
  const int64_t width = problem.y.width, size = problem.y.height * width * kLanes;
  for (int64_t b = 0; b < blocks; ++b) {
    Place place = PlaceOf(problem, tiles.first);
    for (int64_t t = 0; t < tiles.count; ++t, Advance(problem, &place)) {
      const float* from = points + t * channels + b * kLanes;
      float* corner =
          y + (place.image * blocks + b) * size + (place.row * width + place.column) * kLanes;
      PrefetchBelow<true>(corner, width);
      Vector half[24], line[6];
      for (int j = 0; j < 6; ++j) {
        for (int i = 0; i < 6; ++i) line[i] = Load(from + (6 * i + j) * stride * channels);
        OutputTransform(line, 1, half + 4 * j);
      }
      const int64_t rows = std::min<int64_t>(4, problem.y.height - place.row);
      const int64_t columns = std::min<int64_t>(4, width - place.column);
      for (int64_t i = 0; i < rows; ++i) {
        OutputTransform(half + i, 4, line);
        for (int64_t j = 0; j < columns; ++j) Store(line[j], corner + (i * width + j) * kLanes);
      }
    }
  }
}

FOVEA_AVX512 void Multiply(const float* x, const float* w, int64_t in, int64_t out, int64_t tiles,
                           int64_t stride, float* y) {
  for (int64_t p = 0; p < kPoints; ++p) {
    const float* weights = w + p * in * out;
    for (int64_t t = 0; t < tiles; t += kRows) {
      const float* rows = x + (p * stride + t) * in;
      float* to = y + (p * stride + t) * out;
      int64_t o = 0;
      for (; o + 2 * kLanes <= out; o += 2 * kLanes) {
        MultiplyRows<2>(rows, weights + o, in, out, to + o);
      }
      if (o < out) MultiplyRows<1>(rows, weights + o, in, out, to + o);
    }
  }
}

FOVEA_AVX512 void MultiplyGradients(const float* x, const float* dy, int64_t in, int64_t out,
                                    int64_t tiles, int64_t stride, float* dw) {
  for (int64_t p = 0; p < kPoints; ++p) {
    for (int64_t c = 0; c < in; c += kLanes) {
      for (int64_t o = 0; o < out; o += kLanes) {
        MultiplyColumns(x + p * stride * in + c, dy + p * stride * out + o, in, out, tiles,
                        dw + (p * in + c) * out + o);
      }
    }
  }
}

FOVEA_AVX512 void TransformWeights(const float* w, bool turned, int64_t in, int64_t out,
                                   float* points) {
  for (int64_t c = 0; c < in; ++c) {
    for (int64_t o = 0; o < out; o += kLanes) {
      float lanes[9][kLanes];
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        const float* filter = w + (turned ? c * out + o + lane : (o + lane) * in + c) * 9;
        for (int i = 0; i < 9; ++i) lanes[i][lane] = filter[turned ? 8 - i : i];
      }
      Vector filters[9], half[18], line[6];
      for (int i = 0; i < 9; ++i) filters[i] = Load(lanes[i]);
      for (int j = 0; j < 3; ++j) {
        WeightTransform(filters + j, 3, line);
        for (int i = 0; i < 6; ++i) half[3 * i + j] = line[i];
      }
      for (int i = 0; i < 6; ++i) {
        WeightTransform(half + 3 * i, 1, line);
        for (int j = 0; j < 6; ++j) Store(line[j], points + ((6 * i + j) * in + c) * out + o);
      }
    }
  }
}

FOVEA_AVX512 void TransformWeightGradients(const float* points, int64_t stride, int parts,
                                           int64_t in, int64_t out, int64_t begin, int64_t end,
                                           float* dw) {
  const int64_t point = in * out;
  for (int64_t c = begin; c < end; ++c) {
    for (int64_t o = 0; o < out; o += kLanes) {
      const float* from = points + c * out + o;
      Vector sums[36], half[18], filter[9];
      for (int p = 0; p < kPoints; ++p) {
        sums[p] = Load(from + p * point);
        for (int part = 1; part < parts; ++part) {
          sums[p] += Load(from + part * stride + p * point);
        }
      }
      for (int j = 0; j < 6; ++j) {
        Vector column[6], three[3];
        for (int i = 0; i < 6; ++i) column[i] = sums[6 * i + j];
        WeightGradientTransform(column, 1, three);
        for (int i = 0; i < 3; ++i) half[6 * i + j] = three[i];
      }
      for (int i = 0; i < 3; ++i) WeightGradientTransform(half + 6 * i, 1, filter + 3 * i);
      float lanes[9][kLanes];
      for (int i = 0; i < 9; ++i) Store(filter[i], lanes[i]);
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        for (int i = 0; i < 9; ++i) dw[((o + lane) * in + c) * 9 + i] = lanes[i][lane];
      }
    }
  }
}

}  // namespace fovea::cpu::winograd
