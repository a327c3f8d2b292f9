// Own kernels: loops over memory that oneDNN has no lean primitive for. Private to this folder.
//
// A kernel is a function of its addresses. ParallelRanges splits a range among the OpenMP threads
// of the caller; FOVEA_MULTIVERSION compiles a loop for AVX-512, AVX2 and the baseline, and one is
// picked when the program is loaded.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>

#include "core/backend/backend.h"

#if defined(__x86_64__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define FOVEA_MULTIVERSION __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOVEA_MULTIVERSION
#endif

namespace fovea::cpu {

using Addresses = absl::Span<void* const>;
using HostFunction = std::function<void(Addresses inputs, Addresses outputs)>;

Lowered LowerHost(std::string kernel_name, HostFunction function);

// The same with memory of one run for itself.
using ScratchFunction = std::function<void(Addresses inputs, Addresses outputs, void* scratch)>;
Lowered LowerHost(std::string kernel_name, size_t scratch_bytes, ScratchFunction function);

// `first`, then `second` on the same values.
Lowered Followed(Lowered first, HostFunction second);

template <typename T>
T* At(Addresses addresses, int i) {
  return static_cast<T*>(addresses[i]);
}

// Memory that a kernel overwrites in place is input and output at once; where they are two, the
// output begins as a copy of the input.
inline float* InPlace(const float* input, float* output, int64_t count) {
  if (input != output) std::memcpy(output, input, static_cast<size_t>(count) * sizeof(float));
  return output;
}

// Calls body(begin, end) on disjoint ranges that cover [0, count), one a thread. Ranges begin at
// multiples of `grain`; a thread gets at least one grain.
template <typename Body>
void ParallelRanges(int64_t count, int64_t grain, const Body& body) {
  const int64_t grains = (count + grain - 1) / grain;
  const int threads = static_cast<int>(std::min<int64_t>(omp_get_max_threads(), grains));
  if (threads <= 1) {
    if (count > 0) body(int64_t{0}, count);
    return;
  }
#pragma omp parallel num_threads(threads)
  {
    const int64_t index = omp_get_thread_num(), parts = omp_get_num_threads();
    const int64_t begin = grains * index / parts * grain;
    const int64_t end = std::min(count, grains * (index + 1) / parts * grain);
    if (begin < end) body(begin, end);
  }
}

}  // namespace fovea::cpu
