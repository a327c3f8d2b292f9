// Learning-rate factors of an update, part by part of the parameter region.
//
// They are the constants of the update's node: for each part, in order, (end / 16, factor), where
// `end` is the first element after it. Values start at multiples of 16 elements, so that an end is
// exact as a float in regions of up to 2^28 elements. No constants: factor 1 everywhere.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace fovea::ops {

struct RateSegment {
  int64_t end = 0;
  float factor = 1;
};

// OK when ends grow, the last one is `count` rounded up to 16, and factors are finite and > 0;
// InvalidArgument says what was found and expected.
absl::Status CheckRateSegments(absl::Span<const float> constants, int64_t count);

// Those of a node that was checked; at least one, and the last ends at `count`.
std::vector<RateSegment> RateSegments(absl::Span<const float> constants, int64_t count);

// The constants of the segments; none where every factor is 1. Neighbours of one factor join.
std::vector<float> RateConstants(absl::Span<const RateSegment> segments);

// Calls body(begin, end, factor) for the parts of [begin, end) that lie in one segment each.
template <typename Body>
void ForEachSegment(absl::Span<const RateSegment> segments, int64_t begin, int64_t end,
                    const Body& body) {
  for (const RateSegment& segment : segments) {
    if (segment.end <= begin) continue;
    const int64_t stop = segment.end < end ? segment.end : end;
    if (begin < stop) body(begin, stop, segment.factor);
    begin = stop;
  }
}

}  // namespace fovea::ops
