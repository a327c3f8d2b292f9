// The Open Inference Protocol's service, for the clients of other servers: the same models,
// pictures and queue as Classifier.Predict (proto/inference/inference.proto).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/base/thread_pool.h"
#include "core/model/repository.h"
#include "server/rpc/open_streams.h"
#include "server/services/limits.h"
#include "server/serving/model_manager.h"
#include "server/serving/predictor.h"
#include "server/telemetry/metrics.h"

namespace grpc {
class Service;
}

namespace fovea {

struct InferenceServiceOptions {
  ModelManager* manager = nullptr;
  const ModelRepository* repository = nullptr;
  Predictor* predictor = nullptr;
  OpenStreams* streams = nullptr;
  ThreadPool* workers = nullptr;  // reads the repository
  Metrics* metrics = nullptr;
  std::function<bool()> ready;       // whether the server is
  std::string version;               // the program's
  std::string shared_memory_prefix;  // of segments that clients may name; empty: none
  Limits limits;
};

// What is pointed to outlives the service.
std::unique_ptr<grpc::Service> MakeInferenceService(InferenceServiceOptions options);

}  // namespace fovea
