#include "core/model/golden.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"

namespace fovea {

absl::Status CheckGolden(const v1::Golden& golden, size_t pixel_bytes, size_t outputs,
                         RunExamples run) {
  if (golden.examples().empty()) return absl::OkStatus();
  std::vector<const uint8_t*> pixels;
  float largest = 0;
  for (const v1::GoldenExample& example : golden.examples()) {
    if (example.pixels().size() != pixel_bytes ||
        static_cast<size_t>(example.outputs_size()) != outputs) {
      return absl::DataLossError(absl::StrCat(
          "a golden example has ", example.pixels().size(), " bytes of pixels and ",
          example.outputs_size(), " outputs, expected ", pixel_bytes, " and ", outputs));
    }
    pixels.push_back(reinterpret_cast<const uint8_t*>(example.pixels().data()));
    for (float value : example.outputs()) largest = std::max(largest, std::abs(value));
  }
  std::vector<float> found(pixels.size() * outputs);
  RETURN_IF_ERROR(run(pixels, found.data()));
  const float allowed = golden.tolerance() * largest;
  for (size_t i = 0; i < found.size(); ++i) {
    const float expected =
        golden.examples(static_cast<int>(i / outputs)).outputs(static_cast<int>(i % outputs));
    // Written so that what is not a number is refused.
    if (std::abs(found[i] - expected) <= allowed) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("its answers differ here from those it was published with: output ",
                     i % outputs, " of golden example ", i / outputs, " is ", found[i],
                     ", expected ", expected, " within ", allowed));
  }
  return absl::OkStatus();
}

}  // namespace fovea
