// Normalize: pixels u8 [N,H,W,C] to f32, bf16 or quantised (p / 255 − mean) / std, straight into
// any activation layout.
#include <algorithm>
#include <utility>
#include <vector>

#include "core/backend/cpu/host_kernel.h"
#include "core/backend/cpu/layouts.h"
#include "core/backend/cpu/lower.h"
#include "core/backend/cpu/nearest.h"
#include "core/backend/reference/reference_kernel.h"
#include "core/ops/quantized.h"
#include "core/tensor/half.h"

namespace fovea::cpu {
namespace {

// p ↦ p · scale + shift, per channel, and the same repeated along a row of pixels.
struct Affine {
  int64_t n, h, w, c;
  std::vector<float> scale, shift;          // [C]
  std::vector<float> row_scale, row_shift;  // [W·C]

  Affine(const Type& pixels, const std::vector<float>& constants)
      : n(pixels.dims[0]), h(pixels.dims[1]), w(pixels.dims[2]), c(pixels.dims[3]) {
    for (int64_t i = 0; i < c; ++i) {
      scale.push_back(1.0f / (255.0f * constants[c + i]));
      shift.push_back(-constants[i] / constants[c + i]);
    }
    for (int64_t i = 0; i < w * c; ++i) {
      row_scale.push_back(scale[i % c]);
      row_shift.push_back(shift[i % c]);
    }
  }
};

// p ↦ p · scale + shift along a row.
template <typename T>
__attribute__((always_inline)) inline void NhwcLoop(const uint8_t* pixels, const float* scale,
                                                    const float* shift, T* y, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    y[i] = FromFloat<T>(static_cast<float>(pixels[i]) * scale[i] + shift[i]);
  }
}

template <int kChannels, typename T>
__attribute__((always_inline)) inline void PlaneLoop(const uint8_t* pixels, float scale,
                                                     float shift, T* y, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    y[i] = FromFloat<T>(static_cast<float>(pixels[i * kChannels]) * scale + shift);
  }
}

template <typename T>
__attribute__((always_inline)) inline void DenseLoop(const uint8_t* pixels, int64_t channels,
                                                     float scale, float shift, T* y,
                                                     int64_t count) {
  if (channels == 1) return PlaneLoop<1>(pixels, scale, shift, y, count);
  if (channels == 3) return PlaneLoop<3>(pixels, scale, shift, y, count);
  for (int64_t i = 0; i < count; ++i) {
    y[i] = FromFloat<T>(static_cast<float>(pixels[i * channels]) * scale + shift);
  }
}

FOVEA_MULTIVERSION
void RowToNhwc(const uint8_t* pixels, const float* scale, const float* shift, float* y,
               int64_t count) {
  NhwcLoop(pixels, scale, shift, y, count);
}
FOVEA_MULTIVERSION
void RowToNhwc(const uint8_t* pixels, const float* scale, const float* shift, Bf16* y,
               int64_t count) {
  NhwcLoop(pixels, scale, shift, y, count);
}

FOVEA_MULTIVERSION
void RowToIntegers(const uint8_t* pixels, const float* scale, const float* shift, int8_t* y,
                   int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const float q = static_cast<float>(pixels[i]) * scale[i] + shift[i];
    y[i] = static_cast<int8_t>(
        Nearest(std::min(std::max(q, -float{ops::kSignedLimit}), float{ops::kSignedLimit})));
  }
}

FOVEA_MULTIVERSION
void RowToDense(const uint8_t* pixels, int64_t channels, float scale, float shift, float* y,
                int64_t count) {
  DenseLoop(pixels, channels, scale, shift, y, count);
}
FOVEA_MULTIVERSION
void RowToDense(const uint8_t* pixels, int64_t channels, float scale, float shift, Bf16* y,
                int64_t count) {
  DenseLoop(pixels, channels, scale, shift, y, count);
}

template <typename T>
void RowToBlocked(const uint8_t* pixels, const Affine& a, int64_t n, int64_t row, T* y) {
  const int64_t block = BlockChannels(), blocks = (a.c + block - 1) / block;
  for (int64_t b = 0; b < blocks; ++b) {
    T* target = y + ((n * blocks + b) * a.h + row) * a.w * block;
    for (int64_t x = 0; x < a.w; ++x) {
      for (int64_t lane = 0; lane < block; ++lane) {
        const int64_t c = b * block + lane;
        target[x * block + lane] = FromFloat<T>(
            c < a.c ? static_cast<float>(pixels[x * a.c + c]) * a.scale[c] + a.shift[c] : 0.0f);
      }
    }
  }
}

template <typename T>
void NormalizeRow(const uint8_t* pixels, const Affine& a, Layout layout, int64_t row, T* y) {
  const int64_t n = row / a.h, line = row % a.h;
  pixels += row * a.w * a.c;
  if (layout == kNhwc) {
    RowToNhwc(pixels, a.row_scale.data(), a.row_shift.data(), y + row * a.w * a.c, a.w * a.c);
  } else if (layout == kBlocked) {
    RowToBlocked(pixels, a, n, line, y);
  } else {
    for (int64_t c = 0; c < a.c; ++c) {
      T* plane = y + (n * a.c + c) * a.h * a.w;
      RowToDense(pixels + c, a.c, a.scale[c], a.shift[c], plane + line * a.w, a.w);
    }
  }
}

template <typename T>
Lowered NormalizeOf(Layout layout, Affine affine) {
  return LowerHost("fovea:normalize",
                   [layout, affine = std::move(affine)](Addresses in, Addresses out) {
                     const uint8_t* pixels = At<uint8_t>(in, 0);
                     T* y = At<T>(out, 0);
                     ParallelRanges(affine.n * affine.h, 8, [&](int64_t begin, int64_t end) {
                       for (int64_t row = begin; row < end; ++row) {
                         NormalizeRow(pixels, affine, layout, row, y);
                       }
                     });
                   });
}

// Quantised, to NHWC, as the pixels are.
Lowered QuantizedNhwc(const Type& pixels, const std::vector<float>& constants) {
  Affine affine(pixels, constants);
  for (std::vector<float>* row : {&affine.row_scale, &affine.row_shift}) {
    for (float& value : *row) value /= constants.back();
  }
  return LowerHost("fovea:normalize_quantize",
                   [affine = std::move(affine)](Addresses in, Addresses out) {
                     const int64_t row = affine.w * affine.c;
                     ParallelRanges(affine.n * affine.h, 8, [&](int64_t begin, int64_t end) {
                       for (int64_t i = begin * row; i < end * row; i += row) {
                         RowToIntegers(At<uint8_t>(in, 0) + i, affine.row_scale.data(),
                                       affine.row_shift.data(), At<int8_t>(out, 0) + i, row);
                       }
                     });
                   });
}

}  // namespace

absl::StatusOr<Lowered> LowerNormalize(const NodeView& view) {
  const Type type = view.out(0);
  if (type.dtype == DType::kI8) {
    if (type.layout != kNhwc) return LowerReference(view.graph, view.node);
    return QuantizedNhwc(view.in(0), view.node.constants);
  }
  Affine affine(view.in(0), view.node.constants);
  return type.dtype == DType::kBF16 ? NormalizeOf<Bf16>(type.layout, std::move(affine))
                                    : NormalizeOf<float>(type.layout, std::move(affine));
}

}  // namespace fovea::cpu
