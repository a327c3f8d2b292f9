// The layouts of the cpu backend. Private to this folder.
//
// Three layouts hold activations: dense (0), nhwc and blocked; ids from kFirstInterned on stand for
// oneDNN descriptors of packed weights (onednn.h interns them). Blocked values are padded with
// zeros up to a whole block of channels.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/tensor/type.h"

namespace fovea::cpu {

inline constexpr Layout kNhwc = 1;
inline constexpr Layout kBlocked = 2;
inline constexpr Layout kFirstInterned = 16;

// Channels in a block: 16 with AVX-512, else 8.
int BlockChannels();

// The types that the kernels here compute in.
inline bool IsFastFloat(DType dtype) { return dtype == DType::kF32 || dtype == DType::kBF16; }

// Bytes of a value, padding included.
size_t LayoutBytes(const Type& type);
// Elements of a value, padding included.
int64_t PaddedCount(const Type& type);

// The layout under which a value of these dims is kept when a kernel wants `wanted`: dense when
// both have the same bytes (height and width 1), so that reshaping it costs nothing.
Layout StoredLayout(const Dims& dims, Layout wanted);

// Whether a kernel that wants `wanted` can read the value as it is.
inline bool Satisfies(const Type& type, Layout wanted) {
  return StoredLayout(type.dims, type.layout) == StoredLayout(type.dims, wanted);
}

// Whether elements between the channels and the end of the last block exist.
bool HasPaddedChannels(const Type& type);

}  // namespace fovea::cpu
