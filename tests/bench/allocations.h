// Counts memory allocations and primitive creations of this process, told apart by whether oneDNN
// makes them while it runs a primitive. Linking allocations.cc replaces malloc.
#pragma once

#include <cstdint>

namespace fovea::bench {

struct AllocationCounts {
  int64_t engine = 0;   // outside oneDNN's execution
  int64_t library = 0;  // inside: its lists of arguments
  int64_t primitives_created = 0;
};

// Since the start of the process.
AllocationCounts Allocations();

}  // namespace fovea::bench
