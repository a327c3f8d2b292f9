// Vectors of 16 floats for kernels that are written for AVX-512. Private to this folder.
//
// The vectors are the compiler's own, so that the text is the same for every processor; where
// HasAvx512() says no they are slow. Functions over them are declared FOVEA_AVX512, small ones that
// others call FOVEA_AVX512_INLINE. Those that store bf16 need HasBf16() as well: compilers do
// not choose its instructions by themselves.
#pragma once

#include <cstdint>
#include <cstring>

#include "core/tensor/half.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define FOVEA_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16,fma")))
#else
#define FOVEA_AVX512
#endif
#define FOVEA_AVX512_INLINE FOVEA_AVX512 __attribute__((always_inline)) inline

namespace fovea::cpu {

inline constexpr int64_t kLanes = 16;  // floats of a vector, channels of a block

using Vector = float __attribute__((vector_size(64)));

// Whether the processor has the instructions.
inline bool HasAvx512() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl");
#else
  return false;
#endif
}

FOVEA_AVX512_INLINE Vector Load(const float* p) {
  Vector v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}
FOVEA_AVX512_INLINE Vector Load(const Bf16* p) {
  using Narrow = uint16_t __attribute__((vector_size(32)));
  using Wide = uint32_t __attribute__((vector_size(64)));
  Narrow bits;
  std::memcpy(&bits, p, sizeof(bits));
  const Wide wide = __builtin_convertvector(bits, Wide) << 16;
  Vector v;
  std::memcpy(&v, &wide, sizeof(v));
  return v;
}

// The larger and the smaller of each pair; b where either is not a number.
FOVEA_AVX512_INLINE Vector Max(Vector a, Vector b) {
#if defined(__x86_64__)
  return _mm512_maskz_max_ps(0xFFFF, a, b);  // GCC 12 warns of the form without a mask
#else
  return a > b ? a : b;
#endif
}
FOVEA_AVX512_INLINE Vector Min(Vector a, Vector b) {
#if defined(__x86_64__)
  return _mm512_maskz_min_ps(0xFFFF, a, b);
#else
  return a < b ? a : b;
#endif
}

FOVEA_AVX512_INLINE void Store(Vector v, float* p) { std::memcpy(p, &v, sizeof(v)); }
// Rounded to nearest, ties to even; numbers below the smallest normal one become 0.
FOVEA_AVX512_INLINE void Store(Vector v, Bf16* p) {
#if defined(__x86_64__)
  const __m256bh bits = _mm512_cvtneps_pbh(reinterpret_cast<__m512>(v));
  std::memcpy(&p->bits, &bits, sizeof(bits));
#else
  for (int64_t lane = 0; lane < kLanes; ++lane) p[lane] = FromFloat<Bf16>(v[lane]);
#endif
}

}  // namespace fovea::cpu
