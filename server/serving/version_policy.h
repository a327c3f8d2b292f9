// Which versions of a model are loaded, and stay. Pure.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "absl/types/span.h"
#include "fovea/v1/serving.pb.h"

namespace fovea {

// Those of `versions` (ascending) that the policy keeps loaded, ascending.
std::vector<uint64_t> ChosenVersions(const v1::VersionPolicy& policy,
                                     absl::Span<const uint64_t> versions);

struct LoadedVersion {
  uint64_t version = 0;
  bool on_demand = false;  // loaded because a request named it
  uint64_t last_use = 0;   // grows with every use
};

// The versions to unload: all but those to keep and the `max_on_demand` last used of those that
// requests named. Requests under way keep theirs alive.
std::vector<uint64_t> VersionsToUnload(std::vector<LoadedVersion> loaded,
                                       const std::set<uint64_t>& keep, int max_on_demand);

}  // namespace fovea
