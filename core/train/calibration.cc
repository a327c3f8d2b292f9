#include "core/train/calibration.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/base/status.h"
#include "core/compile/calibrate.h"

namespace fovea {

absl::StatusOr<Quantization> CalibrateOn(const Dataset& dataset, const v1::Calibration& calibration,
                                         const Graph& graph, std::shared_ptr<Weights> weights,
                                         int width, const CancelToken* cancel) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Calibrator> calibrator,
                   Calibrator::Create(graph, std::move(weights), width));
  std::vector<uint8_t> pixels(dataset.shape().bytes());
  std::vector<float> target(static_cast<size_t>(dataset.labels()));
  const int64_t count = std::min<int64_t>(calibration.examples(), dataset.size());
  for (int64_t i = 0; i < count; ++i) {
    RETURN_IF_ERROR(CheckNotCancelled(cancel));
    RETURN_IF_ERROR(dataset.Read(i * dataset.size() / count, pixels.data(), target.data()));
    RETURN_IF_ERROR(calibrator->Observe(pixels.data()));
  }
  return calibrator->Find(calibration.share());
}

}  // namespace fovea
