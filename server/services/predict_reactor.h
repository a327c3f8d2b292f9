// One Predict call: checks, a handle to the model, pictures through the Predictor, the answer.
//
// Lives from the call's arrival to OnDone. Nothing in it waits. Private to server/services.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "core/base/cancel.h"
#include "fovea/v1/classifier.pb.h"
#include "grpcpp/support/server_callback.h"
#include "server/rpc/call.h"
#include "server/services/limits.h"
#include "server/serving/model_manager.h"
#include "server/serving/predictor.h"

namespace fovea {

// OK when the request makes sense for any model.
absl::Status CheckPredictRequest(const v1::PredictRequest& request, const Limits& limits);

class PredictReactor : public grpc::ServerUnaryReactor {
 public:
  struct Shared {  // by all calls; outlives them
    ModelManager* manager = nullptr;
    Predictor* predictor = nullptr;
    PredictMetrics metrics;
    Limits limits;
  };

  PredictReactor(const Method& method, grpc::CallbackServerContext* context, const Shared& shared,
                 const v1::PredictRequest* request, v1::PredictResponse* response);

  void OnCancel() override { cancel_->Cancel(); }
  void OnDone() override { delete this; }

 private:
  void Begin(ModelHandle model);
  void End(const PredictResult& result);
  absl::Status Error(const PredictResult& result) const;
  void Fill(const PredictResult& result);
  void FillValues(absl::Span<const float> row, v1::Prediction* prediction) const;
  // The verdict on one picture, where the model has one; true: rejected.
  bool FillOpenSet(absl::Span<const float> row, v1::Prediction* prediction) const;

  const Call call_;
  const Shared& shared_;
  const v1::PredictRequest& request_;
  v1::PredictResponse* const response_;
  const std::shared_ptr<CancelToken> cancel_ = std::make_shared<CancelToken>();
  std::vector<float> thresholds_;  // multi-label and binary
  ModelHandle model_;
};

}  // namespace fovea
