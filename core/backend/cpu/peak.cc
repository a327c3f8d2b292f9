#include "core/backend/cpu/peak.h"

#include <omp.h>

#include <chrono>
#include <cmath>
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace fovea {
namespace {

constexpr int kChains = 12;  // independent accumulators: latency times throughput, and some more

// Runs `rounds` multiply-adds on every chain. The result keeps the compiler from dropping them.
using Loop = float (*)(int64_t rounds);

float ScalarLoop(int64_t rounds) {
  float chains[kChains] = {};
  for (int64_t i = 0; i < rounds; ++i) {
    for (float& chain : chains) chain = std::fma(chain, 0.999f, 1.0f);
  }
  float sum = 0;
  for (float chain : chains) sum += chain;
  return sum;
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) float Avx2Loop(int64_t rounds) {
  const __m256 factor = _mm256_set1_ps(0.999f), one = _mm256_set1_ps(1.0f);
  __m256 chains[kChains];
  for (__m256& chain : chains) chain = one;
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; ++c) chains[c] = _mm256_fmadd_ps(chains[c], factor, one);
  }
  __m256 sum = chains[0];
  for (int c = 1; c < kChains; ++c) sum = _mm256_add_ps(sum, chains[c]);
  return _mm256_cvtss_f32(sum);
}

__attribute__((target("avx512f"))) float Avx512Loop(int64_t rounds) {
  const __m512 factor = _mm512_set1_ps(0.999f), one = _mm512_set1_ps(1.0f);
  __m512 chains[kChains];
  for (__m512& chain : chains) chain = one;
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; ++c) chains[c] = _mm512_fmadd_ps(chains[c], factor, one);
  }
  __m512 sum = chains[0];
  for (int c = 1; c < kChains; ++c) sum = _mm512_add_ps(sum, chains[c]);
  return _mm512_cvtss_f32(sum);
}
#endif

struct Unit {
  Loop loop;
  int lanes;
};

Unit BestUnit() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return {Avx512Loop, 16};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {Avx2Loop, 8};
#endif
  return {ScalarLoop, 1};
}

}  // namespace

double MeasurePeakFlops(int width, double seconds) {
  using Clock = std::chrono::steady_clock;
  constexpr int64_t kRounds = 100'000;
  const Unit unit = BestUnit();
  const auto start = Clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  int64_t batches = 0;
  float kept = 0;
#pragma omp parallel num_threads(width) reduction(+ : batches, kept)
  {
    do {
      kept += unit.loop(kRounds);
      ++batches;
    } while (elapsed() < seconds);
  }
  const double flops = 2.0 * kChains * unit.lanes * kRounds * static_cast<double>(batches);
  return std::isnan(kept) ? 0 : flops / elapsed();
}

}  // namespace fovea
