// ValueRange: how large the values of a tensor are, over many examples: a histogram of magnitudes.
// A value; not thread-safe.
#pragma once

#include <array>
#include <cstdint>

#include "absl/types/span.h"

namespace fovea {

class ValueRange {
 public:
  // What is not finite is passed over.
  void Add(absl::Span<const float> values);

  bool negative() const { return negative_; }
  int64_t count() const { return count_; }
  // The magnitude that at least `share` (in (0, 1]) of the values do not exceed, to within a bin
  // above; at share 1 the largest one. 0 when nothing but zeros was seen.
  float Limit(double share) const;

 private:
  static constexpr int kBins = 4096;
  // Widens the bins until `magnitude` has one.
  void Cover(float magnitude);

  std::array<int64_t, kBins> bins_ = {};  // of magnitudes, from 0 up to end_
  float end_ = 0;
  float largest_ = 0;
  bool negative_ = false;
  int64_t count_ = 0;
};

}  // namespace fovea
