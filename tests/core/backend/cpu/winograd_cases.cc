#include "tests/core/backend/cpu/winograd_cases.h"

#include <array>
#include <string>

namespace fovea {
namespace {

OpCase WinogradCase(const std::string& name, const Dims& x, int64_t outputs, bool has_bias,
                    const std::array<int32_t, 4>& pad) {
  OpCase result;
  result.name = name;
  Conv conv;
  conv.window = {{3, 3}, {1, 1}, {1, 1}, pad};
  conv.has_bias = has_bias;
  result.attrs = conv;
  result.inputs = {{x}, {{outputs, x[1], 3, 3}, InputKind::kUniform, Role::kParameter}};
  result.differentiable = {0, 1};
  if (has_bias) {
    result.inputs.push_back({{outputs}, InputKind::kUniform, Role::kParameter});
    result.differentiable.push_back(2);
  }
  result.tolerance = 2e-5;
  return result;
}

}  // namespace

const std::vector<OpCase>& WinogradCases() {
  constexpr std::array<int32_t, 4> kSame = {1, 1, 1, 1};
  static const auto* cases = new std::vector<OpCase>{
      // oneDNN's kernels, and ours for some of the weights' gradients.
      WinogradCase("whole_tiles", {8, 64, 8, 8}, 64, false, kSame),
      WinogradCase("cut_tiles", {9, 64, 7, 7}, 64, false, kSame),
      WinogradCase("sides_differ_bias", {6, 64, 10, 7}, 80, true, kSame),
      WinogradCase("narrowing", {8, 96, 8, 8}, 32, false, kSame),
      // Ours: in 16 channels and out 16, whole groups of tiles, cut tiles, every padding.
      WinogradCase("ours_whole_tiles", {14, 16, 8, 8}, 16, false, kSame),
      WinogradCase("ours_one_chunk_more", {15, 16, 16, 12}, 16, false, kSame),
      WinogradCase("ours_cut_tiles", {5, 16, 13, 9}, 32, false, kSame),
      WinogradCase("ours_narrowing", {9, 32, 7, 7}, 16, false, kSame),
      WinogradCase("ours_no_padding", {4, 32, 12, 11}, 32, false, {0, 0, 0, 0}),
      WinogradCase("ours_wide_padding", {3, 16, 10, 14}, 32, false, {2, 2, 2, 2}),
      WinogradCase("ours_one_sided", {4, 16, 11, 12}, 16, false, {0, 2, 1, 0}),
      WinogradCase("ours_narrow_image", {40, 16, 5, 1}, 16, false, kSame),
  };
  return *cases;
}

}  // namespace fovea
