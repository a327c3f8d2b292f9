#include "core/train/progress.h"

#include "core/train/timestamp.h"

namespace fovea {

ProgressMeter::ProgressMeter(Options options)
    : options_(options),
      start_(options_.clock->Elapsed()),
      window_start_(options_.clock->Elapsed()) {}

void ProgressMeter::Add(double loss, std::optional<double> accuracy, double learning_rate) {
  ++steps_;
  ++window_steps_;
  window_loss_ += loss;
  has_accuracy_ = accuracy.has_value();
  window_accuracy_ += accuracy.value_or(0);
  learning_rate_ = learning_rate;
}

bool ProgressMeter::IsDue() const {
  return window_steps_ > 0 && options_.clock->Elapsed() - window_start_ >= options_.interval;
}

void ProgressMeter::EndHere() { options_.total_steps = options_.first_step + steps_; }

v1::Progress ProgressMeter::Take() {
  const absl::Duration now = options_.clock->Elapsed();
  const int64_t step = options_.first_step + steps_;
  v1::Progress& progress = last_;
  progress.set_epoch(static_cast<uint32_t>(step / options_.steps_per_epoch));
  progress.set_total_epochs(static_cast<uint32_t>(options_.total_steps / options_.steps_per_epoch));
  progress.set_step(step);
  progress.set_total_steps(options_.total_steps);
  progress.set_learning_rate(learning_rate_);
  progress.set_attempt_images(steps_ * options_.images_per_step);
  progress.set_attempt_flops(
      static_cast<uint64_t>(static_cast<double>(steps_) * options_.flops_per_step));
  if (window_steps_ > 0) TakeWindow(absl::ToDoubleSeconds(now - window_start_));
  if (steps_ > 0) {
    const absl::Duration per_step = (now - start_) / steps_;
    SetDuration(per_step * (options_.total_steps - step), *progress.mutable_eta());
  }
  window_start_ = now;
  return progress;
}

void ProgressMeter::TakeWindow(double seconds) {
  const auto steps = static_cast<double>(window_steps_);
  last_.set_loss(window_loss_ / steps);
  if (has_accuracy_) last_.set_accuracy(window_accuracy_ / steps);
  if (seconds > 0) {
    const double steps_per_second = steps / seconds;
    last_.set_images_per_second(steps_per_second * static_cast<double>(options_.images_per_step));
    if (options_.peak_flops > 0) {
      last_.set_share_of_peak(steps_per_second * options_.flops_per_step / options_.peak_flops);
    }
  }
  window_steps_ = 0;
  window_loss_ = 0;
  window_accuracy_ = 0;
}

}  // namespace fovea
