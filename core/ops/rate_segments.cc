#include "core/ops/rate_segments.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace fovea::ops {
namespace {

constexpr int64_t kUnit = 16;  // elements; Graph::AssignRegions aligns values to it

int64_t Units(int64_t elements) { return (elements + kUnit - 1) / kUnit; }

}  // namespace

absl::Status CheckRateSegments(absl::Span<const float> constants, int64_t count) {
  if (constants.empty()) return absl::OkStatus();
  if (constants.size() % 2 != 0) {
    return absl::InvalidArgumentError(absl::StrCat("found ", constants.size(),
                                                   " constants, expected pairs (end / 16, rate "
                                                   "factor)"));
  }
  float before = 0;
  for (size_t i = 0; i < constants.size(); i += 2) {
    const float end = constants[i], factor = constants[i + 1];
    if (!(end > before) || end != std::floor(end)) {
      return absl::InvalidArgumentError(absl::StrCat("a rate segment ends at 16 * ", end,
                                                     ", expected a whole number above ", before));
    }
    if (!(factor > 0) || !std::isfinite(factor)) {
      return absl::InvalidArgumentError(
          absl::StrCat("a rate factor is ", factor, ", expected a finite number > 0"));
    }
    before = end;
  }
  if (static_cast<int64_t>(before) == Units(count)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the last rate segment ends at 16 * ", before,
                                                 ", expected 16 * ", Units(count)));
}

std::vector<RateSegment> RateSegments(absl::Span<const float> constants, int64_t count) {
  std::vector<RateSegment> segments;
  for (size_t i = 0; i + 1 < constants.size(); i += 2) {
    const int64_t end = static_cast<int64_t>(constants[i]) * kUnit;
    segments.push_back({std::min(end, count), constants[i + 1]});
  }
  if (segments.empty()) segments.push_back({count, 1});
  return segments;
}

std::vector<float> RateConstants(absl::Span<const RateSegment> segments) {
  std::vector<float> constants;
  for (const RateSegment& segment : segments) {
    const auto end = static_cast<float>(Units(segment.end));
    if (!constants.empty() && constants.back() == segment.factor) {
      constants[constants.size() - 2] = end;
    } else {
      constants.insert(constants.end(), {end, segment.factor});
    }
  }
  if (constants.size() == 2 && constants[1] == 1) constants.clear();
  return constants;
}

}  // namespace fovea::ops
