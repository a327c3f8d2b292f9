// When Winograd's convolution is worth its transforms, and whose.
#include <algorithm>

#include "core/backend/cpu/layouts.h"
#include "core/backend/cpu/products.h"
#include "core/backend/cpu/vectors.h"

namespace fovea::cpu {
namespace {

constexpr int64_t kTile = 4;

// Tiles of the output whose transform pays off that of the weights.
constexpr int64_t kMinTiles = 32;

int64_t TilesOf(const Dims& y) {
  return y[0] * ((y[2] + kTile - 1) / kTile) * ((y[3] + kTile - 1) / kTile);
}

bool Is3x3OfStride1(const Conv& conv) {
  const Window& window = conv.window;
  return conv.group == 1 && window.kernel == std::array{3, 3} &&
         window.stride == std::array{1, 1} && window.dilation == std::array{1, 1};
}

// Speed of oneDNN's over the direct kernel, one thread of an AMD Zen 4, forward / data gradient /
// weights gradient:
//   channels, side, batch    tiles a step
//   16, 28, 128                      6272   1.00 / 1.09 / 0.94   too few channels
//   32, 14, 128                      2048   1.12 / 1.24 / 0.87   a quarter of the tiles is padding
//   32, 16, 128                      2048   1.44 / 1.47 / 1.14
//   64, 7, 32                         128   1.39 / 1.41 / 1.40
//   64, 56, 32                       6272   2.49 / 2.36 / 1.85
//   512, 7, 8                          32   1.27 / 1.12 / 1.65
//   256, 14, 1                         16   0.93 / 0.87 / 1.00   w's transform is not paid off
//   512, 7, 1                           4   0.41 / 0.21 / 0.14
bool OneDnnPays(const ConvProblem& problem) {
  constexpr int64_t kMinChannels = 32, kManyChannels = 64;
  const Dims& y = problem.y.dims;
  const int64_t channels = std::min(problem.x.dims[1], y[1]);
  if (problem.x.dtype != DType::kF32 || channels < kMinChannels) return false;
  if (problem.direction != Direction::kBackwardWeights) return true;
  return channels >= kManyChannels || (y[2] % kTile == 0 && y[3] % kTile == 0);
}

// Milliseconds of ours, and of the best of oneDNN's, two threads of an AMD Zen 4, batch 128 (64
// channels at 56: batch 8):
//   channels, side   f32: forward    data gradient   weights gradient   bf16: weights gradient
//   16, 28              1.18 / 2.00     1.08 / 2.07        1.34 / 2.02             1.24 / 1.29
//   32, 14              1.27 / 1.50     1.13 / 1.60        1.28 / 2.08             1.15 / 1.28
//   64, 7               1.26 / 1.07     1.16 / 1.09        1.07 / 1.28             1.01 / 1.51
//   64, 56              3.99 / 3.21     3.55 / 3.36        4.24 / 3.70
// The bound of a small plane lies somewhere between those of the last two lines.
// In bf16 the direct kernel has twice the multiplications a second, and wins the other directions.
bool OursPays(const ConvProblem& problem) {
  constexpr int64_t kFewChannels = 32, kSmallPlane = 16 * 16;
  const Dims &x = problem.x.dims, &y = problem.y.dims;
  const Conv& conv = problem.conv;
  const auto& pad = conv.window.pad;
  if (!HasAvx512() || BlockChannels() != kLanes || x[1] % kLanes != 0 || y[1] % kLanes != 0 ||
      *std::max_element(pad.begin(), pad.end()) > 2) {
    return false;
  }
  if (conv.has_bias || conv.has_residual || conv.activation.kind != Activation::kNone) return false;
  const bool weights = problem.direction == Direction::kBackwardWeights;
  if (problem.x.dtype != DType::kF32 && !weights) return false;
  const int64_t channels = std::max(x[1], y[1]);
  return channels <= kFewChannels ||
         (weights && channels <= 2 * kFewChannels && y[2] * y[3] <= kSmallPlane);
}

}  // namespace

ConvAlgorithm WinogradOrDirect(const ConvProblem& problem) {
  if (!Is3x3OfStride1(problem.conv) || TilesOf(problem.y.dims) < kMinTiles) {
    return ConvAlgorithm::kDirect;
  }
  if (OursPays(problem)) return ConvAlgorithm::kOwnWinograd;
  return OneDnnPays(problem) ? ConvAlgorithm::kOneDnnWinograd : ConvAlgorithm::kDirect;
}

}  // namespace fovea::cpu
