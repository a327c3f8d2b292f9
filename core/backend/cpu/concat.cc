// Concat and SliceChannels: copies of whole runs of channels.
#include <cstring>
#include <vector>

#include "core/backend/cpu/host_kernel.h"
#include "core/backend/cpu/lower.h"

namespace fovea::cpu {
namespace {

// Rows in which a value's channels lie one behind the other: pixels for nhwc, examples otherwise.
int64_t RowsOf(const Type& type) {
  const bool pixels = type.layout == kNhwc;
  return pixels ? type.dims[0] * type.dims[2] * type.dims[3] : type.dims[0];
}

}  // namespace

absl::StatusOr<Lowered> LowerConcat(const NodeView& view) {
  const int64_t rows = RowsOf(view.out(0)), row = PaddedCount(view.out(0)) / rows;
  std::vector<int64_t> parts;
  for (size_t i = 0; i < view.node.inputs.size(); ++i) {
    parts.push_back(PaddedCount(view.in(static_cast<int>(i))) / rows);
  }
  return LowerHost("fovea:concat", [=](Addresses in, Addresses out) {
    ParallelRanges(rows, 1, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        float* y = At<float>(out, 0) + r * row;
        for (size_t i = 0; i < parts.size(); ++i) {
          const float* x = At<float>(in, static_cast<int>(i)) + r * parts[i];
          std::memcpy(y, x, parts[i] * sizeof(float));
          y += parts[i];
        }
      }
    });
  });
}

absl::StatusOr<Lowered> LowerSliceChannels(const NodeView& view, const SliceChannels& slice) {
  const int64_t rows = RowsOf(view.in(0)), row = PaddedCount(view.in(0)) / rows;
  const int64_t part = PaddedCount(view.out(0)) / rows;
  const int64_t skipped = row / view.in(0).dims[1] * slice.begin;
  return LowerHost("fovea:slice_channels", [=](Addresses in, Addresses out) {
    ParallelRanges(rows, 1, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        std::memcpy(At<float>(out, 0) + r * part, At<float>(in, 0) + r * row + skipped,
                    part * sizeof(float));
      }
    });
  });
}

}  // namespace fovea::cpu
