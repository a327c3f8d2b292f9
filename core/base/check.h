// CHECK: our own invariants, and only those. A failed CHECK ends the process; what a caller or a
// file can get wrong is a Status instead.
#pragma once

namespace fovea::internal {
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);
}  // namespace fovea::internal

#define CHECK(condition)                                                              \
  do {                                                                                \
    if (!(condition)) ::fovea::internal::CheckFailed(__FILE__, __LINE__, #condition); \
  } while (false)
