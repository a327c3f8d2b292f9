// The Datasets service: data sets by name, and imports into them.
//
// Every handler runs on a worker thread. An Import stream holds one message at a time: the next one
// is read when the last one's image is stored, so gRPC's flow control slows the client down.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "core/base/thread_pool.h"
#include "server/services/dataset_registry.h"
#include "server/services/limits.h"
#include "server/telemetry/metrics.h"

namespace grpc {
class Service;
}

namespace fovea {

struct DatasetsServiceOptions {
  DatasetRegistry* registry = nullptr;
  Metrics* metrics = nullptr;
  ThreadPool* workers = nullptr;  // short requests
  ThreadPool* imports = nullptr;  // decoding and storing
  std::string data_root;          // for ImportPath; empty: none
  Limits limits;
  // OK unless an unfinished job uses the data set of this name.
  std::function<absl::Status(const std::string&)> check_unused;
};

// What is pointed to outlives the service.
std::unique_ptr<grpc::Service> MakeDatasetsService(DatasetsServiceOptions options);

}  // namespace fovea
