// The Models service: the versions in the repository and whether they are served.
#pragma once

#include <memory>

#include "core/base/thread_pool.h"
#include "core/model/repository.h"
#include "server/serving/model_manager.h"
#include "server/telemetry/metrics.h"

namespace grpc {
class Service;
}

namespace fovea {

struct ModelsServiceOptions {
  ModelRepository* repository = nullptr;
  ModelManager* manager = nullptr;
  Metrics* metrics = nullptr;
  ThreadPool* workers = nullptr;
};

// What is pointed to outlives the service.
std::unique_ptr<grpc::Service> MakeModelsService(ModelsServiceOptions options);

}  // namespace fovea
