// How much memory this process may still take: what the machine has free, cut down by the limits of
// the cgroup.
#pragma once

#include <cstdint>
#include <string>

namespace fovea {

// Bytes: the smallest of MemAvailable of /proc/meminfo and, for each group from the process's own
// to the root, its limit less its use; page cache that can be dropped counts as free. Knows cgroup
// v2 (memory.max, memory.current) and v1 (memory.limit_in_bytes, memory.usage_in_bytes). Files that
// are missing or unreadable mean "no limit"; 1 GiB when all are. `root` replaces "/" in tests.
int64_t ReadAvailableMemory(const std::string& root = "/");

}  // namespace fovea
