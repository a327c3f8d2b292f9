#include "core/base/scoped_width.h"

#include <omp.h>
#include <sched.h>

#include <vector>

#include "core/base/check.h"

namespace fovea {

ScopedWidth::ScopedWidth(int width) : previous_(omp_get_max_threads()) {
  CHECK(width >= 1);
  omp_set_num_threads(width);
}

ScopedWidth::~ScopedWidth() { omp_set_num_threads(previous_); }

int ScopedWidth::Current() { return omp_get_max_threads(); }

bool SpreadThreads() {
  const int width = ScopedWidth::Current();
  cpu_set_t allowed;
  if (width < 2 || sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return false;
  std::vector<int> cores;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &allowed)) cores.push_back(core);
  }
  if (static_cast<int>(cores.size()) != width) return false;
#pragma omp parallel num_threads(width)
  {
    cpu_set_t own;
    CPU_ZERO(&own);
    CPU_SET(cores[static_cast<size_t>(omp_get_thread_num())], &own);
    sched_setaffinity(0, sizeof(own), &own);
  }
  return true;
}

}  // namespace fovea
