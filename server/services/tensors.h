// Between the Open Inference Protocol's tensors and pictures. Pure, but for LookUpTensorModel.
//
// The protocol is described in proto/inference/inference.proto: which tensors a model has, and how.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "inference/inference.pb.h"
#include "server/serving/model_manager.h"
#include "server/serving/predictor.h"

namespace fovea {

// A model as the protocol names it.
struct TensorModel {
  ModelHandle handle;
  bool encoded = false;  // pictures come encoded, not as pixels

  std::string name() const;
};

// The stem of a name that means encoded pictures; absent for others.
std::optional<std::string> StemOfEncoded(const std::string& name);

// As ModelManager::Acquire. A name that ends with "_jpeg" means the model without it where there is
// one, else the model of that name.
void AcquireTensorModel(ModelManager& manager, const std::string& name, const VersionRef& version,
                        absl::AnyInvocable<void(absl::StatusOr<TensorModel>)> ready);

// A decimal version, an alias, or "" for neither. InvalidArgument.
absl::StatusOr<VersionRef> ParseVersion(const std::string& text);

// The tensors of a model: name, datatype and shape.
struct TensorSpec {
  std::string name;
  std::string datatype;
  std::vector<int64_t> shape;  // of one picture
};
TensorSpec InputSpec(const TensorModel& model);
TensorSpec OutputSpec(const TensorModel& model);

// The pictures of a request. The bytes are the request's, or stand in `converted`.
struct TensorPictures {
  std::vector<PredictImage> images;
  std::vector<uint8_t> converted;
};
// InvalidArgument names the tensor, what was found and what was expected.
absl::StatusOr<TensorPictures> ReadPictures(const inference::ModelInferRequest& request,
                                            const TensorModel& model, int max_images);

// What is asked of each output: the labels to name, 0: all probabilities. InvalidArgument.
absl::StatusOr<std::vector<int64_t>> ReadRequestedOutputs(
    const inference::ModelInferRequest& request, const TensorModel& model);

// Appends the model's output for `images` pictures to the response, as `labels_named` (an element
// of ReadRequestedOutputs) asks. `rows`: PredictResult::outputs.
void WriteOutput(const TensorModel& model, int images, absl::Span<const float> rows,
                 int64_t labels_named, inference::ModelInferResponse* response);

}  // namespace fovea
