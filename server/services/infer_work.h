// One ModelInfer request of the Open Inference Protocol: tensors to pictures, through the
// Predictor, and back.
//
// Nothing in it waits. Private to server/services.
#pragma once

#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "inference/inference.pb.h"
#include "server/services/predict_work.h"
#include "server/services/tensors.h"

namespace fovea {

class InferWork {
 public:
  using Request = inference::ModelInferRequest;
  using Response = inference::ModelInferResponse;
  using Done = PredictWork::Done;

  // As PredictWork.
  InferWork(const PredictShared& shared, PredictCaller caller,
            const inference::ModelInferRequest* request, inference::ModelInferResponse* response);
  InferWork(const InferWork&) = delete;
  InferWork& operator=(const InferWork&) = delete;

  void Run(Done done);

 private:
  // OK when the pictures are on their way.
  absl::Status Begin(TensorModel model);
  void End(PredictResult result);
  absl::Status Fill(const PredictResult& result);
  absl::Status Error(const PredictResult& result) const;
  absl::StatusOr<absl::Time> Deadline() const;

  const PredictShared& shared_;
  const PredictCaller caller_;
  const inference::ModelInferRequest& request_;
  inference::ModelInferResponse* const response_;
  Done done_;
  TensorModel model_;
  TensorPictures pictures_;
  std::vector<RequestedOutput> outputs_;
};

}  // namespace fovea
