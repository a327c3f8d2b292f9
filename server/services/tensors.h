// Between the Open Inference Protocol's tensors and pictures. Pure, but for AcquireTensorModel and
// the bytes in shared memory.
//
// The protocol is described in proto/inference/inference.proto: which tensors a model has, and how.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "inference/inference.pb.h"
#include "server/services/limits.h"
#include "server/services/shared_memory.h"
#include "server/services/shared_tensor.h"
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

// The pictures of a request. The bytes are the request's, or stand in `copied` or `converted`.
struct TensorPictures {
  std::vector<PredictImage> images;
  std::unique_ptr<char[]> copied;  // from shared memory
  std::vector<uint8_t> converted;
};
// InvalidArgument names the tensor, what was found and what was expected.
absl::StatusOr<TensorPictures> ReadPictures(const inference::ModelInferRequest& request,
                                            const TensorModel& model,
                                            const SharedMemoryRegions& regions,
                                            const Limits& limits);

// What is asked of an output.
struct RequestedOutput {
  int64_t labels_named = 0;           // 0: all probabilities
  std::optional<SharedTensor> place;  // absent: in the response
};
// InvalidArgument.
absl::StatusOr<std::vector<RequestedOutput>> ReadRequestedOutputs(
    const inference::ModelInferRequest& request, const TensorModel& model,
    const SharedMemoryRegions& regions);

// Appends the model's output for `images` pictures to the response, or writes it where it is wanted
// and appends that. `rows`: PredictResult::outputs. InvalidArgument when it does not fit there;
// FailedPrecondition when the place is there no more.
absl::Status WriteOutput(const TensorModel& model, int images, absl::Span<const float> rows,
                         const RequestedOutput& wanted, inference::ModelInferResponse* response);

}  // namespace fovea
