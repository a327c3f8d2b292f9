// One ModelInfer call of the Open Inference Protocol: tensors to pictures, through the Predictor,
// and back.
//
// Lives from the call's arrival to OnDone. Nothing in it waits. Private to server/services.
#pragma once

#include <memory>
#include <vector>

#include "core/base/cancel.h"
#include "grpcpp/support/server_callback.h"
#include "inference/inference.pb.h"
#include "server/rpc/call.h"
#include "server/services/predict_reactor.h"
#include "server/services/tensors.h"

namespace fovea {

class InferReactor : public grpc::ServerUnaryReactor {
 public:
  InferReactor(const Method& method, grpc::CallbackServerContext* context,
               const PredictReactor::Shared& shared, const inference::ModelInferRequest* request,
               inference::ModelInferResponse* response);

  void OnCancel() override { cancel_->Cancel(); }
  void OnDone() override { delete this; }

 private:
  // OK when the pictures are on their way.
  absl::Status Begin(TensorModel model);
  void End(const PredictResult& result);
  absl::StatusOr<absl::Time> Deadline() const;

  const Call call_;
  const PredictReactor::Shared& shared_;
  const inference::ModelInferRequest& request_;
  inference::ModelInferResponse* const response_;
  const std::shared_ptr<CancelToken> cancel_ = std::make_shared<CancelToken>();
  TensorModel model_;
  TensorPictures pictures_;
  std::vector<int64_t> outputs_;  // labels to name, one for each requested output
};

}  // namespace fovea
