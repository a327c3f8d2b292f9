#include "core/model/model.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"

namespace fovea {

absl::StatusOr<std::shared_ptr<Weights>> MakeWeights(const Model& model, const Backend& backend) {
  ASSIGN_OR_RETURN(std::shared_ptr<Weights> weights, Weights::Create(backend, model.graph, {}));
  for (const Value& value : weights->values()) {
    const auto found = model.values.find(value.name);
    if (found == model.values.end()) {
      return absl::NotFoundError(absl::StrCat("model \"", model.manifest.name(),
                                              "\" has no values for \"", value.name, "\""));
    }
    RETURN_IF_ERROR(weights->Set(value.name, found->second.view()));
  }
  weights->Touch();
  return weights;
}

absl::StatusOr<std::map<std::string, Tensor>> ReadValues(const Graph& graph,
                                                         const Weights& weights) {
  std::map<std::string, Tensor> values;
  for (Role role : {Role::kParameter, Role::kState}) {
    for (ValueId id : graph.ValuesOf(role)) {
      const std::string& name = graph.value(id).name;
      ASSIGN_OR_RETURN(Tensor tensor, weights.Get(name));
      values.emplace(name, std::move(tensor));
    }
  }
  return values;
}

}  // namespace fovea
