// When Winograd's convolution is worth its transforms.
#include <algorithm>

#include "core/backend/cpu/products.h"

namespace fovea::cpu {

// Winograd's F(4x4, 3x3) needs a quarter of the multiplications (Lavin and Gray 2016) and pays for
// it by transforming x, w and y. Speed over the direct kernel, one thread of an AMD Zen 4, forward
// / data gradient / weights gradient:
//   channels, side, batch    tiles a step
//   16, 28, 128                      6272   1.00 / 1.09 / 0.94   too few channels
//   32, 14, 128                      2048   1.12 / 1.24 / 0.87   a quarter of the tiles is padding
//   32, 16, 128                      2048   1.44 / 1.47 / 1.14
//   64, 7, 32                         128   1.39 / 1.41 / 1.40
//   64, 56, 32                       6272   2.49 / 2.36 / 1.85
//   512, 7, 8                          32   1.27 / 1.12 / 1.65
//   256, 14, 1                         16   0.93 / 0.87 / 1.00   w's transform is not paid off
//   512, 7, 1                           4   0.41 / 0.21 / 0.14
bool WinogradPays(const ConvProblem& problem) {
  constexpr int64_t kTile = 4, kMinTiles = 32, kMinChannels = 32, kManyChannels = 64;
  const Window& window = problem.conv.window;
  const bool fits = problem.x.dtype == DType::kF32 && problem.conv.group == 1 &&
                    window.kernel == std::array{3, 3} && window.stride == std::array{1, 1} &&
                    window.dilation == std::array{1, 1};
  if (!fits) return false;
  const Dims& y = problem.y.dims;
  const int64_t tiles = y[0] * ((y[2] + kTile - 1) / kTile) * ((y[3] + kTile - 1) / kTile);
  const int64_t channels = std::min(problem.x.dims[1], y[1]);
  if (tiles < kMinTiles || channels < kMinChannels) return false;
  if (problem.direction != Direction::kBackwardWeights) return true;
  return channels >= kManyChannels || (y[2] % kTile == 0 && y[3] % kTile == 0);
}

}  // namespace fovea::cpu
