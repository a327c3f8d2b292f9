#include "server/serving/served_version.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/scoped_width.h"
#include "core/base/status.h"
#include "core/compile/compile.h"
#include "core/model/golden.h"

namespace fovea {
namespace {

class BucketEngine : public BatchEngine {
 public:
  explicit BucketEngine(std::unique_ptr<BucketExecutor> executor)
      : executor_(std::move(executor)) {}
  absl::Status Run(absl::Span<const uint8_t* const> examples, float* output) override {
    return executor_->Run(examples, output);
  }
  double last_flops() const override { return executor_->last_flops(); }

 private:
  const std::unique_ptr<BucketExecutor> executor_;
};

absl::StatusOr<std::unique_ptr<BatchEngine>> MakeEngine(std::shared_ptr<BucketPrograms> programs) {
  ASSIGN_OR_RETURN(std::unique_ptr<BucketExecutor> executor,
                   BucketExecutor::Create(std::move(programs)));
  return std::make_unique<BucketEngine>(std::move(executor));
}

// The shortest of some runs on black pictures, after one that puts everything in place.
absl::StatusOr<absl::Duration> TimeBatch(BatchEngine& engine, int count, int runs,
                                         const std::vector<uint8_t>& pixels,
                                         std::vector<float>& output) {
  const std::vector<const uint8_t*> examples(count, pixels.data());
  RETURN_IF_ERROR(engine.Run(examples, output.data()));
  absl::Duration shortest = absl::InfiniteDuration();
  for (int run = 0; run < runs; ++run) {
    const absl::Duration begin = Clock::Real()->Elapsed();
    RETURN_IF_ERROR(engine.Run(examples, output.data()));
    shortest = std::min(shortest, Clock::Real()->Elapsed() - begin);
  }
  return shortest;
}

// Runs the model, so that the first request finds everything in place, and measures its buckets:
// with a target for the latency all that may fit, else the smallest.
absl::StatusOr<BucketTimes> Warm(const std::shared_ptr<BucketPrograms>& programs,
                                 size_t example_bytes, int outputs, absl::Duration target) {
  ASSIGN_OR_RETURN(const std::unique_ptr<BatchEngine> engine, MakeEngine(programs));
  const std::vector<uint8_t> pixels(example_bytes);
  std::vector<float> output(static_cast<size_t>(programs->max_batch()) * outputs);
  const int runs = target > absl::ZeroDuration() ? 3 : 1;
  BucketTimes times(programs->max_batch());
  for (int size = 1; size <= programs->max_batch(); size *= 2) {
    ASSIGN_OR_RETURN(const absl::Duration time, TimeBatch(*engine, size, runs, pixels, output));
    times.Learn(size, time);
    if (2 * time > target) break;  // nor do larger ones fit
  }
  return times;
}

// What the version is served in on this machine: where that takes instructions it lacks, FP32.
DType ComputeTypeHere(const v1::ModelManifest& manifest, const Backend& backend) {
  if (manifest.precision() != v1::SERVED_PRECISION_BF16) return DType::kF32;
  const absl::Status computes = CheckBf16(backend);
  if (computes.ok()) return DType::kBF16;
  LogWarning("served in FP32", {{"model", manifest.name()},
                                {"version", manifest.version()},
                                {"reason", computes.message()}});
  return DType::kF32;
}

// The golden examples, all in one batch and through the buckets that serve.
absl::Status CheckParity(const v1::Golden& golden,
                         const std::shared_ptr<BucketPrograms>& programs) {
  ASSIGN_OR_RETURN(const std::unique_ptr<BatchEngine> engine, MakeEngine(programs));
  return CheckGolden(golden, programs->example_bytes(), static_cast<size_t>(programs->row_count()),
                     [&](absl::Span<const uint8_t* const> examples, float* outputs) {
                       return engine->Run(examples, outputs);
                     });
}

}  // namespace

bool ServedVersion::regression() const {
  return manifest_.task() == v1::TASK_REGRESSION || manifest_.task() == v1::TASK_UNIT_REGRESSION;
}

bool ServedVersion::has_thresholds() const {
  return manifest_.task() == v1::TASK_MULTI_LABEL || manifest_.task() == v1::TASK_BINARY;
}

absl::StatusOr<std::unique_ptr<ServedVersion>> ServedVersion::Load(Model model,
                                                                   const Options& options) {
  // Primitives are made for the width that runs them.
  const ScopedWidth width(options.width);
  auto served = std::unique_ptr<ServedVersion>(new ServedVersion());
  served->manifest_ = std::move(model.manifest);
  const v1::Preprocessing& input = served->manifest_.preprocessing();
  served->shape_ = {static_cast<int>(input.width()), static_cast<int>(input.height()),
                    static_cast<int>(input.channels())};
  ASSIGN_OR_RETURN(std::shared_ptr<Weights> weights, MakeWeights(model, *options.backend));
  BucketPrograms::Options buckets;
  buckets.max_batch = options.policy.max_batch;
  buckets.compile.width = options.width;
  buckets.compile.compute_type = ComputeTypeHere(served->manifest_, *options.backend);
  ASSIGN_OR_RETURN(served->programs_,
                   BucketPrograms::Create(std::move(model.graph), std::move(weights), buckets));
  const size_t example_bytes = served->programs_->example_bytes();
  if (example_bytes != served->shape_.bytes()) {
    return absl::InvalidArgumentError(
        absl::StrCat("model \"", served->name(), "\": its graph takes ", example_bytes,
                     " bytes an image, its preprocessing gives ", served->shape_.bytes()));
  }
  ASSIGN_OR_RETURN(const BucketTimes times, Warm(served->programs_, example_bytes,
                                                 served->outputs(), options.policy.target_p99));
  RETURN_IF_ERROR(CheckParity(model.golden, served->programs_));

  served->metrics_ = options.metrics->ForModel(served->name());
  if (options.cache != nullptr) {
    served->cache_ = std::make_unique<ResponseCache::Section>(options.cache);
  }
  Batcher::Options batcher;
  batcher.name = served->name();
  batcher.policy = options.policy;
  batcher.policy.max_batch = served->programs_->max_batch();
  batcher.times = times;
  batcher.executors = options.executors;
  batcher.width = options.width;
  batcher.example_bytes = example_bytes;
  batcher.outputs = served->outputs();
  batcher.slots = options.slots;
  batcher.statistics = served->statistics_.get();
  batcher.metrics = options.metrics->predict;
  batcher.model_metrics = served->metrics_;
  served->batcher_ = std::make_unique<Batcher>(
      std::move(batcher), [programs = served->programs_] { return MakeEngine(programs); });
  return served;
}

}  // namespace fovea
