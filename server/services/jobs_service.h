// The Jobs service: what the job store knows, the stream of events, cancel and resume.
#pragma once

#include <memory>

#include "core/base/thread_pool.h"
#include "server/jobs/job_feed.h"
#include "server/jobs/job_runner.h"
#include "server/jobs/job_store.h"
#include "server/services/limits.h"
#include "server/telemetry/metrics.h"

namespace grpc {
class Service;
}

namespace fovea {

struct JobsServiceOptions {
  JobStore* store = nullptr;
  JobFeed* feed = nullptr;
  JobRunner* runner = nullptr;
  Metrics* metrics = nullptr;
  ThreadPool* workers = nullptr;   // short requests
  ThreadPool* watchers = nullptr;  // reading events for streams; unbounded queue
  Limits limits;
};

// What is pointed to outlives the service.
std::unique_ptr<grpc::Service> MakeJobsService(JobsServiceOptions options);

}  // namespace fovea
