// ProgressMeter: turns steps into the Progress that a job shows, at most one per interval.
//
// A window runs from one Progress to the next; loss, accuracy and rates are means over it. Time
// spent evaluating or saving (Pause to Continue) is in no window, so that images per second are
// those of training, but it counts for the ETA. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "core/base/clock.h"
#include "fovea/v1/jobs.pb.h"

namespace fovea {

class ProgressMeter {
 public:
  struct Options {
    const Clock* clock = Clock::Real();
    absl::Duration interval = absl::Milliseconds(200);
    int64_t first_step = 0;   // of this attempt
    int64_t total_steps = 0;  // of the whole training
    int64_t steps_per_epoch = 1;
    int64_t images_per_step = 1;
    double flops_per_step = 0;
    double peak_flops = 0;  // of the device, at the job's width; 0: not measured
  };

  // The attempt and the first window begin now.
  explicit ProgressMeter(Options options);

  // `accuracy` is there at every step, or at none (regression).
  void Add(double loss, std::optional<double> accuracy, double learning_rate);

  // Whether the interval has passed and there is a step to report.
  bool IsDue() const;
  // What the window holds; the next window begins. An empty one repeats the loss, the accuracy and
  // the rates of the one before.
  v1::Progress Take();

  // The training ends here, before its last step: Progress from now on has no step to go.
  void EndHere();

  // What lies between is not training.
  void Pause() { paused_at_ = options_.clock->Elapsed(); }
  void Continue() { window_start_ += options_.clock->Elapsed() - paused_at_; }

 private:
  // Puts the window's means and rates into last_ and empties it.
  void TakeWindow(double seconds);

  Options options_;
  const absl::Duration start_;
  absl::Duration window_start_;
  absl::Duration paused_at_;
  int64_t steps_ = 0;  // of this attempt
  int64_t window_steps_ = 0;
  double window_loss_ = 0;
  double window_accuracy_ = 0;
  bool has_accuracy_ = false;
  double learning_rate_ = 0;
  v1::Progress last_;  // what Take answered
};

}  // namespace fovea
