// The Classifier service: Train, Predict and Evaluate.
//
// Train validates everything on a worker thread, stores the job and turns into a stream of its
// events. Predict is asynchronous from end to end. Evaluate has threads of its own, of lower
// priority than serving.
#pragma once

#include <functional>
#include <memory>

#include "core/base/thread_pool.h"
#include "core/model/repository.h"
#include "core/train/config.h"
#include "server/jobs/job_feed.h"
#include "server/jobs/job_runner.h"
#include "server/jobs/job_store.h"
#include "server/rpc/open_streams.h"
#include "server/services/dataset_registry.h"
#include "server/services/limits.h"
#include "server/serving/model_manager.h"
#include "server/serving/predictor.h"
#include "server/telemetry/metrics.h"

namespace grpc {
class Service;
}

namespace fovea {

struct ClassifierServiceOptions {
  DatasetRegistry* datasets = nullptr;
  JobStore* store = nullptr;
  JobFeed* feed = nullptr;
  JobRunner* runner = nullptr;
  ModelManager* manager = nullptr;
  const ModelRepository* repository = nullptr;
  Predictor* predictor = nullptr;
  OpenStreams* streams = nullptr;
  Metrics* metrics = nullptr;
  ThreadPool* watchers = nullptr;     // validation, and reading events; unbounded queue
  ThreadPool* evaluations = nullptr;  // a thread for each that may run at a time
  // Threads of a step and memory for decoded pictures, where the client names none.
  std::function<TrainingBudget()> training_budget;
  int evaluation_width = 1;  // those that the served programs were made for
  Limits limits;
};

// What is pointed to outlives the service.
std::unique_ptr<grpc::Service> MakeClassifierService(const ClassifierServiceOptions& options);

}  // namespace fovea
