#include "core/nets/freeze.h"

#include <algorithm>
#include <variant>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace fovea {

bool IsUnder(absl::string_view name, absl::string_view prefix) {
  return !prefix.empty() && absl::StartsWith(name, prefix) &&
         (name.size() == prefix.size() || name[prefix.size()] == '.');
}

absl::Status Freeze(absl::Span<const std::string> prefixes, Net& net) {
  std::vector<ValueId> frozen;
  const std::vector<ValueId> parameters = net.graph.ValuesOf(Role::kParameter);
  for (const std::string& prefix : prefixes) {
    const size_t before = frozen.size();
    for (ValueId id : parameters) {
      if (IsUnder(net.graph.value(id).name, prefix)) frozen.push_back(id);
    }
    if (frozen.size() > before) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "found no layer below \"", prefix, "\", expected one below ", LayerPrefixes(net.graph)));
  }
  for (ValueId id : frozen) net.graph.mutable_value(id).role = Role::kState;
  if (net.graph.ValuesOf(Role::kParameter).empty()) {
    return absl::InvalidArgumentError("every layer is frozen, expected one that learns");
  }
  net.graph.AssignRegions();
  return absl::OkStatus();
}

absl::StatusOr<std::map<std::string, float>> RateFactors(
    const std::map<std::string, double>& by_prefix, const Net& net) {
  std::map<std::string, float> factors;
  std::map<std::string, size_t> length;  // of the prefix that gave the factor
  const std::vector<ValueId> parameters = net.graph.ValuesOf(Role::kParameter);
  for (const auto& [prefix, factor] : by_prefix) {
    bool found = false;
    for (ValueId id : parameters) {
      const std::string& name = net.graph.value(id).name;
      if (!IsUnder(name, prefix)) continue;
      found = true;
      if (length[name] > prefix.size()) continue;
      length[name] = prefix.size();
      factors[name] = static_cast<float>(factor);
    }
    if (found) continue;
    return absl::InvalidArgumentError(absl::StrCat("found no layer that learns below \"", prefix,
                                                   "\", expected one below ",
                                                   LayerPrefixes(net.graph)));
  }
  return factors;
}

std::vector<std::string> HeadParameters(const Net& net) {
  std::vector<std::string> names;
  for (auto node = net.graph.nodes().rbegin(); node != net.graph.nodes().rend(); ++node) {
    if (!std::holds_alternative<Dense>(node->attrs)) continue;
    for (size_t i = 1; i < node->inputs.size(); ++i) {
      names.push_back(net.graph.value(node->inputs[i]).name);
    }
    break;
  }
  return names;
}

std::string LayerPrefixes(const Graph& graph) {
  std::vector<std::string> prefixes;
  for (ValueId id : graph.ValuesOf(Role::kParameter)) {
    const std::string& name = graph.value(id).name;
    const std::string prefix = name.substr(0, name.find('.'));
    if (std::find(prefixes.begin(), prefixes.end(), prefix) == prefixes.end()) {
      prefixes.push_back(prefix);
    }
  }
  return absl::StrJoin(prefixes, ", ");
}

}  // namespace fovea
