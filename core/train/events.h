// EventSink: where a training run tells what happens. The trainer's main writes a pipe or a
// terminal; a test keeps a list.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "fovea/v1/jobs.pb.h"
#include "fovea/v1/trainer.pb.h"

namespace fovea {

// One step of training, as it was computed.
struct StepRecord {
  int64_t step = 0;  // from 0
  double loss = 0;   // mean over the batch
  double learning_rate = 0;
  // Share of right decisions in the batch, as the net stood before the step; none for regression.
  std::optional<double> accuracy;
};

// Called from the thread that runs the Trainer. An error stops the run, which answers it.
class EventSink {
 public:
  virtual ~EventSink() = default;

  // The first call.
  virtual absl::Status Started(const v1::TrainerStarted& started) = 0;

  // Progress (throttled), epochs, checkpoints and notes; everything is set but the number.
  virtual absl::Status Event(const v1::JobEvent& event) = 0;

  // Every step; for tests and logs of losses.
  virtual absl::Status Step(const StepRecord& record) {
    (void)record;
    return absl::OkStatus();
  }
};

}  // namespace fovea
