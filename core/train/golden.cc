#include "core/train/golden.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/base/status.h"
#include "core/compile/buckets.h"
#include "core/train/serving_precision.h"

namespace fovea {
namespace {

// Other kernels, layouts and processors round otherwise: FP32 by 1e-6 to 1e-5 an output, bf16 by
// its 8 bits in every layer.
constexpr float kF32Tolerance = 1e-3f, kBf16Tolerance = 5e-2f;

}  // namespace

absl::StatusOr<std::vector<std::vector<uint8_t>>> FirstPixels(const Dataset& dataset, int count) {
  std::vector<std::vector<uint8_t>> pixels;
  std::vector<float> target(static_cast<size_t>(dataset.labels()));
  for (int64_t i = 0; i < std::min<int64_t>(count, dataset.size()); ++i) {
    pixels.emplace_back(dataset.shape().bytes());
    RETURN_IF_ERROR(dataset.Read(i, pixels.back().data(), target.data()));
  }
  return pixels;
}

absl::StatusOr<v1::Golden> MakeGolden(const Model& model, const Backend& backend,
                                      absl::Span<const std::vector<uint8_t>> pixels) {
  const DType type = ComputeTypeOf(model.manifest.precision());
  ASSIGN_OR_RETURN(std::shared_ptr<Weights> weights, MakeWeights(model, backend));
  BucketPrograms::Options options;
  options.max_batch = 1;
  options.compile.compute_type = type;
  ASSIGN_OR_RETURN(std::shared_ptr<BucketPrograms> programs,
                   BucketPrograms::Create(model.graph, std::move(weights), options));
  ASSIGN_OR_RETURN(const std::unique_ptr<BucketExecutor> executor,
                   BucketExecutor::Create(programs));
  v1::Golden golden;
  golden.set_tolerance(type == DType::kBF16 ? kBf16Tolerance : kF32Tolerance);
  std::vector<float> outputs(static_cast<size_t>(programs->row_count()));
  for (const std::vector<uint8_t>& picture : pixels) {
    const uint8_t* example = picture.data();
    RETURN_IF_ERROR(executor->Run({&example, 1}, outputs.data()));
    v1::GoldenExample& kept = *golden.add_examples();
    kept.set_pixels(std::string(picture.begin(), picture.end()));
    kept.mutable_outputs()->Add(outputs.begin(), outputs.end());
  }
  return golden;
}

}  // namespace fovea
