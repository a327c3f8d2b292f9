// One Predict request: checks, a handle to the model, pictures through the Predictor, the answer.
//
// Nothing in it waits. Private to server/services.
#pragma once

#include <memory>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/base/cancel.h"
#include "fovea/v1/classifier.pb.h"
#include "server/rpc/open_streams.h"
#include "server/services/limits.h"
#include "server/services/shared_memory.h"
#include "server/serving/model_manager.h"
#include "server/serving/predictor.h"

namespace fovea {

// OK when the request makes sense for any model.
absl::Status CheckPredictRequest(const v1::PredictRequest& request, const Limits& limits);

// What all requests share; outlives them.
struct PredictShared {
  ModelManager* manager = nullptr;
  Predictor* predictor = nullptr;
  PredictMetrics metrics;
  Limits limits;
  OpenStreams* streams = nullptr;
  SharedMemoryRegions* regions = nullptr;  // only for the Open Inference Protocol
};

// Whose request it is.
struct PredictCaller {
  absl::Time arrival;
  absl::Time deadline = absl::InfiniteFuture();
  std::shared_ptr<const CancelToken> cancel;
  bool patient = false;  // sends no more until it is answered: waits however long the queue is
};

class PredictWork {
 public:
  using Request = v1::PredictRequest;
  using Response = v1::PredictResponse;
  using Done = absl::AnyInvocable<void(const absl::Status&)>;

  // Request and response live until `done` has run.
  PredictWork(const PredictShared& shared, PredictCaller caller, const v1::PredictRequest* request,
              v1::PredictResponse* response);
  PredictWork(const PredictWork&) = delete;
  PredictWork& operator=(const PredictWork&) = delete;

  // Calls `done` once, on any thread; on the caller's before it returns when the request is
  // refused. Nothing of `this` is touched afterwards.
  void Run(Done done);

 private:
  void Begin(ModelHandle model);
  void End(const PredictResult& result);
  absl::Status Error(const PredictResult& result) const;
  void Fill(const PredictResult& result);
  void FillValues(absl::Span<const float> row, v1::Prediction* prediction) const;
  // The verdict on one picture, where the model has one; true: rejected.
  bool FillOpenSet(absl::Span<const float> row, v1::Prediction* prediction) const;

  const PredictShared& shared_;
  const PredictCaller caller_;
  const v1::PredictRequest& request_;
  v1::PredictResponse* const response_;
  Done done_;
  std::vector<float> thresholds_;  // multi-label and binary
  ModelHandle model_;
};

}  // namespace fovea
