#include "server/services/infer_work.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/status.h"
#include "server/rpc/errors.h"
#include "server/services/model_errors.h"

namespace fovea {
namespace {

// "priority": 1 is the highest level, 0 the default one, and there are three.
absl::StatusOr<Priority> ReadPriority(const inference::ModelInferRequest& request) {
  const auto found = request.parameters().find("priority");
  if (found == request.parameters().end()) return Priority::kNormal;
  const inference::InferParameter& value = found->second;
  const bool is_int64 = value.has_int64_param();  // older clients
  if (!value.has_uint64_param() && !(is_int64 && value.int64_param() >= 0)) {
    return InvalidField("parameters[priority]", "expected a uint64: 1 high, 2 normal, 3 low");
  }
  const uint64_t level =
      is_int64 ? static_cast<uint64_t>(value.int64_param()) : value.uint64_param();
  if (level == 1) return Priority::kHigh;
  return level <= 2 ? Priority::kNormal : Priority::kLow;
}

}  // namespace

InferWork::InferWork(const PredictShared& shared, PredictCaller caller,
                     const inference::ModelInferRequest* request,
                     inference::ModelInferResponse* response)
    : shared_(shared), caller_(std::move(caller)), request_(*request), response_(response) {}

void InferWork::Run(Done done) {
  done_ = std::move(done);
  const absl::StatusOr<VersionRef> version = ParseVersion(request_.model_version());
  if (!version.ok()) return done_(AtField(version.status(), "model_version"));
  AcquireTensorModel(*shared_.manager, request_.model_name(), *version,
                     [this](absl::StatusOr<TensorModel> model) {
                       absl::Status status = AboutModel(model.status());
                       if (status.ok()) status = Begin(*std::move(model));
                       if (!status.ok()) done_(status);
                     });
}

absl::StatusOr<absl::Time> InferWork::Deadline() const {
  const auto found = request_.parameters().find("timeout");
  if (found == request_.parameters().end()) return caller_.deadline;
  const int64_t microseconds = found->second.int64_param();
  if (microseconds < 1) {
    return InvalidField("parameters[timeout]", "expected an int64 of at least 1, microseconds");
  }
  return std::min(caller_.deadline, caller_.arrival + absl::Microseconds(microseconds));
}

absl::Status InferWork::Begin(TensorModel model) {
  model_ = std::move(model);
  ASSIGN_OR_RETURN(outputs_, ReadRequestedOutputs(request_, model_, *shared_.regions));
  ASSIGN_OR_RETURN(pictures_, ReadPictures(request_, model_, *shared_.regions, shared_.limits));
  PredictRequest request;
  ASSIGN_OR_RETURN(request.deadline, Deadline());
  ASSIGN_OR_RETURN(request.priority, ReadPriority(request_));
  request.model = model_.handle;
  request.images = pictures_.images;
  request.cancel = caller_.cancel;
  request.patient = caller_.patient;
  shared_.predictor->Predict(std::move(request),
                             [this](PredictResult result) { End(std::move(result)); });
  return absl::OkStatus();
}

void InferWork::End(PredictResult result) {
  // Before it is recorded: an answer that could not be written is a failure.
  if (result.status.ok()) result.status = Fill(result);
  const int images = static_cast<int>(pictures_.images.size());
  RecordOutcome(shared_.metrics, *model_.handle, images, result, absl::Now() - caller_.arrival);
  done_(result.status.ok() ? absl::OkStatus() : Error(result));
}

absl::Status InferWork::Fill(const PredictResult& result) {
  const int images = static_cast<int>(pictures_.images.size());
  for (const RequestedOutput& output : outputs_) {
    const absl::Status status = WriteOutput(model_, images, result.outputs, output, response_);
    if (status.ok()) continue;
    response_->clear_outputs();
    response_->clear_raw_output_contents();
    return status;
  }
  response_->set_model_name(request_.model_name());
  response_->set_model_version(absl::StrCat(model_.handle->version()));
  response_->set_id(request_.id());
  return absl::OkStatus();
}

absl::Status InferWork::Error(const PredictResult& result) const {
  const absl::Status status = AboutQueue(result.status, result.retry_delay);
  if (result.failed_image < 0 || !IsAboutPicture(status)) return status;
  return WithReason(
      InvalidField(absl::StrCat("inputs[0], picture ", result.failed_image), status.message()),
      "BAD_IMAGE");
}

}  // namespace fovea
