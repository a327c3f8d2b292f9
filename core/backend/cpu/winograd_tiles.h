// Winograd's F(4x4, 3x3) on the blocked layout, for AVX-512 (vectors.h). Private to this folder.
//
// A 3x3 convolution of stride 1 is computed tile by tile: 4x4 outputs from 6x6 inputs. Tiles,
// weights and their gradients are transformed to 36 points, at each of which the convolution is a
// product of matrices (Lavin and Gray 2016, section 4.1, with the points 0, ±1, ±2, ∞):
//   y  = Aᵀ [(G w Gᵀ) ⊙ (Bᵀ x B)] A
//   dw = Gᵀ [(A dy Aᵀ) ⊙ (Bᵀ x B)] G        the adjoint of the same, summed over the tiles
// The data gradient is the convolution of dy with the weights turned by 180 degrees and the
// channels exchanged. Arithmetic is in float whatever the storage.
#pragma once

#include <array>
#include <cstdint>

#include "core/backend/cpu/vectors.h"
#include "core/tensor/half.h"

namespace fovea::cpu::winograd {

inline constexpr int kPoints = 36;

// Images of `channels`, in blocks of kLanes: [N, channels/16, height, width, 16].
struct Images {
  int64_t channels = 0, height = 0, width = 0;
};

// Of a convolution from `x` to `y`, both with whole blocks of channels.
struct Problem {
  Images x, y;
  int64_t batch = 0;
  std::array<int64_t, 2> pad{};  // rows above and columns left of x

  int64_t tile_rows() const { return (y.height + 3) / 4; }
  int64_t tile_columns() const { return (y.width + 3) / 4; }
  int64_t tiles() const { return batch * tile_rows() * tile_columns(); }
};

// Tiles [first, first + count), in order of image, row and column.
struct Tiles {
  int64_t first = 0, count = 0;
};

// ---- Buffers: points are [36, tiles, channels] with `stride` tiles a point, weights [36, in,
// out].

// points = Bᵀ x B of the tiles' inputs; outside of the image x is 0.
void TransformInputs(const Problem& problem, const float* x, Tiles tiles, int64_t stride,
                     float* points);
void TransformInputs(const Problem& problem, const Bf16* x, Tiles tiles, int64_t stride,
                     float* points);
// points = A dy Aᵀ of the tiles' outputs.
void TransformGradients(const Problem& problem, const float* dy, Tiles tiles, int64_t stride,
                        float* points);
void TransformGradients(const Problem& problem, const Bf16* dy, Tiles tiles, int64_t stride,
                        float* points);
// y = Aᵀ points A.
void TransformOutputs(const Problem& problem, const float* points, Tiles tiles, int64_t stride,
                      float* y);

// The rows of products that Multiply computes at once: `stride` is a multiple.
inline constexpr int64_t kRows = 14;
// y[p, t, :] = Σc x[p, t, c] w[p, c, :], for whole groups of kRows tiles: rows behind the last tile
// are read and written, whatever they hold.
void Multiply(const float* x, const float* w, int64_t in, int64_t out, int64_t tiles,
              int64_t stride, float* y);
// dw[p, c, :] += Σt x[p, t, c] dy[p, t, :].
void MultiplyGradients(const float* x, const float* dy, int64_t in, int64_t out, int64_t tiles,
                       int64_t stride, float* dw);

// Weights [out, in, 3, 3] to points [36, in, out]. `turned`: those of the data gradient, from
// [in, out, 3, 3].
void TransformWeights(const float* w, bool turned, int64_t in, int64_t out, float* points);
// dw [out, in, 3, 3] = Gᵀ (the sum of `parts` points [36, in, out]) G, of the inputs [begin, end);
// `stride` floats lie between the beginnings of two parts.
void TransformWeightGradients(const float* points, int64_t stride, int parts, int64_t in,
                              int64_t out, int64_t begin, int64_t end, float* dw);

}  // namespace fovea::cpu::winograd
