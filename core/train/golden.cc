#include "core/train/golden.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/base/status.h"
#include "core/compile/buckets.h"
#include "core/graph/quantization.h"
#include "core/model/quantization.h"
#include "core/model/served_precision.h"

namespace fovea {
namespace {

// Other kernels, layouts and processors round otherwise: FP32 by 1e-6 to 1e-5 an output, bf16 by
// its 8 bits in every layer; INT8 by a step wherever a value is in the middle between two.
float ToleranceOf(DType type) {
  switch (type) {
    case DType::kBF16:
      return 5e-2f;
    case DType::kI8:
      return 1e-1f;
    default:
      return 1e-3f;
  }
}

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
  options.compile.quantization =
      std::make_shared<const Quantization>(FromProto(model.quantization));
  ASSIGN_OR_RETURN(std::shared_ptr<BucketPrograms> programs,
                   BucketPrograms::Create(model.graph, std::move(weights), options));
  ASSIGN_OR_RETURN(const std::unique_ptr<BucketExecutor> executor,
                   BucketExecutor::Create(programs));
  v1::Golden golden;
  golden.set_tolerance(ToleranceOf(type));
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
