// How many cores this process may use: the affinity mask, cut down by the cgroup's CPU quota.
#pragma once

#include <optional>
#include <string>

namespace fovea {

struct CpuBudget {
  int cores = 1;                // cores the process may run on (affinity mask)
  std::optional<double> quota;  // cores' worth of time the cgroup grants; absent: no limit

  // Whole threads that keep within both: min(cores, floor(quota)), at least 1.
  int threads() const;
};

// Reads the budget of this process. Knows cgroup v2 (cpu.max) and v1 (cpu.cfs_quota_us and
// cpu.cfs_period_us), and takes the smallest quota on the way from the process's group to the root.
// Files that are missing or unreadable mean "no limit". `root` replaces "/" in tests.
CpuBudget ReadCpuBudget(const std::string& root = "/");

}  // namespace fovea
