// Floats of 16 bits: bfloat16 (8 bits of exponent, 7 of mantissa) and IEEE 754 binary16 (5 and 10).
//
// Rounding is to nearest, ties to even. A NaN stays one; what is too large becomes infinite.
#pragma once

#include <bit>
#include <cstdint>

namespace fovea {

inline constexpr float kF16Max = 65504.0f;  // the largest finite binary16

// A bfloat16 in memory; arithmetic happens in float.
struct Bf16 {
  uint16_t bits = 0;
};

inline float ToFloat(float x) { return x; }
inline float ToFloat(Bf16 x) { return std::bit_cast<float>(static_cast<uint32_t>(x.bits) << 16); }

// float, or Bf16, from float. Without branches, so that loops over it are vectorised.
template <typename T>
inline T FromFloat(float x);
template <>
inline float FromFloat<float>(float x) {
  return x;
}
template <>
inline Bf16 FromFloat<Bf16>(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
  const uint32_t quiet_nan = bits >> 16 | 0x40u;
  const bool is_nan = (bits & 0x7fffffffu) > 0x7f800000u;
  return {static_cast<uint16_t>(is_nan ? quiet_nan : rounded)};
}

// The bits of a binary16, and back.
uint16_t F16Bits(float x);
float FromF16Bits(uint16_t bits);

}  // namespace fovea
