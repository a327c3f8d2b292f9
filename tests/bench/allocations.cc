#include "tests/bench/allocations.h"

#include <dlfcn.h>
#include <errno.h>

#include <atomic>
#include <cstddef>

namespace {

std::atomic<int64_t> g_engine, g_library, g_created;
// One thread runs primitives here; OpenMP's threads work for it meanwhile.
std::atomic<bool> g_executing;

void Count() {
  (g_executing.load(std::memory_order_relaxed) ? g_library : g_engine)
      .fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

// glibc's allocator under its internal names.
extern "C" {
void* __libc_malloc(size_t bytes);
void* __libc_calloc(size_t count, size_t bytes);
void* __libc_realloc(void* old, size_t bytes);
void* __libc_memalign(size_t alignment, size_t bytes);

void* malloc(size_t bytes) {
  Count();
  return __libc_malloc(bytes);
}
void* calloc(size_t count, size_t bytes) {
  Count();
  return __libc_calloc(count, bytes);
}
void* realloc(void* old, size_t bytes) {
  Count();
  return __libc_realloc(old, bytes);
}
void* memalign(size_t alignment, size_t bytes) {
  Count();
  return __libc_memalign(alignment, bytes);
}
void* aligned_alloc(size_t alignment, size_t bytes) { return memalign(alignment, bytes); }
int posix_memalign(void** target, size_t alignment, size_t bytes) {
  *target = memalign(alignment, bytes);
  return *target == nullptr ? ENOMEM : 0;
}

// oneDNN's entry points, wrapped.
int dnnl_primitive_execute(const void* primitive, void* stream, int count, const void* arguments) {
  using Function = int (*)(const void*, void*, int, const void*);
  static const auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "dnnl_primitive_execute"));
  g_executing.store(true, std::memory_order_relaxed);
  const int status = real(primitive, stream, count, arguments);
  g_executing.store(false, std::memory_order_relaxed);
  return status;
}
int dnnl_primitive_create(void** primitive, const void* desc) {
  using Function = int (*)(void**, const void*);
  static const auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "dnnl_primitive_create"));
  g_created.fetch_add(1, std::memory_order_relaxed);
  return real(primitive, desc);
}
}

namespace fovea::bench {

AllocationCounts Allocations() { return {g_engine, g_library, g_created}; }

}  // namespace fovea::bench
