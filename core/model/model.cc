#include "core/model/model.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"

namespace fovea {
namespace {

// An f64 tensor in f32.
Tensor Rounded(const TensorView& tensor) {
  Tensor rounded({DType::kF32, tensor.type.dims});
  for (int64_t i = 0; i < tensor.count(); ++i) {
    rounded.as<float>()[i] = static_cast<float>(tensor.as<double>()[i]);
  }
  return rounded;
}

}  // namespace

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
      if (tensor.type().dtype == DType::kF64 && graph.type(id).dtype == DType::kF32) {
        tensor = Rounded(tensor);
      }
      values.emplace(name, std::move(tensor));
    }
  }
  return values;
}

}  // namespace fovea
