// DataWait: what share of the time of training its steps waited for data, by epoch and in all.
// Evaluations and checkpoints lie between End and Begin and count for nothing. Not thread-safe.
#pragma once

#include <optional>

#include "absl/time/time.h"

namespace fovea {

class DataWait {
 public:
  // Training begins or goes on at time `now`; `waited` is what the loader has waited in all.
  void Begin(absl::Duration now, absl::Duration waited) {
    began_ = now;
    waited_before_ = waited;
  }
  // Training pauses. Returns the share since Begin, in [0, 1]; 0 when no time has passed.
  double End(absl::Duration now, absl::Duration waited) {
    const absl::Duration trained = now - began_, stood = waited - waited_before_;
    trained_ += trained;
    waited_ += stood;
    return Share(stood, trained);
  }
  // Over all that was ended; absent before the first End.
  std::optional<double> share() const {
    if (trained_ <= absl::ZeroDuration()) return std::nullopt;
    return Share(waited_, trained_);
  }

 private:
  static double Share(absl::Duration part, absl::Duration whole) {
    return whole <= absl::ZeroDuration() ? 0 : absl::FDivDuration(part, whole);
  }

  absl::Duration began_, waited_before_;
  absl::Duration trained_, waited_;
};

}  // namespace fovea
