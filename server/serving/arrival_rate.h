// ArrivalRate: images a second, an exponentially weighted average over about the last second. A
// value; not thread-safe.
#pragma once

#include <cmath>

#include "absl/time/time.h"

namespace fovea {

class ArrivalRate {
 public:
  // `now` is Clock::Elapsed and never decreases.
  void Add(int count, absl::Duration now) {
    rate_ = At(now) + count / absl::ToDoubleSeconds(kWindow);
    last_ = now;
  }
  double At(absl::Duration now) const {
    return rate_ * std::exp(-absl::FDivDuration(now - last_, kWindow));
  }

 private:
  static constexpr absl::Duration kWindow = absl::Seconds(1);
  double rate_ = 0;  // at last_
  absl::Duration last_;
};

}  // namespace fovea
