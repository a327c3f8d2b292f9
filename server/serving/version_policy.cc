#include "server/serving/version_policy.h"

#include <algorithm>

namespace fovea {

std::vector<uint64_t> VersionsToUnload(std::vector<LoadedVersion> loaded, int max_on_demand) {
  uint64_t newest = 0;
  for (const LoadedVersion& each : loaded) newest = std::max(newest, each.version);
  std::erase_if(loaded, [&](const LoadedVersion& each) { return each.version == newest; });
  std::sort(loaded.begin(), loaded.end(), [](const LoadedVersion& a, const LoadedVersion& b) {
    return a.on_demand != b.on_demand ? a.on_demand : a.last_use > b.last_use;
  });
  std::vector<uint64_t> unload;
  int kept = 0;
  for (const LoadedVersion& each : loaded) {
    if (each.on_demand && kept < max_on_demand) {
      ++kept;
    } else {
      unload.push_back(each.version);
    }
  }
  return unload;
}

}  // namespace fovea
