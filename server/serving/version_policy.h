// Which loaded versions of a model stay loaded. Pure.
#pragma once

#include <cstdint>
#include <vector>

namespace fovea {

struct LoadedVersion {
  uint64_t version = 0;
  bool on_demand = false;  // loaded because a request named it
  uint64_t last_use = 0;   // grows with every use
};

// The versions to unload: all but the newest one and the `max_on_demand` last used of those that
// requests named. Requests under way keep theirs alive.
std::vector<uint64_t> VersionsToUnload(std::vector<LoadedVersion> loaded, int max_on_demand);

}  // namespace fovea
