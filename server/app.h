// App: the whole server as one object: made from a Config, it serves until Drain.
//
// main holds only what a test cannot share: flags, signals and the exit code. Two Apps can live in
// one process on different data folders.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "server/config.h"

namespace fovea {

class App {
 public:
  // Opens the data folder and both ports, and serves on return; models load meanwhile, and jobs
  // that an earlier server left go on. FailedPrecondition when the folder is in use; Unavailable
  // when a port is; NotFound for the trainer.
  static absl::StatusOr<std::unique_ptr<App>> Start(const Config& config);
  virtual ~App() = default;

  virtual int grpc_port() const = 0;
  virtual int metrics_port() const = 0;

  // Readiness first: health says NOT_SERVING, and streams of events end with Unavailable, as do
  // those of requests once what they have read is answered. Then no new request is taken, those
  // under way finish, and the trainer saves a checkpoint; each for the grace period at most. Its
  // job goes on after the next start.
  virtual void Drain() = 0;
};

}  // namespace fovea
