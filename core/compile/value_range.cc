#include "core/compile/value_range.h"

#include <algorithm>
#include <cmath>

namespace fovea {

void ValueRange::Add(absl::Span<const float> values) {
  float largest = 0, lowest = 0;
  for (float value : values) {
    if (!std::isfinite(value)) continue;
    largest = std::max(largest, std::abs(value));
    lowest = std::min(lowest, value);
  }
  Cover(largest);
  negative_ = negative_ || lowest < 0;
  const float bins_a_unit = end_ > 0 ? kBins / end_ : 0;
  for (float value : values) {
    if (!std::isfinite(value)) continue;
    const int bin = static_cast<int>(std::abs(value) * bins_a_unit);
    ++bins_[std::min(bin, kBins - 1)];
    ++count_;
  }
}

void ValueRange::Cover(float magnitude) {
  largest_ = std::max(largest_, magnitude);
  if (end_ == 0 && magnitude > 0) {
    // What was seen so far is zeros, in bin 0.
    end_ = magnitude;
    return;
  }
  while (end_ < magnitude) {
    for (int i = 0; i < kBins; ++i) {
      bins_[i] = 2 * i < kBins ? bins_[2 * i] + bins_[2 * i + 1] : 0;
    }
    end_ *= 2;
  }
}

float ValueRange::Limit(double share) const {
  const double wanted = std::ceil(share * static_cast<double>(count_));
  double below = 0;
  for (int i = 0; i < kBins; ++i) {
    below += static_cast<double>(bins_[i]);
    if (below >= wanted) return std::min(largest_, end_ * static_cast<float>(i + 1) / kBins);
  }
  return largest_;
}

}  // namespace fovea
