// Counter-based random numbers: a value is a pure function of its key, so that a draw does not
// depend on the order of threads or on where a run was resumed.
// Source of the mixing function: SplitMix64 (Steele, Lea, Flood 2014).
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace fovea {

// A bijective mix of 64 bits.
constexpr uint64_t Mix64(uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

constexpr uint64_t HashKey(uint64_t a, uint64_t b) { return Mix64(Mix64(a) ^ b); }
constexpr uint64_t HashKey(uint64_t a, uint64_t b, uint64_t c) { return HashKey(HashKey(a, b), c); }
constexpr uint64_t HashKey(uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
  return HashKey(HashKey(a, b, c), d);
}

// Uniform in [0, 1) from the upper 24 bits: exact in float.
constexpr float UniformFloat(uint64_t bits) {
  return static_cast<float>(bits >> 40) * (1.0f / 16777216.0f);
}

// A stream of draws that starts at a key. Value semantics; not thread-safe.
class Random {
 public:
  explicit constexpr Random(uint64_t key) : state_(Mix64(key)) {}

  constexpr uint64_t Next() {
    state_ += 0x9e3779b97f4a7c15ULL;
    return Mix64(state_);
  }
  // Uniform in [0, 1).
  constexpr double Uniform() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }
  // Uniform integer in [0, n); n > 0. Bias is below n / 2^64.
  constexpr uint64_t Below(uint64_t n) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(Next()) * n) >> 64);
  }
  // Standard normal (Box and Muller 1958).
  double Normal() {
    const double u = 1.0 - Uniform();
    return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * Uniform());
  }

 private:
  uint64_t state_;
};

}  // namespace fovea
