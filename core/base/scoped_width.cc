#include "core/base/scoped_width.h"

#include <omp.h>

#include "core/base/check.h"

namespace fovea {

ScopedWidth::ScopedWidth(int width) : previous_(omp_get_max_threads()) {
  CHECK(width >= 1);
  omp_set_num_threads(width);
}

ScopedWidth::~ScopedWidth() { omp_set_num_threads(previous_); }

int ScopedWidth::Current() { return omp_get_max_threads(); }

}  // namespace fovea
