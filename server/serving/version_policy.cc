#include "server/serving/version_policy.h"

#include <algorithm>

namespace fovea {

std::vector<uint64_t> ChosenVersions(const v1::VersionPolicy& policy,
                                     absl::Span<const uint64_t> versions) {
  std::vector<uint64_t> chosen(versions.begin(), versions.end());
  switch (policy.choice_case()) {
    case v1::VersionPolicy::kAll:
      return chosen;
    case v1::VersionPolicy::kVersions: {
      const auto& listed = policy.versions().versions();
      std::erase_if(chosen, [&](uint64_t version) {
        return std::find(listed.begin(), listed.end(), version) == listed.end();
      });
      return chosen;
    }
    case v1::VersionPolicy::kLatest:
    case v1::VersionPolicy::CHOICE_NOT_SET:
      break;
  }
  const size_t latest = policy.has_latest() ? policy.latest() : 1;
  if (chosen.size() > latest) chosen.erase(chosen.begin(), chosen.end() - latest);
  return chosen;
}

std::vector<uint64_t> VersionsToUnload(std::vector<LoadedVersion> loaded,
                                       const std::set<uint64_t>& keep, int max_on_demand) {
  std::erase_if(loaded, [&](const LoadedVersion& each) { return keep.contains(each.version); });
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
